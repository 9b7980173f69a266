"""A run on IMDb reads the published reviews, each with its film, or says in one line what is wrong with the archive."""

import gzip
import hashlib
import re
import shutil
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from proxies import reply, serving
from sentiment_rnn.config.components import part_arguments
from sentiment_rnn.config.loading import source_of
from sentiment_rnn.config.sections import DataConfig
from sentiment_rnn.data.corpus import Corpus, load_corpus
from sentiment_rnn.data.review import SPLITS, Review
from sentiment_rnn.data.sources import imdb
from sentiment_rnn.data.sources.imdb import Imdb
from sentiment_rnn.errors import UserError

Config = Callable[..., DataConfig]


@dataclass(repr=False)
class Real:
    """The real corpus, without a repr: no failing test may print its texts."""

    reviews: dict[str, list[Review]]
    corpus: Corpus


@pytest.fixture(scope="session")
def real(real_imdb_config: DataConfig) -> Real:
    """The real reviews and their tokens."""
    kept: dict[str, list[Review]] = {}

    class Remembering(Imdb):
        """Keeps what it read, so that the archive is read once for all tests."""

        def read(self) -> dict[str, list[Review]]:
            kept.update(super().read())
            return kept

    source = Remembering(**part_arguments(real_imdb_config, Imdb))
    corpus = load_corpus(source, real_imdb_config)
    return Real(kept or source.read(), corpus)


def pack(folder: Path, archive: Path, mode: str = "w:gz") -> Path:
    """An archive of an `aclImdb` folder."""
    with tarfile.open(archive, mode) as tar:
        tar.add(folder, "aclImdb")
    return archive


def refusal(config: DataConfig) -> str:
    """The message with which the corpus is refused; nothing but the lock may stay in the data folder."""
    with pytest.raises(UserError) as refused:
        load_corpus(source_of(config), config)
    directory = Path(config.directory)
    left = {path.relative_to(directory).as_posix() for path in directory.rglob("*")}
    assert left <= {"tokens", "tokens/.lock"}
    message = str(refused.value)
    assert "\n" not in message
    return message


# What is read


def test_a_folder_and_its_archive_give_the_same_reviews_in_order(
    imdb_folder: Path, imdb_config: Config, tmp_path: Path
) -> None:
    archive = pack(imdb_folder, tmp_path / "small.tar.gz")
    found, packed = (source_of(imdb_config(archive=str(path), verify=False)).read() for path in (imdb_folder, archive))
    assert found == packed
    assert [len(found[split]) for split in SPLITS] == [72, 8, 80]
    expected = [f"test/{label}/{number}" for label in ("neg", "pos") for number in range(40)]
    assert [review.name.rpartition("_")[0] for review in found["test"]] == expected
    assert found["test"][40 + 13] == Review(
        text="Review 13 of the test part: it was wonderful, <br /><br />film 3 was long.",
        label=1, rating=9, group="tt1000003", name="test/pos/13_9",
    )  # fmt: skip


def test_a_changed_review_is_another_corpus_behind_a_linked_folder_too(
    imdb_folder: Path, imdb_config: Config, tmp_path: Path
) -> None:
    (tmp_path / "linked").mkdir()
    for split in ("train", "test"):
        (tmp_path / "linked" / split).symlink_to(imdb_folder / split)
    config = imdb_config(archive=str(tmp_path / "linked"), verify=False)
    before = load_corpus(source_of(config), config)
    (imdb_folder / "test" / "pos" / "7_9.txt").write_text("Another text altogether.")
    after = load_corpus(source_of(config), config)
    assert after.digest != before.digest
    assert after.splits["test"].lengths[47] == 4


def test_the_vocabulary_comes_from_the_training_part_alone(imdb_folder: Path, imdb_config: Config) -> None:
    for split in ("train", "test"):
        for review in (imdb_folder / split).glob("*/*_*.txt"):
            film = int(review.stem.split("_")[0]) // 4
            review.write_text(f"{split}{film} {split}{film}", encoding="utf-8")
    config = imdb_config(archive=str(imdb_folder), verify=False)
    trained_on = {review.text.split()[0] for review in source_of(config).read()["train"]}
    assert len(trained_on) == 9
    vocabulary = load_corpus(source_of(config), config).tokenizer.vocabulary
    assert set(vocabulary.itos) == {"<pad>", "<unk>", *trained_on}


@pytest.mark.imdb
def test_no_real_film_and_no_real_text_is_both_trained_on_and_validated_on(real: Real) -> None:
    for part in ("group", "text"):
        train, validation = ({getattr(r, part) for r in real.reviews[split]} for split in ("train", "validation"))
        shared = len(train & validation)
        assert shared == 0, part
    films = [review.group for split in SPLITS for review in real.reviews[split]]
    assert all(re.fullmatch(r"tt\d+", film) for film in films)


@pytest.mark.imdb
def test_real_train_and_test_share_one_film_and_123_texts(real: Real) -> None:
    # As published: of tt0406816, two reviews are in train and 23 in test. It is the only such film.
    before, test = real.reviews["train"] + real.reviews["validation"], real.reviews["test"]
    films = {review.group for review in before} & {review.group for review in test}
    texts = len({review.text for review in before} & {review.text for review in test})
    assert films == {"tt0406816"}
    assert [sum(review.group in films for review in part) for part in (before, test)] == [2, 23]
    assert texts == 123


@pytest.mark.imdb
def test_the_real_reviews_have_the_known_number_of_tokens(real: Real) -> None:
    splits = real.corpus.splits
    training = np.concatenate([splits["train"].lengths, splits["validation"].lengths])
    assert round(training.sum() / 1e6, 2) == 6.77
    assert round(splits["test"].lengths.sum() / 1e6, 2) == 6.62
    every = np.concatenate([training, splits["test"].lengths])
    assert np.percentile(training, 50) == pytest.approx(202, abs=1)
    assert every.max() == 2752


# What is refused


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (shutil.rmtree, "aclImdb: no such file or folder"),
    "without train": (lambda folder: shutil.rmtree(folder / "train"), "aclImdb: no reviews in train/neg/; expected"),
    "without test": (lambda folder: shutil.rmtree(folder / "test"), "aclImdb: no reviews in test/neg/; expected"),
    "in Latin-1": (
        lambda folder: (folder / "train/pos/5_9.txt").write_bytes(b"An expos\xe9"),
        "train/pos/5_9.txt: expected UTF-8 text.* position 8",
    ),
    "without a film": (
        lambda folder: (folder / "test/urls_neg.txt").write_text("http://www.imdb.com/title/tt1/usercomments\n" * 30),
        "test/neg/30_2.txt: expected .* its film in line 31",
    ),
}
"""What is done to a folder of reviews, and what the message has."""


@pytest.mark.parametrize(("damage", "said"), DAMAGES.values(), ids=DAMAGES)
def test_a_folder_that_lacks_something_is_refused(
    imdb_folder: Path, imdb_config: Config, damage: Callable[[Path], object], said: str
) -> None:
    damage(imdb_folder)
    assert re.search(said, refusal(imdb_config(archive=str(imdb_folder), verify=False)))


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04 no tar at all", b"\0" * 700, gzip.compress(b"no tar"), b"\x1f\x8b broken", None],
    ids=["empty", "zip", "zeros", "gzip of something else", "broken gzip", "cut"],
)  # fmt: skip
def test_a_file_that_is_no_whole_archive_is_refused(
    imdb_folder: Path, imdb_config: Config, tmp_path: Path, content: bytes | None
) -> None:
    archive = pack(imdb_folder, tmp_path / "some.tar.gz")
    archive.write_bytes(archive.read_bytes()[:1000] if content is None else content)
    message = refusal(imdb_config(archive=str(archive), verify=False))
    assert str(archive) in message
    assert re.search(r"not a whole archive.*data\.archive|no reviews in train/neg/", message)


def test_without_network_an_archive_downloaded_before_is_found_or_one_line_says_what_to_do(
    imdb_folder: Path, imdb_config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imdb, "URL", "http://127.0.0.1:9/x.tar.gz")
    config = imdb_config(archive=None, verify=False)
    assert re.search("x.tar.gz could not be downloaded.*IMDB_ARCHIVE.*data=generated", refusal(config))
    pack(imdb_folder, Path(config.directory) / "x.tar.gz")
    assert len(source_of(config).read()["test"]) == 80


def test_a_download_is_kept_where_it_has_the_published_hash_alone(
    imdb_config: Config, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    archive = b"an archive"
    with serving(lambda request, _: reply(request, 200, archive)) as uri:
        monkeypatch.setattr(imdb, "URL", f"{uri}/x.tar.gz")
        assert f"{uri}/x.tar.gz could not be downloaded (ValueError)" in refusal(imdb_config(archive=None))
        monkeypatch.setattr(imdb, "ARCHIVE_SHA256", hashlib.sha256(archive).hexdigest())
        assert imdb.download(tmp_path).read_bytes() == archive


@pytest.fixture
def published(imdb_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The made-up corpus as if it were the published one."""
    digests = {}
    for folder in imdb.LABELLED:
        files = sorted((imdb_folder / folder).iterdir(), key=lambda path: int(path.stem.split("_")[0]))
        digests[folder] = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
    monkeypatch.setattr(imdb, "PUBLISHED", digests)
    return imdb_folder


def test_one_altered_byte_of_the_published_corpus_is_refused_and_its_folder_named(
    published: Path, imdb_config: Config, tmp_path: Path
) -> None:
    assert source_of(imdb_config(archive=str(published))).read()
    review = published / "test" / "pos" / "7_9.txt"
    review.write_text(review.read_text().replace("wonderful", "Wonderful"))
    altered = pack(published, tmp_path / "altered.tar.gz")
    message = refusal(imdb_config(archive=str(altered)))
    assert re.search("altered.tar.gz: test/pos/ is not the published corpus.*data.verify=false", message)
