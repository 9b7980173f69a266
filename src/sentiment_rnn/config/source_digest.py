"""The digest of what Python source does: the same under every Python, whatever its comments, docstrings and layout.

It is taken of the syntax tree: the kind of each node, and its fields. (`ast.dump` leaves out other things in each
Python.) From 3.10 to 3.14 the tree has changed in two ways. Kinds of nodes and fields came for syntax that 3.10 cannot
read; in its source these fields are empty, and empty fields are left out here. And what stands between the braces of an
f-string may come in several pieces; it is written here as one.
"""

import ast
import hashlib
import json
from typing import Any


def source_digest(tree: ast.AST) -> str:
    """SHA-256 of a syntax tree."""
    return hashlib.sha256(_described(tree).encode()).hexdigest()


def _described(value: Any) -> str:
    """A node, a list of nodes, a name or a constant as one text."""
    if isinstance(value, ast.JoinedStr):
        return f"f'{''.join(map(_piece, value.values))}'"
    if isinstance(value, ast.Constant):
        value = value.value
    if isinstance(value, ast.AST):
        fields = [(name, getattr(value, name, None)) for name in value._fields]
        given = ", ".join(f"{name}={_described(field)}" for name, field in fields if field not in (None, []))
        return f"{type(value).__name__}({given})"
    if isinstance(value, list):
        return f"[{', '.join(_described(one) for one in value if not _is_text(one))}]"
    # Of a text ASCII alone: `repr` depends on a Python's tables of Unicode.
    return f"{type(value).__name__} {json.dumps(value) if isinstance(value, str) else repr(value)}"


def _piece(part: ast.expr) -> str:
    """A part of an f-string: its text, or what stands between braces."""
    if isinstance(part, ast.Constant):
        return json.dumps(part.value)[1:-1].replace("{", "{{")
    return f"{{{_described(part)}}}"


def _is_text(node: Any) -> bool:
    """Whether a statement is a docstring, of a module, a class, a function or an attribute."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
