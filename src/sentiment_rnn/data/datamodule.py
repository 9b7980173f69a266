"""The LightningDataModule: a source of reviews in, three loaders out."""

import functools
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import lightning.pytorch as pl
from torch.utils.data import DataLoader, Dataset

from sentiment_rnn.config.loading import source_of
from sentiment_rnn.config.sections import DataConfig
from sentiment_rnn.data.batching import LengthBuckets, Reviews
from sentiment_rnn.data.corpus import Corpus, load_corpus
from sentiment_rnn.data.review import TextSource
from sentiment_rnn.data.tokenizer import Tokenizer


class TaskData(pl.LightningDataModule):
    """Batches to train, validate and test on."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks for the person who starts runs on these data. Asking for them prepares the data."""
        return ()


class ResumableLoader(DataLoader[Any]):
    """A loader that can resume within an epoch: it makes the earlier batches again and skips them.

    It has no worker processes: a batch is a few slices of a memory-mapped array, and passing it between processes would
    cost more.

    Args:
        batches: returns whole batches, the same ones each time an epoch is read.
        epoch: returns the number of the epoch.
        options: passed to the loader.
    """

    def __init__(self, batches: Dataset[Any], epoch: Callable[[], int], **options: Any) -> None:
        super().__init__(batches, batch_size=None, **options)
        self.epoch = epoch
        self.place = self.resumed = {"epoch": 0, "given": 0}

    def __iter__(self) -> Any:
        return self._rest(super().__iter__())

    def _rest(self, batches: Iterator[Any]) -> Iterator[Any]:
        epoch = self.epoch()
        skipped = self.resumed["given"] if self.resumed["epoch"] == epoch else 0
        self.resumed = {"epoch": epoch, "given": 0}
        for number, batch in enumerate(batches, 1):
            if number > skipped:
                self.place = {"epoch": epoch, "given": number}
                yield batch

    def state_dict(self) -> dict[str, int]:
        """The epoch, and how many of its batches were returned."""
        return self.place

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Resume after these batches."""
        self.resumed = state


class ReviewData(TaskData):
    """Reviews of the configured source, tokenized, cached and batched by length.

    Args:
        config: what to read and how to batch it.
        seed: seed of the order of training batches.
        tokenizer: tokenizer of another model; None builds a vocabulary from the training part.
    """

    def __init__(self, config: DataConfig, seed: int = 0, tokenizer: Tokenizer | None = None) -> None:
        super().__init__()
        self.config = config
        self.seed = seed
        self.tokenizer = tokenizer

    @functools.cached_property
    def corpus(self) -> Corpus:
        """The reviews; downloaded, checked and tokenized if the cache does not have them.

        Raises:
            UserError: the source is missing, damaged or invalid.
        """
        return load_corpus(source_of(self.config), self.config, self.tokenizer)

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks on the reviews, such as how many were held out, or that the deciding clause is cut off."""
        config, lag = self.config, max(int(split.lags.max()) for split in self.corpus.splits.values())
        if lag < config.max_tokens or config.keep != "tail":
            return self.corpus.notes
        given = f"data.max_tokens={config.max_tokens}"
        note = f"{given}: no encoder can see the deciding clause at a lag of {lag}; give data.max_tokens={lag + 20}"
        return (*self.corpus.notes, note)

    def reviews(self, split: str) -> Reviews:
        """A split's reviews, cut to `max_tokens`, and shuffled if `shuffle_span` asks for it."""
        config = self.config
        return Reviews(self.corpus.splits[split], config.max_tokens, config.keep, config.shuffle_span)

    def train_dataloader(self) -> ResumableLoader:
        """Training batches, in another order every epoch."""
        return self._loader("train", self.config.batch_size, shuffle=True)

    def val_dataloader(self) -> ResumableLoader:
        """Validation batches, longest first."""
        return self._loader("validation", self.config.eval_batch_size, shuffle=False)

    def test_dataloader(self) -> ResumableLoader:
        """Test batches, longest first."""
        return self._loader("test", self.config.eval_batch_size, shuffle=False)

    def _loader(self, split: str, batch_size: int, shuffle: bool) -> ResumableLoader:
        reviews = self.reviews(split)
        trainer = self.trainer
        buckets = LengthBuckets(
            reviews.lengths,
            batch_size,
            shuffle=shuffle,
            seed=self.seed,
            rank=trainer.global_rank if trainer else 0,
            world_size=trainer.world_size if trainer else 1,
        )
        # The sampler's item, a list of indices, is the dataset's key.
        on_gpu = trainer is not None and trainer.strategy.root_device.type == "cuda"
        return ResumableLoader(reviews, lambda: buckets.epoch, sampler=buckets, pin_memory=on_gpu)


class TextData(ReviewData):
    """Data of a language model: the training part, with unlabelled texts if the source has any, and the validation
    part. There is no test part.

    The vocabulary comes from the labelled training part, as for a classifier. So a classifier that starts from a
    language model has the same words as one that does not, and they differ only in their weights.
    """

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks on the source alone: a language model predicts every word, so no clause can be cut off."""
        return self.corpus.notes

    @functools.cached_property
    def corpus(self) -> Corpus:
        """The texts; raises what `ReviewData.corpus` raises."""
        source = source_of(self.config)
        labelled = load_corpus(source, self.config, self.tokenizer)
        train, validation = (labelled.splits[part] for part in ("train", "validation"))
        if not isinstance(source, TextSource):
            return replace(labelled, splits={"train": train, "validation": validation})
        others = load_corpus(source, self.config, labelled.tokenizer, unlabelled=True)
        return Corpus(
            hashlib.sha256(f"{labelled.digest} {others.digest}".encode()).hexdigest(),
            labelled.tokenizer,
            {"train": train.joined(others.splits["unlabelled"]), "validation": validation},
            labelled.notes + others.notes,
        )
