"""Libraries that another library loads, and that this project does not use through it.

torchmetrics, which Lightning loads, loads SciPy and matplotlib wherever they are installed: for measures of sound, and
for plots of a metric. They are almost a third of the time in which Lightning loads. Here torchmetrics loads as where
neither is installed, which it provides for; `plot` of a metric then says that matplotlib is missing.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType

LIBRARY = "torchmetrics"
UNUSED = ("scipy", "matplotlib")


def load_leanly() -> None:
    """Have `LIBRARY` loaded without `UNUSED` when it is first imported; whoever imports those gets them as ever."""
    if LIBRARY not in sys.modules and not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder(MetaPathFinder):
    """Finds `LIBRARY` as Python does, and has it loaded by `_Loader`."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != LIBRARY:
            return None
        found = PathFinder.find_spec(fullname, path, target)
        if found and isinstance(found.loader, SourceFileLoader):
            found.loader = _Loader(found.loader.name, found.loader.path)
        return found


class _Loader(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        with _seem_absent(UNUSED):
            super().exec_module(module)


@contextmanager
def _seem_absent(names: Sequence[str]) -> Iterator[None]:
    """Libraries seem not to be installed to whoever asks lightning_utilities, as torchmetrics does."""
    from lightning_utilities.core import imports

    if not {"package_available", "RequirementCache"} <= vars(imports).keys():  # of another version
        yield
        return
    available, requirement = imports.package_available, imports.RequirementCache

    def package_available(name: str) -> bool:
        return name not in names and available(name)

    def requirement_cache(wanted: str | None = None, module: str | None = None) -> object:
        return wanted not in names and requirement(wanted, module)

    vars(imports).update(package_available=package_available, RequirementCache=requirement_cache)
    try:
        yield
    finally:
        vars(imports).update(package_available=available, RequirementCache=requirement)
