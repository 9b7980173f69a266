"""The floors of docs/design.md promise a contributor that imports run one way, without a circle, and that heavy
libraries stay in their place."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "sentiment_rnn"
FLOORS = (
    ("cli",),
    ("sweeps",),
    ("engine",),
    ("tasks",),
    ("report",),
    ("tracking",),
    ("inference",),
    ("data", "model"),
    ("config",),
    ("runtime", "environment", "errors", "files"),
)
"""From the top down; what shares a floor does not know each other, the last floor apart."""
MODULES = {
    path.relative_to(PACKAGE).with_suffix("").as_posix().removesuffix("/__init__"): path
    for path in PACKAGE.rglob("*.py")
}


def imported(path: Path) -> set[str]:
    """Modules that a file imports anywhere, also within functions; those of this package by their path."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {name if is_module(name) else node.module for name in names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


def is_module(name: str) -> bool:
    """Whether a dotted name is a module of this package."""
    return name.startswith("sentiment_rnn.") and path_of(name) in MODULES


def path_of(name: str) -> str:
    """`sentiment_rnn.model.cells` → `model/cells`."""
    return name.removeprefix("sentiment_rnn").lstrip(".").replace(".", "/")


def own_imports(module: str) -> set[str]:
    """The modules of this package that one of them imports."""
    return {path_of(name) for name in imported(MODULES[module]) if name.startswith("sentiment_rnn.")} - {""}


def floor_of(module: str) -> int | None:
    """The number of a module's floor, 0 at the top; None for the package itself."""
    top = module.split("/")[0]
    return next((number for number, names in enumerate(FLOORS) if top in names), None)


def test_every_module_is_on_a_floor() -> None:
    assert {module for module in MODULES if floor_of(module) is None} == {"__init__", "__main__"}


@pytest.mark.parametrize("module", sorted(MODULES))
def test_no_import_goes_up_or_sideways(module: str) -> None:
    floor, top = floor_of(module), module.split("/")[0]
    for other in own_imports(module) if floor is not None else ():
        there = floor_of(other)
        if there is None or other.split("/")[0] == top or floor == len(FLOORS) - 1:
            continue
        assert there > floor, f"{module} imports {other}"


def test_the_tool_does_not_know_the_lab() -> None:
    assert {
        module for module, path in MODULES.items() if any("experiments" in name for name in imported(path))
    } == set()


def test_no_imports_run_in_a_circle() -> None:
    graph = {module: {other for other in own_imports(module) if other in MODULES} for module in MODULES}
    TopologicalSorter(graph).prepare()  # raises CycleError


def test_the_core_imports_no_encoder_and_no_source() -> None:
    for module in MODULES:
        if module.startswith(("model", "data", "engine")) and not module.startswith(
            ("model/encoders/", "data/sources/")
        ):
            leaves = [other for other in own_imports(module) if other.startswith(("model/encoders", "data/sources"))]
            assert leaves == [], module


@pytest.mark.parametrize(
    ("library", "folders"),
    [
        ("torchtext", {"data/tokenizer"}),
        ("mlflow", {"tracking"}),
        ("hydra", {"cli", "config/store", "config/messages", "sweeps"}),
        ("optuna", {"engine/pruning", "sweeps/search", "sweeps/space"}),
    ],
)
def test_a_library_is_imported_in_its_place_alone(library: str, folders: set[str]) -> None:
    users = {m for m, path in MODULES.items() if any(name.split(".")[0] == library for name in imported(path))}
    assert users
    assert {user for user in users if not any(f"{user}/".startswith(f"{folder}/") for folder in folders)} == set()
