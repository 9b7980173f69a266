"""Digest of what Python source does: the same in every version of Python, and blind to comments, docstrings and layout.

It is computed from the syntax tree: the kind of each node, and its fields. (`ast.dump` omits different things in
different versions.) From Python 3.10 to 3.14 the tree has changed in two ways. First, new syntax brought new kinds of
nodes and fields. In source that 3.10 can read, these fields are empty, and empty fields are left out here. Second, the
part of an f-string between braces may come in several pieces; here it is written as one.
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
    # Text is written in ASCII: `repr` would depend on the Unicode tables of the Python version.
    return f"{type(value).__name__} {json.dumps(value) if isinstance(value, str) else repr(value)}"


def _piece(part: ast.expr) -> str:
    """A part of an f-string: its text, or what stands between braces."""
    if isinstance(part, ast.Constant):
        return json.dumps(part.value)[1:-1].replace("{", "{{")
    return f"{{{_described(part)}}}"


def _is_text(node: Any) -> bool:
    """Whether a statement is a docstring, of a module, a class, a function or an attribute."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
