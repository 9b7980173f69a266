"""Encoders: embedded tokens in, a state for every token out. One family a file, its equations at the top.

Every encoder is a module with `forward(embedded [B, T, E], lengths [B]) -> states [B, T, D]` and an attribute
`output_size` (D), built from `input_size` (E) and the keys of `conf/encoder/`. What stands after a review's own
length is padding, and the states there are not defined; no state before it depends on them.

A family imports the core (`model/`) and its base alone, so that nothing changes the identity of its runs but these.
"""

from importlib import import_module
from typing import Any

FAMILIES = {
    "Bag": "bag", "Recurrent": "recurrent", "Rnn": "rnn", "ReluRnn": "rnn", "Gru": "gru", "Lstm": "lstm",
    "CellState": "lstm",
}  # fmt: skip
"""Names that runs, models and files of users have from here, of when all families were one module. A further encoder is
named by its own."""


def __getattr__(name: str) -> Any:
    """The class by its name here; only the module of its family is loaded."""
    if name not in FAMILIES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{FAMILIES[name]}"), name)
