"""The meaning of every key, from the docstrings of dataclasses, which are not imported: help has to be fast."""

import ast
from typing import NamedTuple

from sentiment_rnn.config.folders import PACKAGE


class Key(NamedTuple):
    """One key of a dataclass."""

    name: str
    type: str
    meaning: str


def keys_of(module: str, name: str) -> list[Key]:
    """The keys of a dataclass and what its docstrings say of each.

    Args:
        module: a file of this package, `config/trainer.py` say.
        name: the class in it.
    """
    body = next(
        node.body
        for node in ast.parse((PACKAGE / module).read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and node.name == name
    )
    found = []
    for node, after in zip(body, [*body[1:], None], strict=True):
        if not (isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)):
            continue
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            meaning = " ".join(str(after.value.value).split())
            found.append(Key(node.target.id, ast.unparse(node.annotation), meaning))
    return found
