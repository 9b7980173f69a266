"""A run reads its tokens from arrays that are made once, complete or not at all, whatever kills or damages."""

import os
import signal
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sentiment_rnn.config.sections import DataConfig
from sentiment_rnn.data import corpus as corpus_module
from sentiment_rnn.data.corpus import Corpus, load_corpus
from sentiment_rnn.data.review import SPLITS, Review
from sentiment_rnn.data.tokenizer import splitter
from sentiment_rnn.errors import UserError

Config = Callable[..., DataConfig]

SPLIT = splitter("basic_english")

# Forked, not started afresh: a second interpreter would spend its time importing torch.
FORK = get_context("fork")


class MadeUp:
    """Six reviews a split; `log` gets a line each time they are read."""

    def __init__(self, log: Path, place: str = "here", last: str = "the end") -> None:
        self.log = log
        self.place = place
        self.last = last

    def fingerprint(self) -> str:
        return self.place + self.last

    def read(self) -> dict[str, list[Review]]:
        with self.log.open("a") as log:
            log.write("read\n")
        return {
            split: [
                Review(f"{split} review {n}, {'good ' * n}{self.last}", n % 2, n + 1, f"tt{n}", f"{split}/{n}", n)
                for n in range(6)
            ]
            for split in SPLITS
        }

    @property
    def reads(self) -> int:
        """How often it was read, by any process."""
        return len(self.log.read_text().splitlines()) if self.log.exists() else 0


@pytest.fixture
def source(tmp_path: Path) -> MadeUp:
    return MadeUp(tmp_path / "reads.txt")


def folders(config: DataConfig) -> list[Path]:
    """The corpora in the cache."""
    return sorted(path for path in (Path(config.directory) / "tokens").iterdir() if (path / "about.json").exists())


def assert_holds(corpus: Corpus, source: MadeUp) -> None:
    """Every array of the corpus is what the source's reviews give."""
    reviews = source.read()
    words = corpus.tokenizer.vocabulary.itos
    known = set(words)
    for name, split in corpus.splits.items():
        bounds = zip(split.offsets[:-1], split.offsets[1:], strict=True)
        read = [[words[token] for token in split.tokens[start:end]] for start, end in bounds]
        assert read == [
            [token if token in known else "<unk>" for token in SPLIT(review.text)] for review in reviews[name]
        ]
        assert split.labels.tolist() == [review.label for review in reviews[name]]
        assert split.ratings.tolist() == [review.rating for review in reviews[name]]
        assert split.lags.tolist() == [review.lag for review in reviews[name]]
        assert split.names == [review.name for review in reviews[name]]


def test_the_arrays_have_the_documented_types_and_lie_on_disk(source: MadeUp, generated_config: Config) -> None:
    split = load_corpus(source, generated_config()).splits["train"]
    types = [array.dtype.name for array in (split.tokens, split.offsets, split.labels, split.ratings, split.lags)]
    assert types == ["int32", "int64", "int8", "int8", "int32"]
    assert isinstance(split.tokens.base, np.memmap)
    assert split.lengths.tolist() == [6 + n for n in range(6)]


def test_a_corpus_can_be_read_by_whoever_the_umask_lets(source: MadeUp, generated_config: Config) -> None:
    before = os.umask(0o027)
    try:
        load_corpus(source, generated_config())
    finally:
        os.umask(before)
    tokens = Path(generated_config().directory, "tokens")
    (folder,) = [path for path in tokens.iterdir() if path.is_dir()]
    assert folder.stat().st_mode & 0o777 == 0o750
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o640}


@pytest.mark.parametrize("change", [{}, {"max_tokens": 3}, {"keep": "head"}, {"batch_size": 1}, {"eval_batch_size": 1}])
def test_a_second_load_does_not_read_the_source_again_whatever_is_cut_and_batched(
    source: MadeUp, generated_config: Config, change: dict[str, Any]
) -> None:
    first = load_corpus(source, generated_config())
    second = load_corpus(source, generated_config(**change))
    assert source.reads == 1
    assert second.digest == first.digest
    assert_holds(second, source)


@pytest.mark.parametrize("change", [{"vocabulary_size": 5}, {"minimum_frequency": 3}])
def test_other_vocabulary_settings_make_another_corpus(
    source: MadeUp, generated_config: Config, change: dict[str, int]
) -> None:
    first = load_corpus(source, generated_config())
    second = load_corpus(source, generated_config(**change))
    assert len(folders(generated_config())) == 2
    assert len(second.tokenizer) < len(first.tokenizer)
    assert second.digest == first.digest


def test_other_texts_and_other_code_of_the_source_make_another_corpus(
    source: MadeUp, generated_config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, other = load_corpus(source, generated_config()), MadeUp(source.log, last="quite another end")
    second = load_corpus(other, generated_config())
    assert first.digest != second.digest
    assert_holds(second, other)
    monkeypatch.setattr(corpus_module, "target_digest", lambda _: "other code")
    load_corpus(source, generated_config())
    assert len(folders(generated_config())) == 3


def test_the_digest_tells_labels_and_splits_apart(generated_config: Config) -> None:
    def digest(train_label: int, swap: bool) -> str:
        reviews = {split: [Review(split, 0, 0, "tt0", split)] for split in SPLITS}
        reviews["train"] = [reviews["train"][0]._replace(label=train_label)]
        if swap:
            reviews["validation"], reviews["test"] = reviews["test"], reviews["validation"]
        source = SimpleNamespace(fingerprint=lambda: f"{train_label} {swap}", read=lambda: reviews)
        return load_corpus(source, generated_config()).digest

    assert len({digest(label, swap) for label in (0, 1) for swap in (False, True)}) == 4


# What is called on a path of which name.
KILLS: dict[str, tuple[object, str, str]] = {
    "midway": (np, "save", "validation.labels.npy"),
    "before the new name": (Path, "rename", ".making"),
}


@pytest.mark.parametrize("moment", KILLS)
def test_a_process_killed_while_writing_leaves_no_broken_corpus(
    source: MadeUp, generated_config: Config, moment: str
) -> None:
    config = generated_config()
    owner, function, file = KILLS[moment]
    original = getattr(owner, function)

    def kill_at_file(path: Path, *args: Any, **kwargs: Any) -> Any:
        if file in path.name:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(path, *args, **kwargs)

    process = FORK.Process(target=load_corpus, args=(source, config))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, function, kill_at_file)
        process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    making = Path(config.directory) / "tokens" / ".making"
    assert making.exists()
    assert_holds(load_corpus(source, config), source)
    assert not making.exists()
    assert len(folders(config)) == 1


def test_two_processes_that_start_together_read_once(source: MadeUp, generated_config: Config) -> None:
    barrier = FORK.Barrier(2)

    def load_together() -> None:
        barrier.wait(60)
        assert_holds(load_corpus(source, generated_config()), MadeUp(source.log.with_name("expected.txt")))

    processes = [FORK.Process(target=load_together) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    assert source.reads == 1


def test_a_corpus_that_is_there_is_read_where_no_lock_can_be_made(
    source: MadeUp, generated_config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_lock(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    load_corpus(source, generated_config())
    monkeypatch.setattr(corpus_module, "FileLock", no_lock)
    assert_holds(load_corpus(source, generated_config()), source)
    with pytest.raises(UserError, match=r"Permission denied.*data\.directory=.* writable"):
        load_corpus(source, generated_config(vocabulary_size=5))


@pytest.mark.parametrize("name", ["fingerprint", "read"])
def test_a_file_of_the_source_that_cannot_be_read_is_named(
    name: str, source: MadeUp, generated_config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, name, lambda: Path("nowhere.txt").read_text())
    with pytest.raises(UserError, match=r"^data=generated: .*No such file or directory: 'nowhere.txt'; its files must"):
        load_corpus(source, generated_config())


def test_a_source_that_changes_while_it_is_read_is_refused_and_not_kept_under_its_old_name(
    source: MadeUp, generated_config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, changes = source.read, iter(["another end"])

    def change_and_read() -> dict[str, list[Review]]:
        source.last = next(changes, source.last)
        return read()

    monkeypatch.setattr(source, "read", change_and_read)
    with pytest.raises(UserError, match="data=generated: its files changed while they were read; start again"):
        load_corpus(source, generated_config())
    assert not folders(generated_config())
    assert_holds(load_corpus(source, generated_config()), source)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"text": '" "'}, r"""train/0: no token in '" "'; .*; remove it"""),
        ({"label": 2}, "train: label 2, .*expected label 0 or 1"),
        ({"rating": 200}, "rating 200"),
        ({"rating": 7.5}, "a whole rating"),
        ({"name": "a\n"}, "a name of one line"),
    ],
)
def test_a_review_that_no_corpus_can_hold_is_refused_with_what_it_has(
    source: MadeUp, generated_config: Config, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], said: str
) -> None:
    read = source.read()
    first, *others = read["train"]
    monkeypatch.setattr(source, "read", lambda: read | {"train": [first._replace(**change), *others]})
    with pytest.raises(UserError, match=said):
        load_corpus(source, generated_config())
    assert not folders(generated_config())


@pytest.mark.parametrize("missing", ["validation", "test"])
def test_a_part_without_reviews_is_refused(
    source: MadeUp, generated_config: Config, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    read = source.read()
    for parts in (read | {missing: []}, {part: read[part] for part in SPLITS if part != missing}):
        monkeypatch.setattr(source, "read", lambda parts=parts: parts)
        with pytest.raises(UserError, match=f"{missing}: no reviews"):
            load_corpus(source, generated_config())


class Payload:
    """Unpickled, it fails the test."""

    def __reduce__(self) -> tuple[Callable[[str], Any], tuple[str]]:
        return pytest.fail, ("a pickle was loaded",)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("train.tokens.npy", lambda path: path.write_bytes(path.read_bytes()[:-5])),
        ("train.tokens.npy", lambda path: np.save(path, np.array([Payload()], dtype=object))),
        ("test.labels.npy", Path.unlink),
        ("vocabulary.txt", Path.unlink),
        ("about.json", lambda path: path.write_text('{"digest"')),
    ],
    ids=["cut", "pickled", "array", "vocabulary", "about"],
)
def test_a_damaged_corpus_is_made_again(
    name: str, damage: Callable[[Path], Any], source: MadeUp, generated_config: Config
) -> None:
    load_corpus(source, generated_config())
    (about,) = Path(generated_config().directory).glob("tokens/*/about.json")
    damage(about.with_name(name))
    for _ in range(2):
        corpus_module._open.cache_clear()  # another process has no cache
        again = load_corpus(source, generated_config())
        assert source.reads == 2
    assert_holds(again, source)


def test_half_a_character_in_a_text_of_ones_own_source_is_read_as_in_prediction(
    source: MadeUp, generated_config: Config
) -> None:
    corpus = load_corpus(MadeUp(source.log, last="odd \ud800"), generated_config())
    end = corpus.splits["train"].offsets[1]
    assert corpus.tokenizer.decode(corpus.splits["train"].tokens[end - 2 : end]) == ["odd", "\ufffd"]
