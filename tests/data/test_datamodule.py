"""Lightning gets loaders of three parts; a run that resumes within an epoch sees the batches that are left."""

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from omegaconf import OmegaConf

from sentiment_rnn.config.loading import checked_data
from sentiment_rnn.config.sections import DataConfig
from sentiment_rnn.data.batching import Batch
from sentiment_rnn.data.datamodule import ReviewData, TextData
from sentiment_rnn.data.review import SPLITS, Review
from sentiment_rnn.errors import UserError

Config = Callable[..., DataConfig]


class Recorder(pl.LightningModule):
    """One weight, and the indices of every training batch it got."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.seen: list[list[int]] = []

    def training_step(self, batch: Batch, batch_idx: int) -> torch.Tensor:
        self.seen.append(batch.indices.tolist())
        return (self.weight - batch.labels.mean()) ** 2

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.log("val/accuracy", self.weight, batch_size=len(batch.labels))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


class StoppedError(Exception):
    """Training was stopped on purpose."""


class StopAfter(pl.Callback):
    """Saves a checkpoint after `batches` batches and ends training as a crash would."""

    def __init__(self, batches: int, path: Path) -> None:
        self.batches = batches
        self.path = path

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.global_step == self.batches:
            trainer.save_checkpoint(self.path)
            raise StoppedError


def build_trainer(callbacks: list[pl.Callback] | None = None, epochs: int = 2) -> pl.Trainer:
    return pl.Trainer(
        accelerator="cpu", max_epochs=epochs, logger=False, callbacks=callbacks, num_sanity_val_steps=0,
        enable_checkpointing=any(isinstance(callback, ModelCheckpoint) for callback in callbacks or []),
        use_distributed_sampler=False, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip


def train(
    data: ReviewData,
    callbacks: list[pl.Callback] | None = None,
    checkpoint: Path | None = None,
    epochs: int = 2,
) -> Recorder:
    """The module after training, be it stopped."""
    module = Recorder()
    try:
        build_trainer(callbacks, epochs).fit(module, data, ckpt_path=checkpoint)
    except StoppedError:
        assert callbacks
    return module


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
    monkeypatch.setattr(data, "trainer", SimpleNamespace(strategy=strategy))
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


def test_overfitting_gives_the_batches_of_the_first_epoch_in_every_one_and_in_validation(data: ReviewData) -> None:
    first = train(ReviewData(data.config, seed=7), epochs=1).seen
    data.overfits = True
    assert train(data).seen == 2 * first
    assert [batch.indices.tolist() for batch in data.val_dataloader()] == first


@pytest.mark.parametrize("batches", [1, 3, 7, 8, 9, 12, 15])
def test_training_resumed_within_an_epoch_sees_exactly_the_remaining_batches(
    data: ReviewData, tmp_path: Path, batches: int
) -> None:
    whole = train(ReviewData(data.config, seed=7)).seen
    path = tmp_path / "stopped.ckpt"
    before = train(data, [StopAfter(batches, path)])
    after = train(ReviewData(data.config, seed=7), checkpoint=path)
    assert len(before.seen) == batches
    assert before.seen + after.seen == whole


def test_training_resumed_after_an_epoch_goes_on_with_the_next(data: ReviewData, tmp_path: Path) -> None:
    # As train.py saves: after validation, at the end of an epoch.
    whole = train(ReviewData(data.config, seed=7), epochs=3)
    saving = ModelCheckpoint(dirpath=tmp_path, monitor="val/accuracy", mode="max", save_last=True)
    before = train(data, [saving], epochs=1)
    after = train(ReviewData(data.config, seed=7), checkpoint=tmp_path / "last.ckpt", epochs=3)
    assert len(before.seen) == 8
    assert before.seen + after.seen == whole.seen
    assert after.weight.item() == whole.weight.item()


def test_resumed_training_keeps_the_order_of_the_checkpoint_whatever_the_seed(data: ReviewData, tmp_path: Path) -> None:
    whole = train(ReviewData(data.config, seed=7)).seen
    path = tmp_path / "stopped.ckpt"
    before = train(data, [StopAfter(5, path)]).seen
    after = train(ReviewData(data.config, seed=999), checkpoint=path).seen
    assert before + after == whole
