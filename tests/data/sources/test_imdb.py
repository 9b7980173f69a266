"""The Large Movie Review Dataset: what is read, and what is refused."""

import contextlib
import gzip
import hashlib
import io
import os
import re
import shutil
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.imdb.filler import FILLERS, SENTENCES
from proxies import reply, serving
from sentiment_rnn.config.components import part_arguments
from sentiment_rnn.config.loading import source_of
from sentiment_rnn.config.sections import DataConfig
from sentiment_rnn.data.batching import LengthBuckets, Reviews
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


def pack(folder: Path, archive: Path, mode: str = "w:gz", films_first: bool = False) -> Path:
    """An archive of an `aclImdb` folder, its members by name, or its lists of films before its reviews."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if films_first:
        files.sort(key=lambda path: not path.name.startswith("urls_"))
    with tarfile.open(archive, mode) as tar:
        for file in files:
            tar.add(file, Path("aclImdb") / file.relative_to(folder))
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


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_the_compression_of_the_archive_does_not_matter(
    imdb_folder: Path, imdb_config: Config, tmp_path: Path, mode: str
) -> None:
    archive = pack(imdb_folder, tmp_path / "archive", mode)
    from_folder = source_of(imdb_config(archive=str(imdb_folder), verify=False)).read()
    assert source_of(imdb_config(archive=str(archive), verify=False)).read() == from_folder


def test_the_folder_around_the_extracted_one_is_read_as_well(imdb_folder: Path, imdb_config: Config) -> None:
    around = source_of(imdb_config(archive=str(imdb_folder.parent), verify=False)).read()
    assert around == source_of(imdb_config(archive=str(imdb_folder), verify=False)).read()


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


def test_unlabelled_reviews_are_not_read(imdb_folder: Path, imdb_config: Config) -> None:
    config = imdb_config(archive=str(imdb_folder), verify=False)
    before = source_of(config).read()
    (imdb_folder / "train" / "unsup").mkdir()
    (imdb_folder / "train" / "unsup" / "0_0.txt").write_text("No label.")
    assert source_of(config).read() == before


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


@pytest.mark.parametrize("change", [{"split_seed": 1}, {"validation_fraction": 0.5}])
def test_another_split_is_not_answered_from_the_cache(
    imdb_folder: Path, imdb_config: Config, change: dict[str, float]
) -> None:
    def validation(**settings: float) -> list[str]:
        config = imdb_config(archive=str(imdb_folder), verify=False, **settings)
        return load_corpus(source_of(config), config).splits["validation"].names

    first = validation()
    expected = source_of(imdb_config(archive=str(imdb_folder), verify=False, **change)).read()["validation"]
    assert [review.name for review in expected] != first
    assert validation(**change) == [review.name for review in expected]


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
def test_a_tenth_of_the_real_training_reviews_validates(real: Real) -> None:
    sizes = {split: len(part) for split, part in real.corpus.splits.items()}
    assert sizes["train"] + sizes["validation"] == 25_000
    assert 2_400 <= sizes["validation"] <= 2_500
    assert sizes["test"] == 25_000


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
    assert (len(filler), unknown) == (46, ["rained"]), "as experiments/imdb/filler.md says"


@pytest.mark.imdb
def test_the_real_reviews_have_the_known_number_of_tokens(real: Real) -> None:
    splits = real.corpus.splits
    training = np.concatenate([splits["train"].lengths, splits["validation"].lengths])
    assert round(training.sum() / 1e6, 2) == 6.77
    assert round(splits["test"].lengths.sum() / 1e6, 2) == 6.62
    every = np.concatenate([training, splits["test"].lengths])
    assert np.percentile(training, 50) == pytest.approx(202, abs=1)
    assert every.max() == 2752


@pytest.mark.imdb
def test_less_than_8_percent_of_the_real_batches_is_padding(real: Real, real_imdb_config: DataConfig) -> None:
    size = real_imdb_config.batch_size
    lengths = Reviews(real.corpus.splits["train"], real_imdb_config.max_tokens, real_imdb_config.keep).lengths

    def padding(batches: list[np.ndarray]) -> float:
        return 1 - lengths.sum() / sum(batch.max() * len(batch) for batch in batches)

    buckets = LengthBuckets(lengths, size, shuffle=True)
    for epoch in range(3):
        buckets.set_epoch(epoch)
        assert padding([lengths[batch] for batch in buckets]) < 0.08
    # In the order they come, without buckets, a third would be.
    assert padding([lengths[start : start + size] for start in range(0, len(lengths), size)]) > 0.3


# What is refused


def test_a_missing_archive_is_refused(imdb_config: Config, tmp_path: Path) -> None:
    message = refusal(imdb_config(archive=str(tmp_path / "nowhere.tar.gz")))
    assert str(tmp_path / "nowhere.tar.gz") in message
    assert "no such file or folder" in message
    assert "aclImdb" in message


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_an_archive_cut_anywhere_is_refused_even_unverified(
    imdb_folder: Path, imdb_config: Config, tmp_path: Path, mode: str
) -> None:
    # The lists of films stand before the reviews, so that no film is missed where reviews are.
    archive = pack(imdb_folder, tmp_path / "archive", mode, films_first=True)
    config = imdb_config(archive=str(archive), verify=False, validation_fraction=0.5)
    expected = source_of(config).read()
    whole = archive.read_bytes()
    end = len(whole.rstrip(b"\0"))
    taken = []
    for size in range(end // 2, end, end // 120):
        archive.write_bytes(whole[:size])
        try:
            if source_of(config).read() != expected:
                taken.append((size, "no error, and reviews are missing"))
        except UserError as error:
            if f"{archive}: not a whole archive" not in str(error):
                taken.append((size, str(error)))
    assert not taken, f"{len(taken)} cuts of {end} bytes were taken for a whole archive"


def test_a_cut_archive_is_named_and_what_to_do_is_said(imdb_folder: Path, imdb_config: Config, tmp_path: Path) -> None:
    archive = pack(imdb_folder, tmp_path / "small.tar.gz")
    archive.write_bytes(archive.read_bytes()[:1000])
    message = refusal(imdb_config(archive=str(archive), verify=False))
    assert f"{archive}: not a whole archive" in message
    assert "data.archive" in message


@pytest.mark.imdb
def test_the_real_archive_cut_is_refused(imdb_archive: Path, imdb_config: Config, tmp_path: Path) -> None:
    cut = tmp_path / "cut.tar.gz"
    with imdb_archive.open("rb") as whole:
        cut.write_bytes(whole.read(imdb_archive.stat().st_size // 3))
    message = refusal(imdb_config(archive=str(cut)))
    assert f"{cut}: not a whole archive" in message


@pytest.mark.imdb
def test_one_altered_byte_of_the_real_corpus_is_refused_and_its_folder_named(
    real: Real, real_imdb_config: DataConfig, imdb_config: Config, tmp_path: Path
) -> None:
    kept = bytearray(gzip.decompress(Path(real_imdb_config.directory, imdb.KEPT).read_bytes()))
    (review,) = (review for review in real.reviews["test"] if review.name.startswith("test/pos/4321_"))
    text = kept.index(f"aclImdb/{review.name}.txt".encode()) + tarfile.BLOCKSIZE  # behind its header
    kept[text + len(review.text.encode()) // 2] ^= 1
    altered = tmp_path / "altered.tar"
    altered.write_bytes(kept)
    message = refusal(imdb_config(archive=str(altered)))
    assert str(altered) in message
    assert "test/pos/ is not the published corpus" in message
    assert "12,500 reviews of 16,283,357 bytes and SHA-256 " in message
    assert not re.search("train/|test/neg", message)
    altered.unlink()


def test_a_corpus_of_another_size_is_refused_and_its_folder_and_counts_named(
    imdb_folder: Path, imdb_config: Config
) -> None:
    message = refusal(imdb_config(archive=str(imdb_folder), verify=True))
    assert f"{imdb_folder}: train/neg/" in message
    assert "40 reviews of " in message
    assert "; 12,500 of " in message
    assert "data.verify=false" in message


@pytest.mark.parametrize("member", ["../evil.txt", "{absolute}/evil.txt", "../../train/neg/77_1.txt"])
def test_a_member_outside_the_archive_is_written_nowhere(
    imdb_folder: Path, imdb_config: Config, tmp_path: Path, member: str
) -> None:
    name = member.format(absolute=tmp_path / "outside")
    archive = pack(imdb_folder, tmp_path / "evil.tar", "w")
    before = set(tmp_path.parent.rglob("*"))
    with tarfile.open(archive, "a") as tar:
        entry = tarfile.TarInfo(name)
        entry.size = 4
        tar.addfile(entry, io.BytesIO(b"evil"))
    with contextlib.suppress(UserError):
        source_of(imdb_config(archive=str(archive), verify=False)).read()
    assert set(tmp_path.parent.rglob("*")) == before


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_folder_without_one_part_is_refused(imdb_folder: Path, imdb_config: Config, split: str) -> None:
    shutil.rmtree(imdb_folder / split)
    message = refusal(imdb_config(archive=str(imdb_folder), verify=False))
    assert f"{imdb_folder}: no reviews in {split}/neg/; expected train/ and test/" in message


def test_an_archive_without_one_sentiment_is_refused(imdb_folder: Path, imdb_config: Config, tmp_path: Path) -> None:
    shutil.rmtree(imdb_folder / "test" / "pos")
    archive = pack(imdb_folder, tmp_path / "half.tar.gz")
    message = refusal(imdb_config(archive=str(archive), verify=False))
    assert f"{archive}: no reviews in test/pos/" in message
    assert "expected train/ and test/" in message


@pytest.mark.parametrize("text", ["", "  \n\t ", "\u00a0\u2003", "<br /><br />", '"', ";"])
def test_a_review_without_a_token_is_refused(imdb_folder: Path, imdb_config: Config, text: str) -> None:
    (imdb_folder / "train" / "pos" / "3_9.txt").write_text(text, encoding="utf-8")
    message = refusal(imdb_config(archive=str(imdb_folder), verify=False))
    assert "train/pos/3_9" in message
    assert "every review needs a word or a mark" in message


def test_a_review_in_another_encoding_is_refused(imdb_folder: Path, imdb_config: Config) -> None:
    (imdb_folder / "train" / "pos" / "5_9.txt").write_bytes("An exposé".encode("latin-1"))
    message = refusal(imdb_config(archive=str(imdb_folder), verify=False))
    assert f"{imdb_folder}: train/pos/5_9.txt: expected UTF-8 text" in message
    assert "position 8" in message


def test_a_review_without_a_film_is_refused(imdb_folder: Path, imdb_config: Config) -> None:
    films = imdb_folder / "test" / "urls_neg.txt"
    films.write_text("".join(films.read_text().splitlines(keepends=True)[:30]))
    message = refusal(imdb_config(archive=str(imdb_folder), verify=False))
    assert f"{imdb_folder}: test/neg/30_2.txt: expected UTF-8 text, and its film in line 31 of test/urls_neg" in message


def test_a_folder_without_its_list_of_films_is_refused(imdb_folder: Path, imdb_config: Config) -> None:
    (imdb_folder / "train" / "urls_pos.txt").unlink()
    message = refusal(imdb_config(archive=str(imdb_folder), verify=False))
    assert f"{imdb_folder}: train/pos/0_9.txt: expected UTF-8 text, and its film in line 1 of train/urls_pos" in message


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
    assert re.search("not a whole archive|expected train/ and test/", message)


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


def test_a_dangling_link_in_the_folder_is_not_blamed_on_the_data_folder(imdb_folder: Path, imdb_config: Config) -> None:
    review = imdb_folder / "test" / "pos" / "8_9.txt"
    review.unlink()
    review.symlink_to(imdb_folder / "gone.txt")
    message = refusal(imdb_config(archive=str(imdb_folder), verify=False))
    assert str(imdb_folder) in message
    assert "data.directory" not in message


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


# What is kept for later commands


@pytest.fixture
def published(imdb_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The made-up corpus as if it were the published one, and no network to download that from."""
    found = {}
    for folder in imdb.PUBLISHED:
        files = sorted((imdb_folder / folder).iterdir(), key=lambda path: int(path.stem.split("_")[0]))
        contents = [path.read_bytes() for path in files]
        joined = b"".join(contents)
        found[folder] = (len(contents), len(joined), hashlib.sha256(joined).hexdigest())
    monkeypatch.setattr(imdb, "PUBLISHED", found)
    monkeypatch.setattr(imdb, "URL", "http://127.0.0.1:9/x.tar.gz")
    return imdb_folder


@pytest.mark.parametrize("form", ["archive", "folder"])
@pytest.mark.parametrize("change", [{}, {"split_seed": 1}, {"vocabulary_size": 20}])
def test_once_the_published_corpus_was_prepared_no_command_needs_its_archive(
    published: Path, imdb_config: Config, tmp_path: Path, form: str, change: dict[str, Any]
) -> None:
    given = published if form == "folder" else pack(published, tmp_path / "given.tar.gz")
    before = imdb_config(archive=str(given))
    first = load_corpus(source_of(before), before)
    shutil.rmtree(published)
    (tmp_path / "given.tar.gz").unlink(missing_ok=True)
    config = imdb_config(**change)
    corpus = load_corpus(source_of(config), config)
    assert (corpus.digest == first.digest) == ("split_seed" not in change)
    assert {split: len(part) for split, part in corpus.splits.items()} == {"train": 72, "validation": 8, "test": 80}


def test_the_kept_reviews_give_the_same_reviews_as_the_archive(published: Path, imdb_config: Config) -> None:
    source = source_of(imdb_config(archive=str(published)))
    expected = source.read()
    assert source_of(imdb_config()).read() == expected
    assert source_of(imdb_config(split_seed=1)).read() != expected


def test_an_archive_that_is_gone_is_said_and_the_kept_reviews_are_read(published: Path, imdb_config: Config) -> None:
    config = imdb_config(archive=str(published))
    load_corpus(source_of(config), config)
    shutil.rmtree(published)
    (note,) = load_corpus(source_of(config), config).notes
    assert note.startswith(f"data.archive={published}: no such file; the published reviews are read from ")
    unverified = imdb_config(archive=str(published), verify=False)  # which may be any corpus
    with pytest.raises(UserError, match="no such file or folder"):
        load_corpus(source_of(unverified), unverified)


def test_an_archive_that_is_there_is_read_and_checked_beside_kept_reviews(
    published: Path, imdb_config: Config, tmp_path: Path
) -> None:
    config = imdb_config(archive=str(published))
    load_corpus(source_of(config), config)
    other = pack(published, tmp_path / "other.tar.gz", films_first=True)
    (published / "test" / "pos" / "7_9.txt").write_text("Another text altogether.")
    altered = pack(published, tmp_path / "altered.tar.gz")
    source_of(imdb_config(archive=str(other))).read()
    with pytest.raises(UserError, match=r"altered\.tar\.gz: test/pos/ is not the published corpus"):
        source_of(imdb_config(archive=str(altered))).read()


def test_kept_reviews_are_written_once(published: Path, imdb_config: Config) -> None:
    config = imdb_config(archive=str(published))
    source_of(config).read()
    kept = Path(config.directory) / imdb.KEPT
    before = kept.stat()
    source_of(imdb_config(archive=str(published), split_seed=1)).read()
    assert (kept.stat().st_ino, kept.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_another_corpus_of_the_layout_is_not_kept(imdb_folder: Path, imdb_config: Config) -> None:
    config = imdb_config(archive=str(imdb_folder), verify=False)
    load_corpus(source_of(config), config)
    assert not (Path(config.directory) / imdb.KEPT).exists()


def test_kept_reviews_that_are_damaged_are_refused_by_their_path(published: Path, imdb_config: Config) -> None:
    source_of(imdb_config(archive=str(published))).read()
    kept = Path(imdb_config().directory) / imdb.KEPT
    kept.write_bytes(kept.read_bytes()[:1000])
    with pytest.raises(UserError, match=f"{kept}: not a whole archive"):
        source_of(imdb_config()).read()
    kept.unlink()
    assert source_of(imdb_config(archive=str(published))).read()
    assert kept.exists()


# Archives of strangers


def packed_with_link(folder: Path, place: Path, name: str, kind: bytes, target: str) -> Path:
    """An archive of the folder with one more member, a link of that kind."""
    archive = pack(folder, place / "linked.tar", "w")
    member = tarfile.TarInfo(f"aclImdb/{name}")
    member.type, member.linkname = kind, target
    with tarfile.open(archive, "a") as tar:
        tar.addfile(member)
    return archive


def test_a_hard_link_in_an_archive_is_the_review_that_it_links_to(
    imdb_folder: Path, imdb_config: Config, tmp_path: Path
) -> None:
    archive = packed_with_link(imdb_folder, tmp_path, "test/pos/3_10.txt", tarfile.LNKTYPE, "aclImdb/test/pos/3_9.txt")
    texts = [review.text for review in source_of(imdb_config(archive=str(archive), verify=False)).read()["test"]]
    assert (len(texts), len(set(texts))) == (81, 80)


def test_a_list_of_films_that_links_out_of_the_archive_is_refused(
    imdb_folder: Path, imdb_config: Config, tmp_path: Path
) -> None:
    archive = packed_with_link(imdb_folder, tmp_path, "train/urls_pos.txt", tarfile.SYMTYPE, "/etc/passwd")
    assert "not a whole archive" in refusal(imdb_config(archive=str(archive), verify=False))


def test_two_ratings_of_an_id_are_two_reviews(imdb_folder: Path, imdb_config: Config) -> None:
    (imdb_folder / "test" / "neg" / "3_1.txt").write_text("Another text.")
    reviews = source_of(imdb_config(archive=str(imdb_folder), verify=False)).read()["test"]
    assert [review.name for review in reviews][3:5] == ["test/neg/3_1", "test/neg/3_2"]


def test_a_rating_beyond_ten_is_refused(imdb_folder: Path, imdb_config: Config) -> None:
    (imdb_folder / "test" / "neg" / "3_999.txt").write_text("Another text.")
    message = refusal(imdb_config(archive=str(imdb_folder), verify=False))
    assert "rating 999, name 'test/neg/3_999'; expected label 0 or 1, a whole rating from 0 to 10" in message


def test_a_pipe_in_the_folder_is_not_waited_for(imdb_folder: Path, imdb_config: Config) -> None:
    os.mkfifo(imdb_folder / "test" / "neg" / "40_1.txt")
    assert len(source_of(imdb_config(archive=str(imdb_folder), verify=False)).read()["test"]) == 80


def test_an_archive_that_is_compressed_twice_is_refused(imdb_folder: Path, imdb_config: Config, tmp_path: Path) -> None:
    once = pack(imdb_folder, tmp_path / "once.tar.gz")
    twice = tmp_path / "twice.tar.gz"
    twice.write_bytes(gzip.compress(once.read_bytes()))
    assert "not a whole archive" in refusal(imdb_config(archive=str(twice), verify=False))
