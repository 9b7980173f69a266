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
from experiments.imdb.filler import FILLERS, SENTENCES

from proxies import reply, serving
from sentiment_rnn.config.components import part_arguments
from sentiment_rnn.config.loading import source_of
from sentiment_rnn.config.sections import DataConfig
from sentiment_rnn.data.corpus import Corpus, load_corpus
from sentiment_rnn.data.review import SPLITS, Review
from sentiment_rnn.data.sources import imdb
from sentiment_rnn.data.sources.imdb import Imdb
from sentiment_rnn.data.tokenizer import UNKNOWN_ID
from sentiment_rnn.errors import UserError

Config = Callable[..., DataConfig]

# The README beside the archive: SHA-256 of the texts joined, neg then pos, each by ID as a number.
JOINED = {
    "train": "adb4d9156083e5775c19e35f96b746f60d1716683b9e6911284fc3e2c7c2157b",
    "test": "75055f6305824731d1116d3ad0e8b8b18c7e2e50bddaf2786d3d4ed5ea0c19a8",
}


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


def test_a_folder_and_its_archive_give_the_same_reviews(imdb_folder: Path, imdb_config: Config, tmp_path: Path) -> None:
    archive = pack(imdb_folder, tmp_path / "small.tar.gz")
    from_folder = source_of(imdb_config(archive=str(imdb_folder), verify=False)).read()
    from_archive = source_of(imdb_config(archive=str(archive), verify=False)).read()
    assert from_folder == from_archive
    assert {split: len(reviews) for split, reviews in from_folder.items()} == {
        "train": 72, "validation": 8, "test": 80,
    }  # fmt: skip


def test_reviews_come_negative_first_and_by_id_as_a_number(imdb_folder: Path, imdb_config: Config) -> None:
    reviews = source_of(imdb_config(archive=str(imdb_folder), verify=False)).read()
    expected = [f"test/neg/{number}_2" for number in range(40)] + [f"test/pos/{number}_9" for number in range(40)]
    assert [review.name for review in reviews["test"]] == expected


def test_a_review_has_its_text_label_rating_and_film(imdb_folder: Path, imdb_config: Config) -> None:
    review = source_of(imdb_config(archive=str(imdb_folder), verify=False)).read()["test"][40 + 13]
    assert review == Review(
        text="Review 13 of the test part: it was wonderful, <br /><br />film 3 was long.",
        label=1, rating=9, group="tt1000003", name="test/pos/13_9",
    )  # fmt: skip


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


def test_a_changed_review_is_not_answered_from_the_cache(imdb_folder: Path, imdb_config: Config) -> None:
    config = imdb_config(archive=str(imdb_folder), verify=False)
    before = load_corpus(source_of(config), config)
    (imdb_folder / "test" / "pos" / "7_9.txt").write_text("Another text altogether.")
    after = load_corpus(source_of(config), config)
    assert after.digest != before.digest
    assert after.splits["test"].lengths[47] == 4


@pytest.mark.imdb
def test_the_real_texts_have_the_published_digests(real: Real) -> None:
    reviews = real.reviews
    parts = {"train": reviews["train"] + reviews["validation"], "test": reviews["test"]}
    for split, digest in JOINED.items():
        in_order = sorted(parts[split], key=lambda r: (r.label, int(re.split("[/_]", r.name)[2])))
        joined = "".join(review.text for review in in_order).encode()
        assert hashlib.sha256(joined).hexdigest() == digest, split


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
def test_the_real_vocabulary_is_counted_on_the_training_part_alone(real: Real) -> None:
    corpus = real.corpus
    # By falling frequency in the training part; counted on any other part the order would differ.
    counts = np.bincount(corpus.splits["train"].tokens, minlength=len(corpus.tokenizer))[2:]
    assert len(corpus.tokenizer) == 30_000
    assert (np.diff(counts) <= 0).all()
    assert counts.min() >= 2
    everywhere = sum(np.bincount(corpus.splits[split].tokens, minlength=30_000) for split in SPLITS)[2:]
    assert (np.diff(everywhere) > 0).any()
    filler = FILLERS[SENTENCES].split()
    tokens = corpus.tokenizer.encode(" ".join(filler))
    unknown = [word for word, token in zip(filler, tokens, strict=True) if token == UNKNOWN_ID]
    assert (len(filler), unknown) == (46, ["rained"])


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


def test_a_missing_archive_is_refused(imdb_config: Config, tmp_path: Path) -> None:
    message = refusal(imdb_config(archive=str(tmp_path / "nowhere.tar.gz")))
    assert str(tmp_path / "nowhere.tar.gz") in message
    assert "no such file or folder" in message
    assert "aclImdb" in message


def test_a_cut_archive_is_named_and_what_to_do_is_said(imdb_folder: Path, imdb_config: Config, tmp_path: Path) -> None:
    archive = pack(imdb_folder, tmp_path / "small.tar.gz")
    archive.write_bytes(archive.read_bytes()[:1000])
    message = refusal(imdb_config(archive=str(archive), verify=False))
    assert f"{archive}: not a whole archive" in message
    assert "data.archive" in message


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_folder_without_one_part_is_refused(imdb_folder: Path, imdb_config: Config, split: str) -> None:
    shutil.rmtree(imdb_folder / split)
    message = refusal(imdb_config(archive=str(imdb_folder), verify=False))
    assert f"{imdb_folder}: no reviews in {split}/neg/; expected files ID_RATING.txt" in message


def test_a_review_in_another_encoding_is_refused(imdb_folder: Path, imdb_config: Config) -> None:
    (imdb_folder / "train" / "pos" / "5_9.txt").write_bytes("An exposé".encode("latin-1"))
    message = refusal(imdb_config(archive=str(imdb_folder), verify=False))
    assert f"{imdb_folder}: train/pos/5_9.txt: expected UTF-8 text" in message
    assert "position 8" in message


def test_a_review_without_a_film_is_refused(imdb_folder: Path, imdb_config: Config) -> None:
    films = imdb_folder / "test" / "urls_neg.txt"
    films.write_text("".join(films.read_text().splitlines(keepends=True)[:30]))
    message = refusal(imdb_config(archive=str(imdb_folder), verify=False))
    assert f"{imdb_folder}: test/neg/30_2.txt: expected UTF-8 text, and its film in line 31 of the" in message


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04 not a tar at all",
        b"\0" * 700,
        gzip.compress(b"not a tar at all"),
        b"\x1f\x8b broken",
    ],
    ids=["empty", "zip", "zeros", "gzip of something else", "broken gzip"],
)
def test_a_file_that_is_no_archive_is_refused(imdb_config: Config, tmp_path: Path, content: bytes) -> None:
    archive = tmp_path / "some.tar.gz"
    archive.write_bytes(content)
    message = refusal(imdb_config(archive=str(archive), verify=False))
    assert str(archive) in message
    assert re.search("not a whole archive|no reviews in train/neg/", message)


def test_a_changed_review_behind_a_linked_folder_is_another_corpus(
    imdb_folder: Path, imdb_config: Config, tmp_path: Path
) -> None:
    linked = tmp_path / "linked"
    linked.mkdir()
    for part in ("train", "test"):
        (linked / part).symlink_to(imdb_folder / part)
    source = source_of(imdb_config(archive=str(linked), verify=False))
    before = source.fingerprint()
    (imdb_folder / "test" / "pos" / "8_9.txt").write_text("another text , much longer than the one before")
    assert source.fingerprint() != before


def test_without_archive_and_network_one_line_says_what_to_do(
    imdb_config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imdb, "URL", "http://127.0.0.1:9/x.tar.gz")
    message = refusal(imdb_config(archive=None))
    assert "http://127.0.0.1:9/x.tar.gz could not be downloaded" in message
    assert "IMDB_ARCHIVE" in message
    assert "data=generated" in message


def test_a_download_is_kept_where_it_has_the_published_hash_alone(
    imdb_config: Config, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    archive = b"an archive"
    with serving(lambda request, _: reply(request, 200, archive)) as uri:
        monkeypatch.setattr(imdb, "URL", f"{uri}/x.tar.gz")
        assert f"{uri}/x.tar.gz could not be downloaded (ValueError)" in refusal(imdb_config(archive=None))
        monkeypatch.setattr(imdb, "ARCHIVE_SHA256", hashlib.sha256(archive).hexdigest())
        assert imdb.download(tmp_path).read_bytes() == archive


def test_an_archive_downloaded_before_is_found_without_network(
    imdb_folder: Path, imdb_config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imdb, "URL", "http://127.0.0.1:9/x.tar.gz")
    config = imdb_config(archive=None, verify=False)
    Path(config.directory).mkdir()
    pack(imdb_folder, Path(config.directory) / "x.tar.gz")
    assert len(source_of(config).read()["test"]) == 80


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
    assert f"{altered}: test/pos/ is not the published corpus (40 reviews of " in message
    assert "data.verify=false" in message
