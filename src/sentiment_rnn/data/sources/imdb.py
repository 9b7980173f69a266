"""The Large Movie Review Dataset (Maas et al. 2011): found or downloaded, read as a stream, checked.

Nothing is extracted: members are read from the archive one after another, so nothing is written to a member's path.
"""

import hashlib
import lzma
import re
import tarfile
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import IO, ClassVar, cast

from pydantic.dataclasses import dataclass

from sentiment_rnn.config.schema import SCHEMA, Fraction, Name, Seed
from sentiment_rnn.data.review import Review, split_by_group
from sentiment_rnn.errors import UserError

URL = "https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz"
ARCHIVE_SHA256 = "c40f74a18d3b61f90feba1e17730e0d38e8b97c05fde7008942e91923d1658fe"
PUBLISHED = {
    "train/neg": "b2441fdae57aa12b75bd0119ff26533937287387dfa348aae36031fde2555850",
    "train/pos": "c0241833846db480684a3bbc739039a8a07829f00dee2c013e88100513dd0e90",
    "test/neg": "96d3bcc33399f728795fb64d4aa8c58cf1ada467319838abba7d294451690141",
    "test/pos": "4619fea0c15476ba5fe5d1ad7536ebe0b7e2d56b19500ff121fa29a00015b39f",
    "train/unsup": "3bb948a7f950eead0ef4b2febdb2f00787cb18428234c4b954fc91cab18aefe7",
}
"""SHA-256 of the published texts of each folder, joined in the order of their IDs."""
LABELLED = {"train/neg": 0, "train/pos": 1, "test/neg": 0, "test/pos": 1}
"""Folder → label of its reviews."""
UNLABELLED = {"train/unsup": 0}

_FILE = re.compile(r"(?:^|/)(train|test)/(?:(neg|pos|unsup)/(\d{1,9})_(\d{1,9})|urls_(neg|pos|unsup))\.txt$")
"""Path of a review, `train/neg/12_3.txt`, with its ID and rating; or of a list of films, `train/urls_neg.txt`."""
_FILM_ID = re.compile(r"/(tt\d+)")

Texts = dict[str, dict[tuple[int, int], bytes]]
"""Folder (`train/neg`) → a review's ID and rating → its UTF-8 text."""
Films = dict[str, list[str]]
"""Folder → the film of each ID."""


@dataclass(frozen=True, config=SCHEMA)
class Imdb:
    """The corpus as `data=imdb` describes it."""

    archive: str | None
    """The official archive, another archive with the same layout, or an extracted `aclImdb` folder. Null takes the
    archive in `directory`, and downloads it if it is missing."""
    directory: Name
    """Folder of the download."""
    verify: bool
    """Check the texts against the digests of the published corpus; false reads another corpus with the same layout."""
    validation_fraction: Fraction
    """Part of the training reviews held out for validation, by film."""
    split_seed: Seed
    """Seed of that choice; not the run's seed, so that all runs share one validation set."""

    places: ClassVar[tuple[str, ...]] = ("archive", "directory", "verify")

    @property
    def missing(self) -> str:
        """One line on what would be downloaded; empty if the reviews are here."""
        here = self.archive or (Path(self.directory) / Path(URL).name).exists()
        return "" if here else f"data=imdb: {Path(URL).name} is not here; training downloads it (80 MB)"

    def fingerprint(self) -> str:
        """Digest of the archive's or folder's place, size and time of change, and of how it is split."""
        path = self._path()
        parts = [path / split for split in ("train", "test")]  # either may be a link, into which no search goes
        files = sorted(file for part in parts for file in part.rglob("*.txt")) if path.is_dir() else [path]
        settings = (str(path.resolve()), self.verify, self.validation_fraction, self.split_seed)
        digest = hashlib.sha256(repr(settings).encode())
        for file in files:
            status = file.stat()
            digest.update(f"{file.relative_to(path.parent)} {status.st_size} {status.st_mtime_ns}\n".encode())
        return digest.hexdigest()

    def read(self) -> dict[str, list[Review]]:
        """Train, validation (by film, from train) and test.

        Raises:
            UserError: the file is no archive, lacks a folder, has a review that is not UTF-8 or has no film, or (with
                `verify`) is not the published corpus.
            OSError: a file of a folder cannot be read.
        """
        reviews = self._reviews(LABELLED)
        train, test = ([r for r in reviews if r.name.startswith(f"{split}/")] for split in ("train", "test"))
        train, validation = split_by_group(train, self.validation_fraction, self.split_seed)
        return {"train": train, "validation": validation, "test": test}

    def unlabelled(self, reviews: dict[str, list[Review]]) -> tuple[list[Review], list[str]]:
        """The texts of `train/unsup`, without those that are also in validation or test, and without those on a film
        that is in validation.

        Raises:
            UserError: as `read`.
        """
        unlabelled = self._reviews(UNLABELLED)
        texts = {review.text for part in ("validation", "test") for review in reviews[part]}
        films = {review.group for review in reviews["validation"]}
        kept = [review for review in unlabelled if review.text not in texts and review.group not in films]
        note = (
            f"data=imdb: {len(kept):,} of {len(unlabelled):,} texts of train/unsup are read: none that is in "
            "validation or test too, and none on a film of validation"
        )
        return kept, [note]

    def _path(self) -> Path:
        if not self.archive:
            return download(Path(self.directory))
        path = Path(self.archive).expanduser()
        if not path.exists():
            raise UserError(
                f"data.archive={path}: no such file or folder; give {Path(URL).name}, an extracted aclImdb folder, "
                "or data.archive=null to download it"
            )
        return path / "aclImdb" if (path / "aclImdb").is_dir() else path

    def _reviews(self, labels: Mapping[str, int]) -> list[Review]:
        """The reviews of each folder that has a label, in order of their IDs."""
        path = self._path()
        texts, films = _collected(path, labels)
        reviews = []
        for folder, label in labels.items():
            in_order = sorted(texts[folder].items())
            if not in_order:
                raise UserError(f"{path}: no reviews in {folder}/; expected files ID_RATING.txt, as in aclImdb")
            joined = b"".join(text for _, text in in_order)
            if self.verify and hashlib.sha256(joined).hexdigest() != PUBLISHED[folder]:
                raise UserError(
                    f"{path}: {folder}/ is not the published corpus ({len(in_order):,} reviews of {len(joined):,} "
                    "bytes); put a fresh copy there, or set data.verify=false if it is meant to differ"
                )
            for (number, rating), text in in_order:
                name = f"{folder}/{number}_{rating}"
                try:
                    reviews.append(Review(text.decode("utf-8"), label, rating, films[folder][number], name))
                except (UnicodeDecodeError, IndexError) as error:
                    raise UserError(
                        f"{path}: {name}.txt: expected UTF-8 text, and its film in line {number + 1} of the folder's "
                        f"list ({error})"
                    ) from error
        return reviews


def download(directory: Path) -> Path:
    """The official archive in `directory`, fetched once and checked by its hash; raises `UserError` if that fails."""
    path = directory / Path(URL).name
    if path.exists():
        return path
    import pooch  # here, not above: only a first run needs it
    import requests

    try:
        fetched = pooch.retrieve(
            URL,
            known_hash=f"sha256:{ARCHIVE_SHA256}",
            fname=path.name,
            path=directory,
            downloader=pooch.HTTPDownloader(progressbar=True, timeout=30),
        )
    except (requests.RequestException, OSError, ValueError) as error:
        raise UserError(
            f"{URL} could not be downloaded ({type(error).__name__}); set IMDB_ARCHIVE or data.archive to a copy "
            "of it, or try data=generated, which needs none"
        ) from error
    return Path(fetched)


def _collected(path: Path, folders: Collection[str]) -> tuple[Texts, Films]:
    texts: Texts = {folder: {} for folder in folders}
    films: Films = {folder: [] for folder in folders}
    try:
        for name, read in _files(path):
            file = _FILE.search(name)
            if file is None or (folder := f"{file[1]}/{file[2] or file[5]}") not in folders:
                continue
            if file[2]:
                texts[folder][int(file[3]), int(file[4])] = read()
            else:
                lines = read().decode("utf-8", "replace").splitlines()
                films[folder] = [film[1] if (film := _FILM_ID.search(line)) else line.strip() for line in lines]
    except (tarfile.TarError, OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise UserError(
            f"{path}: not a whole archive ({type(error).__name__}); get {URL} again, or give another data.archive"
        ) from error
    return texts, films


def _files(path: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """The files of an archive or folder: the name of each, and what reads it."""
    if path.is_dir():
        for split in ("train", "test"):
            for file in (path / split).rglob("*.txt"):
                yield file.relative_to(path).as_posix(), file.read_bytes
        return
    with tarfile.open(path) as archive:
        for member in archive:
            if member.isfile():
                yield member.name, cast(IO[bytes], archive.extractfile(member)).read
