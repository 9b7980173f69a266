"""The digest of the code: it changes where a result could, and not where only words or layout do."""

import ast
import importlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import pytest
from short_runs import ADDING_TASK, REVIEWS, SMALL

from made_imdb import write_imdb, write_unlabelled
from sentiment_rnn.config import code, source_digest
from sentiment_rnn.config.folders import CONFIGURATION
from sentiment_rnn.config.run import RunConfig
from sentiment_rnn.config.store import run_config
from sentiment_rnn.runs.engine import train

Edit = Callable[[str, str, str], str]


def composed(*overrides: str) -> RunConfig:
    """The checked configuration of a run."""
    return run_config(*overrides)


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    """Files are read once in a process; here they are edited: in a copy, and not where an earlier test found them."""
    forget_files()
    yield
    forget_files()


def forget_files() -> None:
    code.reached_code.cache_clear()
    code._read.cache_clear()


def digest_of(config: RunConfig) -> str:
    """The digest by the files as they are now."""
    forget_files()
    return code.code_digest(config.targets)


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of this package, whose files are read."""
    folder = tmp_path / "sentiment_rnn"
    shutil.copytree(code.PACKAGE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(code, "PACKAGE", folder)
    return folder


@pytest.fixture
def edited(copy: Path) -> Edit:
    """Replace text in a file of the copy; the digest of it."""
    config = composed()

    def edit(name: str, old: str, new: str) -> str:
        text = (copy / name).read_text()
        assert old in text
        (copy / name).write_text(text.replace(old, new, 1))
        return digest_of(config)

    return edit


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("model/encoders/lstm.py", '"""The LSTM.', '"""An LSTM.'),
        ("model/cells.py", "        super().__init__()\n", "        super().__init__()  # a comment\n\n"),
        ("model/pooling.py", "\nimport torch\n", "\n# Another comment\nimport torch\n"),
        ("runs/engine.py", "callbacks=callbacks,", "callbacks=(\n            callbacks\n        ),"),
        ("report/tables.py", "import", "import os\nimport"),
        ("cli/train.py", "import sys", "import os\nimport sys"),
        ("config/trainer.py", "at_least", "at_most"),
        ("tracking/record.py", "import", "import os\nimport"),
    ],
)
def test_words_layout_and_what_only_shows_results_count_for_nothing(
    name: str, old: str, new: str, edited: Edit
) -> None:
    before = edited(name, old, old)
    assert edited(name, old, new) == before


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("model/encoders/lstm.py", "forget_bias: float = 1.0", "forget_bias: float = 2.0"),
        ("model/recurrence.cpp", "#include", "#define ANOTHER\n#include"),
        ("data/batching.py", "import numpy as np\n", "import numpy as np\nHALF = 0.5\n"),
        ("data/sources/generated.py", "it was a monday", "it was a tuesday"),
        ("runs/engine.py", "num_sanity_val_steps=0", "num_sanity_val_steps=1"),
        ("runs/stopping.py", "EPOCHS = 2", "EPOCHS = 3"),
        ("runtime.py", "set_flush_denormal(True)", "set_flush_denormal(False)"),
    ],
)
def test_a_changed_statement_is_another_code(name: str, old: str, new: str, edited: Edit) -> None:
    before = edited(name, old, old)
    assert edited(name, old, new) != before
    assert edited(name, new, old) == before


FAMILIES = {"bag": "bag", "rnn": "rnn", "rnn_relu": "rnn", "gru": "gru", "lstm": "lstm", "lstm_chrono": "lstm"}


@pytest.mark.parametrize(("encoder", "family"), FAMILIES.items())
def test_a_run_reaches_the_family_of_its_encoder_and_no_other(encoder: str, family: str) -> None:
    reached = {path.relative_to(code.PACKAGE).as_posix() for path in reached_by(composed(f"encoder={encoder}"))}
    base = {"model/encoders/recurrent.py", "model/cells.py", "model/recurrence.py", "model/recurrence.cpp"}
    assert {name for name in reached if name.startswith("model/encoders/")} - base == {f"model/encoders/{family}.py"}
    assert (base <= reached) == (encoder != "bag")
    assert {name for name in reached if name.startswith("data/sources/")} == {"data/sources/generated.py"}
    stops = {"runs/stopping.py", "runs/resume.py"}
    assert {*stops, "runs/engine.py", "runtime.py", "data/batching.py"} <= reached


def reached_by(config: RunConfig) -> list[Path]:
    """The files of this package that a run's digest is of."""
    return list(code.reached_code(tuple(config.targets)))


@pytest.mark.parametrize("overrides", [["encoder=lstm"], ["encoder=bag", "data=imdb"], ["task=copying"]], ids=str)
def test_an_edit_of_each_file_that_a_run_reaches_changes_its_digest(overrides: list[str], copy: Path) -> None:
    targets = tuple(composed(*overrides).targets)
    before, digest = code.reached_code(targets), code.code_digest(targets)
    for path in before:
        path.write_text(path.read_text() + ("\nEDITED = True\n" if path.suffix == ".py" else "\n// edited\n"))
    forget_files()
    after = code.reached_code(targets)
    assert list(after) == list(before)
    assert [path for path in before if after[path] == before[path]] == []
    assert code.code_digest(targets) != digest


def test_a_new_file_in_any_folder_changes_no_digest(copy: Path) -> None:
    configs = [composed(f"encoder={name}") for name in ("lstm", "bag")] + [composed("task=adding")]
    before = [digest_of(config) for config in configs]
    for folder in {path.parent for path in copy.rglob("*.py")}:
        (folder / "something_new.py").write_text("NEW = True\n")
        (folder / "something_new.h").write_text("#define NEW\n")
    assert [digest_of(config) for config in configs] == before


NO_NUMBERS = (
    "config/", "tracking/", "report/", "probes/", "inference/", "errors.py", "masking.py", "locks.py", "environment.py",
    "lean_imports.py", "config/code.py", "config/source_digest.py", "runs/interruption.py", "runs/packaging.py",
    "whole_files.py",
)  # fmt: skip
"""Code of a run that changes no numbers: it checks, records, shows, packs, or reports errors."""


def executed(action: Callable[[], object]) -> set[str]:
    """The files of this package with a function that `action` calls."""
    found: set[str] = set()

    def note(frame: Any, event: str, argument: object) -> None:
        if event == "call":
            found.add(frame.f_code.co_filename)

    sys.setprofile(note)
    try:
        action()
    finally:
        sys.setprofile(None)
    package = f"{code.PACKAGE}/"
    return {name.removeprefix(package) for name in found if name.startswith(package)}


def choices(group: str) -> list[str]:
    """The files of a group of `conf/`."""
    return sorted(path.stem for path in Path(CONFIGURATION, group).glob("*.yaml"))


def given(group: str) -> list[str]:
    """An override for each choice of a group, over again until there are as many as encoders."""
    return [f"{group}={name}" for name in islice(cycle(choices(group)), len(choices("encoder")))]


@pytest.mark.parametrize(
    "overrides",
    [
        *zip(*map(given, ("encoder", "optimizer", "data")), strict=True),
        # All poolings are in one file, and all tasks on sequences.
        ("encoder=bag", "pooling=last_mean_max"),
        ADDING_TASK,
        ("task=language_model", "data=imdb"),
        ("trainer.target_score=0.1", "trainer.patience=1", "trainer.tested_epoch=last"),
    ],
    ids=" ".join,
)
def test_a_run_executes_no_file_that_could_decide_a_number_and_is_not_in_its_digest(
    overrides: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = [
        *SMALL,
        "trainer.epochs=1",
        "trainer.limit_batches=0",
        "tracking.record=results",
        "tracking.directory=runs",
    ]
    if "task.steps=6" not in overrides:
        given.append(f"data.directory={tmp_path}")
        given += [] if {"data=files", "data=imdb"} & {*overrides} else REVIEWS
    if "data=imdb" in overrides:
        given += [f"data.archive={write_unlabelled(write_imdb(tmp_path))}", "data.verify=false"]
    if "data=files" in overrides:
        lines = [f"a {word} film {n},{label}" for n in range(40) for label, word in enumerate(("bad", "good"))]
        Path("reviews.csv").write_text("\n".join(["text,label", *lines]))
        given.append("data.train=reviews.csv")
    config = composed(*given, *overrides)
    if config.encoder.hidden_size:
        config.encoder.hidden_size = 8
    named = set(reached_by(config))
    found = executed(lambda: train(config, []))
    assert "runs/engine.py" in found
    assert {name for name in found if not name.startswith(NO_NUMBERS) and code.PACKAGE / name not in named} == set()


OWN = '''"""Mine."""
from torch import nn


class Mine(nn.Module):
    def __init__(self, input_size: int) -> None:
        super().__init__()
        self.output_size = input_size

    def forward(self, embedded, lengths):
        return embedded
'''


def test_a_users_own_encoder_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "own_encoder", raising=False)
    path = tmp_path / "own_encoder.py"

    def digest(text: str) -> str:
        path.write_text(text)
        importlib.invalidate_caches()
        return digest_of(composed("encoder._target_=own_encoder.Mine"))

    first = digest(OWN)
    assert first != digest_of(composed())
    assert digest(OWN.replace("Mine.", "My own.")) == first
    assert digest(OWN.replace("return embedded", "return 2 * embedded")) != first


def test_a_file_beside_a_users_module_counts_where_that_imports_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own_flat.py").write_text("import numpy\nfrom own_scale import SCALE\n" + OWN)
    for name in ("own_scale", "own_other"):
        (tmp_path / f"{name}.py").write_text("SCALE = 2\n")
    config = composed("encoder._target_=own_flat.Mine")
    outside = {path.name for path in reached_by(config) if not path.is_relative_to(code.PACKAGE)}
    assert outside == {"own_flat.py", "own_scale.py"}
    before = digest_of(config)
    (tmp_path / "own_scale.py").write_text("SCALE = 3\n")
    assert digest_of(config) != before
    monkeypatch.setattr(code, "INSTALLED", {tmp_path.name})
    forget_files()
    assert tmp_path / "own_scale.py" not in reached_by(config), "where others' modules are installed"


OWN_PACKAGE = {
    "__init__.py": "from own_package.encoder import Mine\n",
    "encoder.py": (
        "from sentiment_rnn.model.encoders import Gru\n"
        "from own_package import scales\n"
        "from .gates.open import factor\n\n"
        "class Mine(Gru):\n"
        "    def forward(self, embedded, lengths):\n"
        "        from own_package.late import shift\n"
        "        return super().forward(embedded, lengths) * factor * scales.SCALE + shift\n"
    ),
    "scales.py": "SCALE = 2\n",
    "late.py": "shift = 0.5\n",
    "unused.py": "NOTHING = 0\n",
    "gates/open.py": "from ..numbers import factor\n",
    "numbers.py": "factor = 3\n",
}


def test_of_a_users_package_the_modules_count_that_its_encoder_imports_and_its_bases(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in OWN_PACKAGE.items():
        path = tmp_path / "own_package" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    for target in ("own_package.encoder.Mine", "own_package:Mine"):
        config = composed(f"encoder._target_={target}")
        reached = reached_by(config)
        assert code.PACKAGE / "model/encoders/gru.py" in reached
        assert code.PACKAGE / "model/encoders/lstm.py" not in reached
        before = digest_of(config)
        for name in OWN_PACKAGE:
            path = tmp_path / "own_package" / name
            path.write_text(f"{OWN_PACKAGE[name]}EDITED = True\n")
            assert (digest_of(config) == before) == (name == "unused.py"), name
            path.write_text(OWN_PACKAGE[name])


def test_what_an_encoder_has_from_a_package_that_hands_it_on_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    holds = OWN.replace(
        "from torch import nn\n", "from torch import nn\nfrom sentiment_rnn.model.encoders import Gru\n"
    )
    (tmp_path / "own_holder.py").write_text(holds)
    monkeypatch.syspath_prepend(tmp_path)
    reached = reached_by(composed("encoder._target_=own_holder.Mine"))
    assert code.PACKAGE / "model/encoders/gru.py" in reached
    assert code.PACKAGE / "model/encoders/lstm.py" not in reached


def test_a_class_in_a_class_counts_with_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_nested.py").write_text("class Outer:\n    class Inner:\n        pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    plain = code.code_digest([])
    nested = code.code_digest(["own_nested.Outer.Inner"])
    assert nested == code.code_digest(["own_nested.Outer"]) != plain


def test_a_tokenizer_of_ones_own_counts_and_libraries_do_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marked = "from sentiment_rnn.data.tokenizer import tokenizer\n\n\n@tokenizer\n"
    (tmp_path / "own_tokenizer.py").write_text(marked + "def words(text):\n    return text.split()\n")
    monkeypatch.syspath_prepend(tmp_path)
    config = composed("data.tokenizer=own_tokenizer.words")
    assert tmp_path / "own_tokenizer.py" in reached_by(config)
    files = reached_by(composed("optimizer._target_=torch.optim.AdamW"))
    assert all(path.is_relative_to(code.PACKAGE) for path in files)


OTHER_PYTHONS = [found for number in range(10, 15) if (found := shutil.which(f"python3.{number}", path="/usr/bin"))]
STRINGS = """
a = f"{x}" "" "c" f"{y:>{w}.2f}" 'q' f"" f"{x = }" rf"\\d{x!r:^10}{{}}" f"{x:}" "\u1c89" f"{a}{b}" "" f"a" "b"
"""


@pytest.mark.parametrize("python", OTHER_PYTHONS)
def test_the_digest_of_a_file_is_the_same_under_another_python(python: str, tmp_path: Path) -> None:
    (tmp_path / "strings.py").write_text(STRINGS)
    files = [tmp_path / "strings.py", *sorted(code.PACKAGE.rglob("*.py"))]
    program = (
        "import ast, runpy, sys\n"
        "digest = runpy.run_path(sys.argv[1])['source_digest']\n"
        "for name in sys.argv[2:]: print(digest(ast.parse(open(name, 'rb').read())))\n"
    )
    command = [python, "-c", program, source_digest.__file__, *map(str, files)]
    theirs = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert theirs == [source_digest.source_digest(ast.parse(path.read_bytes())) for path in files]


def test_the_text_of_an_f_string_counts_the_same_in_several_pieces() -> None:
    text, x = ast.Constant, ast.FormattedValue(ast.Name("x", ast.Load()), -1)
    whole, pieces = [text("ab"), x, text("c")], [text("a"), text("b"), x, text("c"), text("")]
    digests = {source_digest.source_digest(ast.JoinedStr(parts)) for parts in (whole, pieces)}
    assert len(digests) == 1
    assert source_digest.source_digest(ast.JoinedStr([text("a"), x, text("bc")])) not in digests


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 1", "x = 2"), ("x = 1", "x = True"), ("x = 1", "x = '1'"), ("x = 1", "x = 1.0"), ("x = [y]", "x = (y,)"),
        ("f(a, b)", "f(b, a)"), ("f(a=b)", "f(b=a)"), ("x = None", "x = ()"), ("if a: b", "if a: c"),
        ("if a: b\nelse: c", "if a: b\nc"), ("x: int", "x: str"), ("f'{x}'", "f'{x!r}'"), ("f'a{x}'", "f'{x}a'"),
        ("{**a, b: c}", "{b: c, **a}"), ("a.b", "b.a"), ("-1", "1"), ("a = b = c", "a = c = b"), ("a or b", "a and b"),
        ("def f(a, *, b): 1", "def f(a, b): 1"), ("def f(a=1): 1", "def f(a): 1"), ("'a\\n'", "x = 'a'"),
        ("for a in b: c", "async def f():\n async for a in b: c"), ("global a", "nonlocal a"), ("x = b'a'", "x = 'a'"),
    ],
)  # fmt: skip
def test_whatever_python_does_otherwise_has_another_digest(one: str, other: str) -> None:
    assert source_digest.source_digest(ast.parse(one)) != source_digest.source_digest(ast.parse(other))
