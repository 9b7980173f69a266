"""Lightning gets loaders of three parts; a run that resumes within an epoch sees the batches that are left."""

import re
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf

from sentiment_rnn.config.loading import checked_data
from sentiment_rnn.config.sections import DataConfig
from sentiment_rnn.data.datamodule import ResumableLoader, ReviewData, TextData
from sentiment_rnn.data.review import SPLITS, Review
from sentiment_rnn.errors import UserError

Config = Callable[..., DataConfig]


@pytest.fixture
def data(generated_config: Config) -> ReviewData:
    """128 training reviews in 8 batches; `ReviewData(data.config, seed)` is another one on the same cache."""
    return ReviewData(generated_config(), seed=7)


def test_all_three_loaders_work_without_a_trainer(data: ReviewData) -> None:
    seen = {
        "train": list(data.train_dataloader()),
        "validation": list(data.val_dataloader()),
        "test": list(data.test_dataloader()),
    }
    for name, size, batch_size in (
        ("train", 128, 16),
        ("validation", 32, 32),
        ("test", 64, 32),
    ):
        indices = [index for batch in seen[name] for index in batch.indices.tolist()]
        assert sorted(indices) == list(range(size)), name
        assert {len(batch.labels) for batch in seen[name]} == {batch_size}, name


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_memory_is_pinned_for_a_run_on_a_gpu_alone(
    data: ReviewData, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    strategy = SimpleNamespace(root_device=torch.device(device))
    monkeypatch.setattr(data, "trainer", SimpleNamespace(strategy=strategy, global_rank=0, world_size=1))
    assert data.val_dataloader().pin_memory == (device == "cuda")


def test_a_lag_that_no_encoder_can_see_is_said(generated_config: Config) -> None:
    (note,) = ReviewData(generated_config(test_lags=[2, 60], max_tokens=50)).notes
    assert note == (
        "data.max_tokens=50: no encoder can see the deciding clause at a lag of 60; give data.max_tokens=80"
    )
    for enough in ({"max_tokens": 70}, {"max_tokens": 50, "keep": "head"}):
        assert ReviewData(generated_config(test_lags=[2, 60], **enough)).notes == ()
    assert TextData(generated_config(test_lags=[2, 60], max_tokens=5)).notes == ()


def test_every_split_is_shuffled_where_that_is_asked_for(generated_config: Config) -> None:
    kept, mixed = ReviewData(generated_config()), ReviewData(generated_config(shuffle_span=100))
    for loader in ("train_dataloader", "val_dataloader", "test_dataloader"):
        for batch, other in zip(getattr(kept, loader)(), getattr(mixed, loader)(), strict=True):
            assert torch.equal(batch.indices, other.indices)
            assert torch.equal(batch.tokens.sort().values, other.tokens.sort().values)
            assert not torch.equal(batch.tokens, other.tokens)


class TwoWords:
    """A source that this project does not know: reviews of one word or the other."""

    def __init__(self, reviews: int, words: str = "good,bad") -> None:
        if reviews % 2:
            raise ValueError(f"reviews={reviews}: expected an even number")
        self.reviews, self.words = reviews, words.split(",")

    def fingerprint(self) -> str:
        """Fingerprint of all its arguments."""
        return f"{self.reviews} {self.words}"

    def read(self) -> dict[str, list[Review]]:
        """As many reviews in each split."""
        return {
            split: [Review(self.words[n % 2], n % 2, 0, f"{split}/{n}", f"{split}/{n}") for n in range(self.reviews)]
            for split in SPLITS
        }


def two_words(tmp_path: Path, **changes: Any) -> DataConfig:
    """The configuration of `TwoWords`, as a YAML file would have it."""
    settings: dict[str, Any] = {
        "_target_": f"{__name__}.TwoWords", "name": "two_words", "directory": str(tmp_path), "batch_size": 3,
        "eval_batch_size": 3, "max_tokens": 5, "keep": "tail", "vocabulary_size": 9, "minimum_frequency": 1,
        "reviews": 6,
    }  # fmt: skip
    return checked_data(OmegaConf.create(settings | changes))


def test_a_new_source_is_one_class_and_its_arguments_are_keys(tmp_path: Path) -> None:
    data = ReviewData(two_words(tmp_path, words="fine,poor"))
    assert data.corpus.tokenizer.vocabulary.itos == ["<pad>", "<unk>", "fine", "poor"]
    assert sum(len(batch.labels) for batch in data.train_dataloader()) == 6


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"reviews": 5}, "data=two_words: reviews=5: expected an even number"),
        ({"reviews": "many"}, "data.reviews=many: "),
        ({"word": "fine,poor"}, "data.word: no such key; did you mean words?"),
        ({"_target_": "nowhere.Source"}, "data._target_=nowhere.Source: cannot be imported"),
    ],
)
def test_what_a_source_does_not_take_is_refused_in_one_line(
    tmp_path: Path, changes: dict[str, object], said: str
) -> None:
    with pytest.raises(UserError, match=re.escape(said)) as refused:
        two_words(tmp_path, **changes)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("epoch", [0, 2])
@pytest.mark.parametrize("given_out", [0, 3, 8])
def test_a_loader_goes_on_after_the_batches_that_were_given_out(data: ReviewData, epoch: int, given_out: int) -> None:
    def order(loader: ResumableLoader, batches: int = 8) -> list[list[int]]:
        return [batch.indices.tolist() for batch in islice(loader, batches)]

    whole, begun, resumed = (data.train_dataloader() for _ in range(3))
    for loader in (whole, begun, resumed):
        loader.sampler.set_epoch(epoch)  # as Lightning does
    expected = order(whole)
    assert order(begun, given_out) == expected[:given_out]
    resumed.load_state_dict(begun.state_dict())
    assert order(resumed) == expected[given_out:]
    assert order(resumed) == expected, "the next time there is nothing to skip"
