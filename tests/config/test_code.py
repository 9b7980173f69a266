"""The digest of the code: it changes where a result could, and not where only words, layout or other code do."""

import shutil
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from made_imdb import write_imdb, write_unlabelled
from sentiment_rnn.config import code
from sentiment_rnn.config.code import code_digest, run_code, target_digest
from sentiment_rnn.config.store import run_config
from sentiment_rnn.engine.train import train

REVIEWS = run_config().targets


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of this package, whose files are read."""
    folder = tmp_path / "sentiment_rnn"
    shutil.copytree(code.PACKAGE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(code, "PACKAGE", folder)
    return folder


def edit(path: Path, old: str, new: str) -> None:
    """Replace a text in a file that has it."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


WORDS_AND_OTHER_CODE = [
    ("model/encoders/lstm.py", '"""The LSTM.', '"""An LSTM.'),
    ("model/cells.py", "        super().__init__()\n", "        super().__init__()  # a comment\n\n"),
    ("engine/train.py", "callbacks=callbacks,", "callbacks=(\n            callbacks\n        ),"),
    ("model/encoders/gru.py", "import", "import os\nimport"),
    ("data/sources/imdb.py", "import", "import os\nimport"),
    ("report/tables.py", "import", "import os\nimport"),
    ("cli/train.py", "import", "import os\nimport"),
    ("config/sections.py", "patience: Count", "patience: Size"),
    ("errors.py", "import", "import os\nimport"),
]
STATEMENTS = [
    ("model/encoders/lstm.py", "forget_bias: float = 1.0", "forget_bias: float = 2.0"),
    ("model/recurrence.cpp", "#include", "#define ANOTHER\n#include"),
    ("model/scan.h", "std::copy_n", "std::move_n"),
    ("data/batching.py", "import numpy as np\n", "import numpy as np\nHALF = 0.5\n"),
    ("data/sources/generated.py", "it was a monday", "it was a tuesday"),
    ("engine/train.py", "num_sanity_val_steps=0", "num_sanity_val_steps=1"),
    ("engine/callbacks.py", "EPOCHS = 2", "EPOCHS = 3"),
    ("tasks/reviews.py", "tests = True", "tests = False"),
    ("runtime.py", "set_flush_denormal(True)", "set_flush_denormal(False)"),
    ("environment.py", '"1000"', '"2000"'),
]


@pytest.mark.parametrize(
    ("counts", "name", "old", "new"),
    [*((False, *edited) for edited in WORDS_AND_OTHER_CODE), *((True, *edited) for edited in STATEMENTS)],
)
def test_a_statement_that_decides_numbers_counts_and_neither_words_nor_other_code(
    counts: bool, name: str, old: str, new: str, copy: Path
) -> None:
    before = code_digest(REVIEWS)
    edit(copy / name, old, new)
    assert (code_digest(REVIEWS) != before) == counts


@pytest.mark.parametrize(
    ("encoder", "family"), {"bag": "bag", "rnn_relu": "rnn", "gru": "gru", "lstm": "lstm", "lru": "lru"}.items()
)
def test_a_run_reaches_the_family_of_its_encoder_and_no_other(encoder: str, family: str) -> None:
    names = {name.removeprefix("sentiment_rnn/") for name in run_code(run_config(f"encoder={encoder}").targets)}
    base = set() if encoder == "bag" else {"model/encoders/recurrent.py"}
    assert {name for name in names if name.startswith("model/encoders/")} == base | {f"model/encoders/{family}.py"}
    assert {name for name in names if name.startswith("data/sources/")} == {"data/sources/generated.py"}
    assert {"tasks/reviews.py", "engine/train.py", "model/product.h"} <= names


def test_of_an_encoder_by_its_name_in_the_package_every_module_of_the_package_counts() -> None:
    encoders = {f"sentiment_rnn/model/encoders/{family}.py" for family in ("lstm", "gru", "recurrent")}
    assert encoders <= run_code(["sentiment_rnn.model.encoders:Lstm"]).keys()


def test_an_encoder_of_the_lab_counts_without_the_pages_of_the_lab() -> None:
    theirs = run_code(["experiments.lab.encoders.leaky.LeakyRnn"]).keys() - run_code([]).keys()
    assert theirs == {"experiments/lab/encoders/leaky.py", "sentiment_rnn/model/encoders/recurrent.py"}


SHOWS = (
    "config/", "tracking/", "report/", "inference/", "errors.py", "files.py",
    "engine/interruption.py",
)  # fmt: skip
"""Code of a run that changes no numbers: it checks, records, shows, or reports errors."""
TINY = (
    "trainer.epochs=1", "trainer.limit_batches=1", "trainer.threads=1", "trainer=cpu", "tracking.directory=runs",
    "tracking.system_metrics=false", "embedding.size=4", "encoder.hidden_size=4", "data.directory=data",
)  # fmt: skip


@pytest.mark.parametrize(
    "overrides",
    [
        ("data=generated", "data.train_reviews=120", "data.test_reviews=40", "data.max_lag=10", "encoder=min_lstm",
         "trainer.target_score=0.1", "trainer.patience=1", "trainer.tested_epoch=last"),
        ("task=language_model", "data=imdb", "encoder=lstm"),
        ("task=adding", "task.steps=6", "task.batch_size=4", "task.batches=2", "task.test_sequences=8", "encoder=rnn"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_run_executes_no_file_that_could_decide_a_number_and_is_not_in_its_digest(
    overrides: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = [key for key in TINY if "task=adding" not in overrides or not key.startswith(("data", "embedding"))]
    if "data=imdb" in overrides:
        given += [f"data.archive={write_unlabelled(write_imdb(tmp_path))}", "data.verify=false"]
    config = run_config(*given, *overrides)
    names = {name.removeprefix("sentiment_rnn/") for name in run_code(config.targets)}
    found = executed(lambda: train(config, []))
    assert "engine/train.py" in found
    assert {name for name in found if not name.startswith(SHOWS)} - names == set()


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


CHANGED = "scale = 1.0\n"
Folder = Callable[[dict[str, str]], Path]


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """Write files into a folder from which modules are imported."""

    def write(files: dict[str, str]) -> Path:
        folder = tmp_path / "mine"
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        monkeypatch.syspath_prepend(folder)
        return folder

    return write


@pytest.mark.parametrize(
    "files",
    {
        "the module itself": {"g.py": CHANGED},
        "a package beside it": {"g.py": "from hh.core import scale", "hh/__init__.py": "", "hh/core.py": CHANGED},
        "a namespace package beside it": {"g.py": "from hh.core import scale", "hh/core.py": CHANGED},
        "a nested one": {"g.py": "from hh.deep import core", "hh/deep/core.py": CHANGED},
        "a package in one": {"g.py": "import hh.a.b", "hh/a/__init__.py": "", "hh/a/b.py": "", "hh/a/c.py": CHANGED},
        "a module beside it": {"g.py": "import hh", "hh.py": CHANGED},
        "by way of another": {"g.py": "import hh", "hh.py": "import kk", "kk.py": CHANGED},
        "within a function": {"g.py": "def f():\n    import hh.core as c", "hh/core.py": CHANGED},
        "under another name": {
            "g.py": "import hh.a.b as x", "hh/__init__.py": "", "hh/a/__init__.py": "", "hh/a/b.py": CHANGED,
        },
        "all its names": {"g.py": "from hh import *", "hh.py": CHANGED},
        "a base class's": {"g.py": "from hh import B\nclass G(B): pass", "hh.py": f"class B: pass\n{CHANGED}"},
        "a module beside a package": {"g/__init__.py": "from g.a import G", "g/a.py": "import hh", "hh.py": CHANGED},
        "a module that nothing imports": {"g/__init__.py": "", "g/a/b.py": CHANGED},
        "by a relative import": {"g/a.py": "from .b import scale\nfrom . import c", "g/b.py": "", "g/c.py": CHANGED},
        "from the folder above": {"g/a/b.py": "from ..c import scale", "g/c.py": CHANGED},
        "a standard module's name": {"g.py": "from statistics import scale", "statistics.py": CHANGED},
        "what Python cannot read": {"g/__init__.py": "", "g/template.py": f"{{{{ name }}}}\n{CHANGED}"},
    }.values(),
    ids=lambda files: " ".join(files),
)  # fmt: skip
def test_a_users_code_counts_with_all_that_it_imports(files: dict[str, str], on_path: Folder) -> None:
    folder, (changed,) = on_path(files), (name for name, text in files.items() if CHANGED in text)
    target = {"g/a.py": "g.a.G", "g/a/b.py": "g.a.b.G"}.get(next(iter(files)), "g.G")
    before, loaded = code_digest([*REVIEWS, target]), {*sys.modules}
    edit(folder / changed, "1.0", "0.5")
    assert code_digest([*REVIEWS, target]) != before
    edit(folder / changed, "0.5", "1.0  # a comment")
    assert code_digest([*REVIEWS, target]) == before or "{{" in files[changed]
    assert {*sys.modules} == loaded


def test_a_file_beside_a_users_module_counts_for_nothing_unless_it_is_imported(on_path: Folder) -> None:
    on_path({"g.py": "import sys, numpy, torch.nn, absent\nfrom os import path\n", "h.py": "", "g_test.py": "import g"})
    assert run_code(["g.G", "torch.optim.SGD"]).keys() - run_code([]).keys() == {"g.py"}
    assert code_digest(["g.G"]) == code_digest(["g:G"]) == code_digest(["g.Outer.G"]) != code_digest(["absent.G"])
    folder = on_path(dict.fromkeys(("kk/__init__.py", "kk/.cache/a.py", "kk/venv/site-packages/b.py"), ""))
    (folder / "kk/.#__init__.py").symlink_to("nowhere")  # which Emacs makes while a file is edited
    assert run_code(["kk.G"]).keys() - run_code([]).keys() == {"kk/__init__.py"}


def test_an_installed_package_counts_where_it_is_named_and_not_where_it_is_imported(
    on_path: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = {"cells/__init__.py": "import other", "cells/gates.py": "", "other.py": ""}
    cells = {f"site-packages/{name}": text for name, text in installed.items()}
    monkeypatch.syspath_prepend(on_path({"g.py": "from cells import Cell", **cells}) / "site-packages")
    always = run_code([]).keys()
    assert run_code(["cells.Cell"]).keys() - always == {"cells/__init__.py", "cells/gates.py"}
    assert run_code(["g.G"]).keys() - always == {"g.py"}
    assert run_code(["g.G", "cells.gates.Gate"]).keys() - always == {"g.py", "cells/__init__.py", "cells/gates.py"}


def test_a_package_counts_that_only_the_finder_of_an_editable_install_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Finder:
        @staticmethod
        def find_spec(name: str, path: object = None, target: object = None) -> ModuleSpec | None:
            return spec_from_file_location(name, tmp_path / "src/__init__.py") if name == "edited_here" else None

    (tmp_path / "src").mkdir()
    for name in ("__init__.py", "gates.py"):
        (tmp_path / "src" / name).write_text("")
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder])
    assert {"edited_here/__init__.py", "edited_here/gates.py"} <= run_code(["edited_here.gates.G"]).keys()


def test_the_digest_of_a_tokenizer_is_of_its_package_alone(on_path: Folder) -> None:
    folder = on_path({"g/__init__.py": "from os import path", "g/rules.py": CHANGED})
    before, run = target_digest("g.words"), code_digest(["g.words"])
    edit(folder / "g/rules.py", "1.0", "0.5")
    assert target_digest("g.words") not in (before, run)
    assert code_digest(["g.words"]) != run
    assert target_digest("g.words") == target_digest("g:letters")
