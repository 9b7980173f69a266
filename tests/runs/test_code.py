"""The digest of the code: it changes where a result could, and not where only words or layout do."""

import importlib
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sentiment_rnn.config.run import RunConfig
from sentiment_rnn.config.store import run_config
from sentiment_rnn.runs import code

Edit = Callable[[str, str, str], str]


def composed(*overrides: str) -> RunConfig:
    """The checked configuration of a run."""
    return run_config(*overrides)


@pytest.fixture
def edited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Edit]:
    """Replace text in a file of a copy of this package; the digest of the copy."""
    copy = tmp_path / "sentiment_rnn"
    shutil.copytree(code.PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(code, "PACKAGE", copy)
    config = composed()

    def edit(name: str, old: str, new: str) -> str:
        text = (copy / name).read_text()
        assert old in text
        (copy / name).write_text(text.replace(old, new, 1))
        code._package_digest.cache_clear()
        return code.code_digest(config.targets)

    yield edit
    code._package_digest.cache_clear()


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("model/encoders.py", '"""No recurrence: ', '"""Nothing recurs: '),
        ("model/encoders.py", "        super().__init__()\n", "        super().__init__()  # a comment\n\n"),
        ("model/pooling.py", "\nimport torch\n", "\n# Another comment\nimport torch\n"),
        ("runs/engine.py", "callbacks=callbacks,", "callbacks=(\n            callbacks\n        ),"),
        ("report/tables.py", "import", "import os\nimport"),
        ("cli/train.py", "import sys", "import os\nimport sys"),
        ("config/trainer.py", "at_least", "at_most"),
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
        ("model/encoders.py", "forget_bias: float = 1.0", "forget_bias: float = 2.0"),
        ("model/recurrence.cpp", "#include", "#define ANOTHER\n#include"),
        ("data/batching.py", "import numpy as np\n", "import numpy as np\nHALF = 0.5\n"),
        ("data/sources/generated.py", "it was a monday", "it was a tuesday"),
        ("runs/engine.py", "num_sanity_val_steps=0", "num_sanity_val_steps=1"),
        ("runtime.py", "set_flush_denormal(True)", "set_flush_denormal(False)"),
    ],
)
def test_a_changed_statement_is_another_code(name: str, old: str, new: str, edited: Edit) -> None:
    before = edited(name, old, old)
    assert edited(name, old, new) != before
    assert edited(name, new, old) == before


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
        return code.code_digest(composed("encoder._target_=own_encoder.Mine").targets)

    first = digest(OWN)
    assert first != code.code_digest(composed().targets)
    assert digest(OWN.replace("Mine.", "My own.")) == first
    assert digest(OWN.replace("return embedded", "return 2 * embedded")) != first


def test_a_class_in_a_class_or_in_a_module_that_is_gone_counts_with_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_nested.py").write_text("class Outer:\n    class Inner:\n        pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    plain = code.code_digest([])
    nested = code.code_digest(["own_nested.Outer.Inner"])
    assert nested == code.code_digest(["own_nested.Outer"]) != plain
    assert code.code_digest(["nowhere.at.all.Thing"]) == plain


def test_a_tokenizer_of_ones_own_counts_and_libraries_do_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marked = "from sentiment_rnn.data.tokenizer import tokenizer\n\n\n@tokenizer\n"
    (tmp_path / "own_tokenizer.py").write_text(marked + "def words(text):\n    return text.split()\n")
    monkeypatch.syspath_prepend(tmp_path)
    plain = code.code_digest(composed().targets)
    assert code.code_digest(composed("data.tokenizer=own_tokenizer.words").targets) != plain
    assert code.code_digest(composed("optimizer._target_=torch.optim.AdamW").targets) == plain
    assert code.code_digest(composed("encoder=rnn", "task=adding").targets) == plain
