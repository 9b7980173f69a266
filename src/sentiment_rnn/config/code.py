"""The code that decides a run's result, and its digest, so that results of two codes are never mixed.

The digest depends only on what the configuration names and on files. It imports nothing and ignores which modules are
loaded, so every process computes the same digest.

- Of this package it covers `ALWAYS`, and the modules in the folders of `CHOSEN` that the run uses.
- Of a user's code it covers the module that the configuration names and the whole package around it, wherever that is
  installed. It also covers the modules and whole packages outside of `site-packages` that these import, also within
  functions.
- It ignores libraries, comments and docstrings.
"""

import ast
import functools
import hashlib
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib.machinery import ModuleSpec, PathFinder
from itertools import accumulate
from pathlib import Path

from sentiment_rnn.config import PACKAGE
from sentiment_rnn.config.components import LIBRARIES
from sentiment_rnn.config.source_digest import source_digest

ENGINE = ("engine/callbacks.py", "engine/machine.py", "engine/resume.py", "engine/train.py")
"""Files and folders of this package that train a run of any task."""
ALWAYS = ("model", "data", *ENGINE, "runtime.py", "environment.py")
"""Files and folders of this package that count for every run, without the folders of `CHOSEN`."""
CHOSEN = ("model/encoders", "data/sources", "tasks")
"""Folders of encoders, sources and tasks. A module in them counts if the configuration names it, or if another module
that counts imports it."""
OURS = "sentiment_rnn"
INSTALLED = {"site-packages", "dist-packages"}
STANDARD_LIBRARY = Path(ast.__file__).parent


def code_digest(targets: Sequence[str]) -> str:
    """Digest of a run's code.

    Args:
        targets: import paths that its configuration names (`RunConfig.targets`).
    """
    return _digest(run_code(targets))


@functools.cache
def loaded_code_digest(targets: tuple[str, ...]) -> str:
    """`code_digest`, computed once per process: the loaded code runs, even if its file changes later."""
    return code_digest(targets)


def target_digest(target: str) -> str:
    """Digest of the code behind one import path, such as a tokenizer's: its module and all that the module imports."""
    return _digest(_reached_code([target]))


def run_code(targets: Sequence[str]) -> dict[str, str]:
    """The digest of each file that a run's digest covers, by names such as `my_package/cell.py`."""
    return {name: _read(name, path.read_bytes())[0] for name, path in _always().items()} | _reached_code(targets)


def _digest(code: dict[str, str]) -> str:
    return hashlib.sha256("\n".join(f"{name} {code[name]}" for name in sorted(code)).encode()).hexdigest()


def _always() -> dict[str, Path]:
    chosen = {PACKAGE / name for name in CHOSEN}
    files = [PACKAGE / name for name in ALWAYS if name.endswith(".py")]
    folders = [PACKAGE / name for name in ALWAYS if not name.endswith(".py")]
    files += [path for folder in folders for path in folder.rglob("*") if chosen.isdisjoint(path.parents)]
    return {_own_name(path): path for path in files if path.suffix in (".py", ".cpp", ".h")}


def _own_name(path: Path) -> str:
    return f"{OURS}/{path.relative_to(PACKAGE).as_posix()}"


def _reached_code(targets: Sequence[str]) -> dict[str, str]:
    """Digests of the files behind import paths, and of all files that these import."""
    code: dict[str, str] = {}
    settled: set[str] = set()
    queue = [(target.replace(":", "."), True) for target in targets]
    for import_path, named in queue:  # grows in the loop; paths that the configuration names come first
        if settled.isdisjoint(_beginnings(import_path)):
            module, files = _files_behind(import_path, named)
            settled.add(module)
            for name, path in files.items():
                code[name], imported = _read(name, path.read_bytes())
                queue += ((other, False) for other in imported)
    return code


def _beginnings(import_path: str) -> Iterator[str]:
    """`a`, `a.b` and `a.b.c` of `a.b.c`."""
    return accumulate(import_path.split("."), "{}.{}".format)


def _files_behind(import_path: str, named: bool) -> tuple[str, dict[str, Path]]:
    """The module or whole package that an import path belongs to, and the files of it that count.

    Args:
        named: the configuration names the path; otherwise an import does.
    """
    if import_path.split(".")[0] == OURS:
        return import_path, _own_files(import_path)
    module, found = _module_of(import_path)
    path = Path(found.origin) if found and found.origin else None
    if found is None or path is None or not path.is_file() or _is_library(module, path, named):
        return module, {}
    place = module.replace(".", "/")
    if found.submodule_search_locations is None:
        return module, {f"{place}{path.suffix}": path}
    inside = (file.relative_to(path.parent) for file in path.parent.rglob("*.py") if file.is_file())
    own = (name for name in inside if not any(part.startswith(".") or part in INSTALLED for part in name.parts))
    return module, {f"{place}/{name.as_posix()}": path.parent / name for name in own}


def _own_files(import_path: str) -> dict[str, Path]:
    """The module of this package that an import path belongs to, if it can count. For a package, and for a class that a
    package re-exports, all modules of that package."""
    places = [*accumulate(import_path.split(".")[1:], Path.joinpath, initial=PACKAGE)]
    modules = [module for place in places if (module := place.with_suffix(".py")).is_file()]
    if not modules:
        modules = [*next(place for place in reversed(places) if place.is_dir()).glob("*.py")]
    counting = tuple(f"{OURS}/{name}/" for name in (*ALWAYS, *CHOSEN))
    return {name: path for path in modules if f"{(name := _own_name(path))}/".startswith(counting)}


def _module_of(import_path: str) -> tuple[str, ModuleSpec | None]:
    """Name and spec of the outermost module or package with code on an import path. The spec is None if there is none;
    the name is empty if the path has only namespace packages, which are folders without code."""
    folders: list[str] | None = None
    for module in _beginnings(import_path):
        # Only the last part of the name: to find a dotted name, `PathFinder` needs the package to be loaded.
        found = PathFinder.find_spec(module.rpartition(".")[2], folders)
        if found is None:
            others = (finder for finder in sys.meta_path if finder is not PathFinder)  # of editable installs
            found = next(filter(None, (finder.find_spec(module, folders) for finder in others)), None)
        if found is None or found.origin:
            return module, found
        folders = [*(found.submodule_search_locations or ())]
    return "", None


def _is_library(module: str, path: Path, named: bool) -> bool:
    if INSTALLED.intersection(path.parts):
        return module in LIBRARIES or not named
    return STANDARD_LIBRARY in path.parents


@functools.cache
def _read(name: str, content: bytes) -> tuple[str, tuple[str, ...]]:
    """The digest of a file, and the import paths in it. A file that Python cannot parse has the digest of its bytes."""
    if name.endswith(".py"):
        with suppress(SyntaxError, ValueError, RecursionError), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they are shown when Python compiles the file
            tree = ast.parse(content)
            return source_digest(tree), tuple(_imports(tree, Path(name).parts[:-1]))
    return hashlib.sha256(content).hexdigest(), ()


def _imports(tree: ast.AST, package: tuple[str, ...]) -> Iterator[str]:
    """Modules, or names in them, that a file of a package imports, also inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: max(0, len(package) + 1 - node.level)] if node.level else ()
            yield from (".".join([*above, *filter(None, [node.module]), alias.name]) for alias in node.names)
