"""Templates filled in: one HTML file each, with its style and its data within."""

from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PackageLoader, StrictUndefined

_ENVIRONMENT = Environment(
    loader=PackageLoader("sentiment_rnn.report", "pages"),
    autoescape=True,  # texts of strangers are on these pages
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "separators": (",", ":")}


def render(template: str, folder: Path | None = None, **values: Any) -> str:
    """The HTML of a template of this folder, or of one elsewhere that includes templates of this folder."""
    here = _ENVIRONMENT.loader
    assert here
    loader = ChoiceLoader([FileSystemLoader(folder), here]) if folder else here
    return _ENVIRONMENT.overlay(loader=loader).get_template(template).render(**values)


def rounded(values: np.ndarray, digits: int) -> list[Any]:
    """Numbers for JSON, in as many digits as a page shows."""
    return list(np.round(values.astype(float), digits).tolist())
