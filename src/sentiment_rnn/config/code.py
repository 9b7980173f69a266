"""The code that decides a run's result, and its digest, so that results of two codes are never mixed.

It begins at the engine and at what the configuration names, and goes on to all that these import: of this package what
can decide a number, of a user's package the package's own modules, of a user's single file those beside it. A file that
nothing of this imports counts for nothing, whatever folder it is in.
"""

import ast
import functools
import hashlib
import sys
from collections.abc import Iterator, Sequence
from importlib.util import resolve_name
from pathlib import Path

from sentiment_rnn.config.components import LIBRARIES, class_named
from sentiment_rnn.config.folders import PACKAGE
from sentiment_rnn.config.source_digest import source_digest

OURS = "sentiment_rnn"
ENGINE = f"{OURS}.runs.engine"
COMPILED = {f"{OURS}.model.recurrence": ("model/recurrence.cpp", "model/product.h", "model/scan.h")}
"""Files of C++ that are a module's."""
INSTALLED = {"site-packages", "dist-packages"}
"""Folders in which modules lie side by side that have nothing to do with each other."""
DECIDES_NOTHING = (
    *("cli", "config", "environment", "errors", "inference", "lean_imports", "locks", "masking", "probes", "report"),
    *("tracking", "runs.callback", "runs.interruption", "runs.packaging", "runs.search", "whole_files"),
)
"""Modules of this package that no digest covers: those that show, record or deliver results, start and stop processes,
or say what is wrong; and those that check a configuration, whose values are part of the identity."""


def code_digest(targets: Sequence[str]) -> str:
    """Digest of the code that a configuration reaches.

    Args:
        targets: import paths that it names (`RunConfig.targets`).
    """
    return hashlib.sha256("\n".join(reached_code(tuple(targets)).values()).encode()).hexdigest()


def target_digest(target: str) -> str:
    """Digest of the code that an import path reaches: of a user's the user's code alone. A library's class that it
    extends counts for nothing. Empty for the name of a library's function."""
    ours = target.startswith(f"{OURS}.")
    first, *bases = [*_modules_of(target)] or [""]
    own = [name for name in bases if not INSTALLED.intersection(Path(_file_of(name)).parts)]
    digests = [digest for path, digest in _reached([first, *own]).items() if ours or PACKAGE not in path.parents]
    return hashlib.sha256("\n".join(digests).encode()).hexdigest() if digests else ""


@functools.cache
def reached_code(targets: tuple[str, ...]) -> dict[Path, str]:
    """The files of that code, and the digest of each."""
    return _reached([ENGINE, *(module for target in targets for module in _modules_of(target))])


def _reached(modules: list[str]) -> dict[Path, str]:
    found: dict[str, tuple[Path, str]] = {}
    left = [*modules]
    while left:
        module = left.pop()
        path = None if module in found else _path_of(module)
        if path:
            digest, imports = _read(path, module, id(getattr(sys.modules.get(module), "__spec__", None)))
            found[module] = path, digest
            left += [name for name in imports if _belongs(name, module)]
    compiled = [PACKAGE / name for module, names in COMPILED.items() if module in found for name in names]
    digests = dict(found[module] for module in sorted(found))
    return digests | {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in compiled}


def _modules_of(target: str) -> Iterator[str]:
    """The module that an import path names, and those of the class (or function) that it is of and of its bases."""
    name = target.replace(":", ".")
    if "." not in name:
        return  # one of torchtext's tokenizers
    found = class_named(target)
    for module in (name.rpartition(".")[0], *(kind.__module__ for kind in getattr(found, "__mro__", (found,)))):
        if module.split(".")[0] not in (*LIBRARIES, *sys.stdlib_module_names):
            yield module


def _belongs(module: str, importer: str) -> bool:
    """Whether what a module imports can decide results as it does: of this package, of the module's own, or, where it
    is in none, a file beside it."""
    top, _, rest = module.partition(".")
    if top == OURS:
        return bool(rest) and not f"{rest}.".startswith(tuple(f"{name}." for name in DECIDES_NOTHING))
    own = importer.partition(".")[0]
    file, other = (Path(_file_of(name)) for name in (own, top))
    alone = file.suffix == ".py" and file.name != "__init__.py" and not INSTALLED.intersection(file.parts)
    return top == own or (alone and file.parent == other.parent)


def _file_of(module: str) -> str:
    """The file of a module that is loaded; empty for none."""
    return getattr(sys.modules.get(module), "__file__", None) or ""


def _path_of(module: str) -> Path | None:
    """The Python file of a module or a package of which something is imported; None of a name that is no module."""
    top, *inner = module.split(".")
    package = sys.modules.get(top)
    folders = [PACKAGE] if top == OURS else getattr(package, "__path__", ())
    inside = [Path(folder, *inner) for folder in folders if inner]
    places = [place for path in inside for place in (path.with_suffix(".py"), path / "__init__.py")]
    if not inner and (own := getattr(package, "__file__", None)):
        places = [Path(own)]
    return next((place for place in places if place.suffix == ".py" and place.is_file()), None)


@functools.cache
def _read(path: Path, module: str, loaded: int) -> tuple[str, tuple[str, ...]]:
    """The digest of a file, and what it imports, within functions too: modules, and names that may be modules. It is
    read once for each time that the module was `loaded`, since what runs is what was loaded."""
    tree = ast.parse(path.read_bytes())
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    return source_digest(tree), tuple(_imports(tree, package))


def _imports(tree: ast.AST, package: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = resolve_name("." * node.level + (node.module or ""), package)
            yield base
            for alias in node.names:
                yield f"{base}.{alias.name}"
                # Where it was defined: a package may hand on what its modules have.
                yield str(getattr(getattr(sys.modules.get(base), alias.name, None), "__module__", base))
