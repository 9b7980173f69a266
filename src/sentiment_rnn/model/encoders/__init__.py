"""Encoders: embedded tokens in, a state for every token out. One family a file, its equations at the top.

Every encoder is a module with `forward(embedded [B, T, E], lengths [B]) -> states [B, T, D]` and an attribute
`output_size` (D), built from `input_size` (E) and the keys of `conf/encoder/`. Tokens after the end of a review are
padding. The states there are undefined, and no earlier state depends on them.

A family imports only the core (`model/`) and its base, so that only these can change the identity of its runs.
"""

from importlib import import_module
from typing import Any

FAMILIES = {
    "Bag": "bag", "Recurrent": "recurrent", "Rnn": "rnn", "ReluRnn": "rnn", "Gru": "gru", "Lstm": "lstm",
    "CellState": "lstm",
}  # fmt: skip
"""Names that older runs, models and users' files import from here, since all families were once one module. A new
encoder is named by its own module."""


def __getattr__(name: str) -> Any:
    """The class of this name; only the module of its family is loaded."""
    if name not in FAMILIES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{FAMILIES[name]}"), name)
