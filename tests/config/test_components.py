"""Whoever brings an encoder or a source of reviews gets, from a class in a module, keys that are its arguments."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from omegaconf.errors import OmegaConfBaseException
from torch import nn

from processes import Ask
from sentiment_rnn.config.loading import recorded
from sentiment_rnn.config.messages import describe
from sentiment_rnn.config.run import ReviewConfig
from sentiment_rnn.config.store import run_config
from sentiment_rnn.errors import UserError
from sentiment_rnn.model.sequence_model import SequenceModel
from sentiment_rnn.tasks.reviews import build_model

MODULE = """
from torch import nn

from sentiment_rnn.data.review import Review


class Convolution(nn.Module):
    def __init__(self, input_size: int, *, width: int, hidden_size: int = 8, activation: str | None = None) -> None:
        super().__init__()
        if width % 2 == 0:
            raise ValueError(f"encoder.width={width}: expected an odd number")
        self.output_size = hidden_size
        self.net = nn.Conv1d(input_size, hidden_size, width, padding=width // 2)

    def forward(self, embedded, lengths):
        return self.net(embedded.transpose(1, 2)).transpose(1, 2)


class Counted:
    def __init__(self, count: int, word: str = "good") -> None:
        if count < 2:
            raise ValueError(f"data.count={count}: expected at least 2")
        self.count, self.word = count, word

    def fingerprint(self) -> str:
        return f"{self.count} {self.word}"

    def read(self):
        def reviews(part):
            return [
                Review(f"{self.word if n % 2 else 'bad'} number {n}", n % 2, 0, f"{part}{n}", f"{part}{n}")
                for n in range(self.count)
            ]

        return {part: reviews(part) for part in ("train", "validation", "test")}
"""
ENCODER = "_target_: mine.Convolution\nname: convolution\nwidth: 3\n"
SOURCE = """
_target_: mine.Counted
name: counted
directory: data
count: 12
batch_size: 4
eval_batch_size: 4
max_tokens: 20
keep: tail
tokenizer: basic_english
vocabulary_size: 100
minimum_frequency: 1
"""


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with the module and its two YAML files, the current one."""
    (tmp_path / "mine.py").write_text(MODULE)
    for group, name, text in (("encoder", "convolution", ENCODER), ("data", "counted", SOURCE)):
        (tmp_path / "conf" / group).mkdir(parents=True)
        (tmp_path / "conf" / group / f"{name}.yaml").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.modules.pop("mine", None)  # else it is that of another test


def of(folder: Path, *overrides: str) -> ReviewConfig:
    """The checked configuration of a run with the encoder and the source of `folder`."""
    search = f"hydra.searchpath=[file://{folder}/conf]"
    return run_config(search, "encoder=convolution", "data=counted", "embedding.size=4", *overrides)


def test_the_arguments_of_a_class_are_keys_with_its_defaults(mine: Path) -> None:
    config = of(mine, "encoder.width=5")
    assert (config.encoder.width, config.encoder.hidden_size, config.encoder.layers) == (5, None, None)
    assert (config.data.count, config.data.word) == (12, "good")
    assert config.encoder.settings == {"_target_": "mine.Convolution", "name": "convolution", "width": 5}
    assert of(mine, "encoder.hidden_size=3", "encoder.layers=2").encoder.settings["hidden_size"] == 3
    assert "layers" not in of(mine, "encoder.layers=2").settings()["encoder"]


OF_A_BASE = """
from typing import Any

from sentiment_rnn.model.encoders.gru import Gru


class Doubled(Gru):
    def __init__(self, input_size: int, *, factor: float = 2.0, **shared: Any) -> None:
        super().__init__(input_size, **shared)
        self.factor = factor
"""


def test_arguments_that_a_class_hands_on_are_keys_of_their_own_types(mine: Path) -> None:
    (mine / "mine.py").write_text(OF_A_BASE)
    (mine / "conf/encoder/convolution.yaml").write_text("_target_: mine.Doubled\nname: doubled\nhidden_size: 6\n")
    config = run_config(f"hydra.searchpath=[file://{mine}/conf]", "encoder=convolution", "encoder.layers=2")
    assert (config.encoder.factor, config.encoder.hidden_size, config.encoder.layers) == (2.0, 6, 2)
    assert config.encoder.forget_bias is None
    encoder = build_model(config, 5).backbone.encoder
    assert (encoder.factor, len(encoder.forwards), encoder.output_size) == (2.0, 2, 6)
    with pytest.raises(UserError, match=r"encoder\.fcator: no such key; did you mean factor\?"):
        run_config(f"hydra.searchpath=[file://{mine}/conf]", "encoder=convolution", "+encoder.fcator=3")


@pytest.mark.parametrize(
    ("returned", "found"),
    [("(states, None)", "a tuple"), ("states[:, -1]", "[4, 8]"), ("states[:, :, :3]", "[4, 3, 3]")],
)
@pytest.mark.parametrize("head", ["reviews", "sequences"])
def test_an_encoder_that_returns_no_states_is_one_line_with_the_shapes(
    mine: Path, head: str, returned: str, found: str
) -> None:
    (mine / "mine.py").write_text(MODULE.replace("return self.net(", "states = self.net(", 1).replace(
        "\n\n\nclass Counted", f"\n        return {returned}\n\n\nclass Counted"
    ))  # fmt: skip
    model: nn.Module = build_model(of(mine), 10)
    inputs = torch.ones(4, 3, dtype=torch.int64)
    if head == "sequences":
        model, inputs = SequenceModel(2, 0, encoder=of(mine).encoder.settings, optimizer={}), torch.ones(4, 3, 2)
    with pytest.raises(UserError) as refused:
        model(inputs, torch.full((4,), 3))
    assert str(refused.value) == (
        f"Convolution: its forward returned {found}; expected one tensor [4, 3, 8], a state for each token, "
        "[B, T, output_size]"
    )


def test_what_was_recorded_reads_back_without_the_module(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = of(mine, "encoder.width=5")
    monkeypatch.delitem(sys.modules, "mine")
    (mine / "mine.py").unlink()
    again = recorded(config.settings())
    assert again.encoder.settings == config.encoder.settings
    assert again.data.count == 12
    assert again.identity("", "") == config.identity("", "")


@pytest.mark.parametrize(
    ("hint", "given"), [("Path", "b/c"), ("Path | None", "b/c"), ("list[int]", [1, 2])], ids=["path", "or none", "list"]
)
def test_a_path_or_a_list_among_the_arguments_reads_back_as_it_was_given(mine: Path, hint: str, given: object) -> None:
    imported = MODULE.replace("from torch", "from pathlib import Path\n\nfrom torch", 1)
    (mine / "mine.py").write_text(imported.replace("count: int, word", f"count: int, file: {hint}, word"))
    config = of(mine, f"+data.file={given}".replace(" ", ""))
    assert config.data.file == recorded(config.settings()).data.file == given
    assert recorded(config.settings()).identity("", "") == config.identity("", "")
    assert config.identity("", "") != of(mine, "+data.file=[3]" if given == [1, 2] else "+data.file=b").identity("", "")


def test_a_reference_in_what_was_recorded_is_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET", "hidden")
    settings = run_config("tracking.directory=there").settings()
    settings["study"] = "${oc.env:A_SECRET}"
    assert recorded(settings).study == "${oc.env:A_SECRET}"


@pytest.mark.parametrize("section", ["tracking", "optimizer"])
def test_a_recorded_key_that_an_earlier_version_had_is_passed_over(section: str) -> None:
    settings = run_config("tracking.directory=there").settings()
    settings[section]["gone"] = 0.0
    assert recorded(settings).tracking.directory == "there"


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["encoder.width=wide"], "encoder.width=wide: expected a whole number"),
        (["+encoder.widht=5"], "encoder.widht: no such key; did you mean width?"),
        (["encoder.width=???"], "encoder.width: not given; give encoder.width=…"),
        (["~encoder.width"], "encoder.width: not given; give +encoder.width=…"),
        (["data.count=many"], "data.count=many: expected a whole number"),
        (["data.count=1"], "data.count=1: expected at least 2"),
        (["encoder.width=4"], "convolution: encoder.width=4: expected an odd number"),
        (["encoder._target_=mine.Nothing"], "encoder._target_=mine.Nothing: cannot be imported"),
    ],
)
def test_a_wrong_key_of_ones_own_is_one_line_that_names_it(mine: Path, overrides: list[str], said: str) -> None:
    with pytest.raises((UserError, OmegaConfBaseException)) as refused:
        build_model(of(mine, *overrides), 10)
    assert said in describe(refused.value)
    assert "\n" not in describe(refused.value)


def test_an_encoder_and_a_source_of_ones_own_are_trained_by_the_command(mine: Path, ask: Ask) -> None:
    (mine / "conf" / "experiment").mkdir()
    rates = "# @package _global_\noptimizer:\n  learning_rates: {an_encoder_of_another_folder: 0.1}\n"
    (mine / "conf" / "experiment" / "shared.yaml").write_text(rates)
    arguments = (
        "--config-dir", "conf", "encoder=convolution", "data=counted", "embedding.size=4", "trainer.epochs=1",
        "trainer.threads=1", "tracking.system_metrics=false", "experiment=shared",
        "+optimizer.learning_rates.convolution=0.01", "+optimizer.draws.convolution=3",
    )  # fmt: skip
    assert "convolution, pooling last, seed 0: validation" in ask("train", mine, *arguments).stdout
