"""A digest of the code that decides a run's result, so that results of two codes are never mixed."""

import ast
import functools
import hashlib
import importlib.util
from collections.abc import Iterator, Sequence
from pathlib import Path

from sentiment_rnn.config.folders import PACKAGE

DECIDES = ("data", "model", "runs/engine.py", "runs/reviews.py", "runs/sequences.py", "runtime.py")
"""What decides the numbers of a run. Tables, figures, pages and commands do not: they can change between two runs."""


def code_digest(targets: Sequence[str]) -> str:
    """Digest of this package's deciding modules, and of a user's own.

    Args:
        targets: import paths that the configuration names (`RunConfig.targets`).
    """
    own = sorted({path for target in targets for path in _outside(target)})
    return hashlib.sha256("\n".join([_package_digest(), *map(_digest, own)]).encode()).hexdigest()


@functools.cache
def _package_digest() -> str:
    return hashlib.sha256("\n".join(_digest(path) for path in _files()).encode()).hexdigest()


def _files() -> Iterator[Path]:
    for name in DECIDES:
        path = PACKAGE / name
        yield from [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.suffix in (".py", ".cpp", ".h"))


def _digest(path: Path) -> str:
    """Of a file; of Python, of what it does: comments, docstrings and layout count for nothing."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        tree = ast.parse(text)
        for node in ast.walk(tree):
            body = getattr(node, "body", None)
            if isinstance(body, list):
                node.body = [part for part in body if not _is_docstring(part)]  # type: ignore[attr-defined]
        text = ast.dump(tree)
    return hashlib.sha256(text.encode()).hexdigest()


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _outside(target: str) -> list[Path]:
    """The file of a user's own module; none for this package's, torch's, or a plain name."""
    module = target.replace(":", ".").rpartition(".")[0]
    if not module or module.split(".")[0] in ("sentiment_rnn", "torch", "torchtext"):
        return []
    try:
        found = importlib.util.find_spec(module)
    except ModuleNotFoundError:  # a class in a class: `my_package.module.Outer` is no module
        return _outside(module)
    if found is None:
        return _outside(module)
    return [Path(found.origin)] if found.origin and found.origin.endswith(".py") else []
