"""The Large Movie Review Dataset (Maas et al. 2011): found or downloaded, read as a stream, checked.

Nothing is extracted: members are read from the archive one after another, so no member's path is ever written to.
The published reviews are kept in `data.directory`, so that no later command needs the archive.
"""

import hashlib
import io
import lzma
import re
import tarfile
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from pydantic.dataclasses import dataclass

from sentiment_rnn.config.schema import SCHEMA, Fraction, Name, Seed
from sentiment_rnn.data.review import Review, split_by_group
from sentiment_rnn.errors import UserError
from sentiment_rnn.files import replacement_of

URL = "https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz"
ARCHIVE_SHA256 = "c40f74a18d3b61f90feba1e17730e0d38e8b97c05fde7008942e91923d1658fe"
KEPT = "aclImdb_labelled.tar.gz"
"""The published reviews with labels, as `data.directory` keeps them: all that another split or tokenizer needs."""

# The published texts of each folder, in order of their ID: number, bytes, SHA-256 of them joined.
PUBLISHED = {
    "train/neg": (12_500, 16_289_992, "b2441fdae57aa12b75bd0119ff26533937287387dfa348aae36031fde2555850"),
    "train/pos": (12_500, 16_842_831, "c0241833846db480684a3bbc739039a8a07829f00dee2c013e88100513dd0e90"),
    "test/neg": (12_500, 16_067_328, "96d3bcc33399f728795fb64d4aa8c58cf1ada467319838abba7d294451690141"),
    "test/pos": (12_500, 16_283_357, "4619fea0c15476ba5fe5d1ad7536ebe0b7e2d56b19500ff121fa29a00015b39f"),
}

# The same of the texts without a label.
UNLABELLED = {
    "train/unsup": (50_000, 66_506_794, "3bb948a7f950eead0ef4b2febdb2f00787cb18428234c4b954fc91cab18aefe7"),
}

_FILE = re.compile(r"(?:^|/)(train|test)/(?:(neg|pos|unsup)/(\d{1,9})_(\d{1,9})|urls_(neg|pos|unsup))\.txt$")
"""A review, `train/neg/12_3.txt`, by its ID and rating; or a list of films, `train/urls_neg.txt`."""
_FILM_ID = re.compile(r"/(tt\d+)")

Texts = dict[str, dict[tuple[int, int], bytes]]
"""Folder (`train/neg`) → a review's ID and rating → its UTF-8 text."""
Place = tuple[str, tuple[int, int] | None]
"""Folder, and a review's ID and rating there; None for the folder's list of films."""
Films = dict[str, list[str]]
"""Folder → the film of each ID."""


@dataclass(frozen=True, config=SCHEMA)
class Imdb:
    """The corpus as `data=imdb` describes it."""

    archive: str | None
    """The official archive, one of the same layout, or an extracted `aclImdb` folder; null takes the published reviews
    that `directory` keeps, or downloads them."""
    directory: Name
    """Folder of the download, and of the published reviews that are kept."""
    verify: bool
    """Check the texts against the digests of the published corpus; false reads another corpus of its layout."""
    validation_fraction: Fraction
    """Part of the training reviews held out for validation, by film."""
    split_seed: Seed
    """Seed of that choice; not the run's seed, so that all runs share one validation set."""

    places: ClassVar[tuple[str, ...]] = ("archive", "directory", "verify")

    @property
    def missing(self) -> str:
        """What would be downloaded, in one line; empty where the reviews are here."""
        here = self.archive or self._kept.exists() or (Path(self.directory) / Path(URL).name).exists()
        return "" if here else f"data=imdb: {Path(URL).name} is not here; training downloads it (80 MB)"

    def fingerprint(self) -> str:
        """Digest of the archive's or folder's place, size and time of change, and of how it is split."""
        path = self._path()
        parts = [path / split for split in ("train", "test")]  # either may be a link, into which no search goes
        files = sorted(file for part in parts for file in part.rglob("*.txt")) if path.is_dir() else [path]
        missing = self.archive if path == self._kept else None  # of which a line is said
        settings = (str(path.resolve()), missing, self.verify, self.validation_fraction, self.split_seed)
        digest = hashlib.sha256(repr(settings).encode())
        for file in files:
            status = file.stat()
            digest.update(f"{file.relative_to(path.parent)} {status.st_size} {status.st_mtime_ns}\n".encode())
        return digest.hexdigest()

    def read(self) -> dict[str, list[Review]]:
        """Train, validation (by film, from train) and test.

        Raises:
            UserError: the archive is damaged, lacks a folder, has a review that is not UTF-8 or has no film, or (with
                `verify`) is not the published corpus.
            OSError: a file cannot be read.
        """
        path = self._path()
        texts, films = self._collected(path, PUBLISHED)
        train, test = (
            _reviews(path, {f"{split}/neg": 0, f"{split}/pos": 1}, texts, films) for split in ("train", "test")
        )
        train, validation = split_by_group(train, self.validation_fraction, self.split_seed)
        if self.archive and self.verify and not self._kept.exists():  # what was downloaded stays
            with suppress(OSError):  # what is written next says that a disk is full
                _keep(self._kept, texts, films)
        return {"train": train, "validation": validation, "test": test}

    def unlabelled(self, reviews: dict[str, list[Review]]) -> tuple[list[Review], list[str]]:
        """The texts of `train/unsup`, without those that are in validation or test too, and without those on a film of
        the validation part.

        Raises:
            UserError: as `read`; or there are none.
        """
        path = self._path() if self.archive else download(Path(self.directory))  # what is kept has labels
        texts, films = self._collected(path, UNLABELLED)
        unlabelled = _reviews(path, {"train/unsup": 0}, texts, films)
        validation, test = reviews["validation"], reviews["test"]
        tested, validated = {review.text for review in test}, {review.text for review in validation}
        watched = {review.group for review in validation}
        new = [review for review in unlabelled if review.text not in tested]
        kept = [review for review in new if review.text not in validated and review.group not in watched]
        left = {review.group for review in kept}
        shared = len(left & {review.group for review in test})
        copies, others = len(unlabelled) - len(new), len(new) - len(kept)
        note = (
            f"data=imdb: {len(kept):,} of {len(unlabelled):,} texts of train/unsup are read: {copies:,} are in test "
            f"too and {others:,} in validation, the text or its film; of {len(left):,} films that are left, {shared:,} "
            f"are in test ({100 * shared / max(1, len(left)):.1f} %)"
        )
        return kept, [note]

    def notes(self, reviews: Mapping[str, Sequence[Review]]) -> list[str]:
        """A remark where the archive is gone and the kept reviews are read instead."""
        if not self.archive or self._path() != self._kept:
            return []
        return [f"data.archive={self.archive}: no such file; the published reviews are read from {self._kept}"]

    @property
    def _kept(self) -> Path:
        return Path(self.directory) / KEPT

    def _path(self) -> Path:
        if not self.archive:
            return self._kept if self._kept.exists() else download(Path(self.directory))
        path = Path(self.archive).expanduser()
        if not path.exists():
            if self.verify and self._kept.exists():
                return self._kept
            raise UserError(
                f"data.archive={path}: no such file or folder; give {Path(URL).name}, an extracted aclImdb folder, "
                "or data.archive=null to download it"
            )
        return path / "aclImdb" if (path / "aclImdb").is_dir() else path

    def _collected(self, path: Path, published: Mapping[str, tuple[int, int, str]]) -> tuple[Texts, Films]:
        texts, films = _collect(path, published)
        if self.verify and (difference := _difference(texts, published)):
            raise UserError(
                f"{path}: {difference}; put a fresh copy there, or set data.verify=false if it is meant to differ"
            )
        return texts, films


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


def _collect(path: Path, folders: Collection[str]) -> tuple[Texts, Films]:
    """Every review of these folders, and the film of each review by folder and ID."""
    texts: Texts = {folder: {} for folder in folders}
    films: Films = {}
    for (folder, review), content in _files(path, folders):
        if review:
            texts[folder][review] = content
        else:
            lines = content.decode("utf-8", "replace").splitlines()
            films[folder] = [film[1] if (film := _FILM_ID.search(line)) else line.strip() for line in lines]
    for folder, of_folder in texts.items():
        if not of_folder:
            more = "" if folder in PUBLISHED else ", and train/unsup/; data.archive=null fetches the official archive"
            raise UserError(
                f"{path}: no reviews in {folder}/; expected train/ and test/, each with neg/ and pos/ full of "
                f"ID_RATING.txt{more}"
            )
    return texts, films


def _files(path: Path, folders: Collection[str]) -> Iterator[tuple[Place, bytes]]:
    """The reviews of these folders, and their lists of films."""
    if path.is_dir():
        for split in ("train", "test"):
            for file in (path / split).rglob("*.txt"):
                if (place := _place(file.relative_to(path).as_posix(), folders)) and file.is_file():
                    yield place, file.read_bytes()
        return
    try:
        with tarfile.open(path, tarinfo=_Member) as archive:
            for member in archive:
                if (place := _place(member.name, folders)) and (content := archive.extractfile(member)):
                    yield place, content.read()
    except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, OSError, KeyError) as error:
        raise UserError(
            f"{path}: not a whole archive ({str(error).splitlines()[0]}); get {URL} again, or give another data.archive"
        ) from error


def _place(name: str, folders: Collection[str]) -> Place | None:
    file = _FILE.search(name)
    if file is None or (folder := f"{file[1]}/{file[2] or file[5]}") not in folders:
        return None
    return folder, (int(file[3]), int(file[4])) if file[2] else None


class _Member(tarfile.TarInfo):
    """A member whose header must be whole: tarfile takes a cut or broken one for the end of the archive."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> "_Member":
        try:
            return super().fromtarfile(archive)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]  # the end mark
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(str(error)) from error


def _difference(texts: Texts, published: Mapping[str, tuple[int, int, str]]) -> str | None:
    """A folder that differs from the published corpus, and how; None where no folder does."""
    for folder, (count, size, digest) in published.items():
        contents = [content for _, content in sorted(texts[folder].items())]
        actual = hashlib.sha256(b"".join(contents)).hexdigest()
        if actual != digest:
            return (
                f"{folder}/ is not the published corpus: {len(contents):,} reviews of {sum(map(len, contents)):,} "
                f"bytes and SHA-256 {actual[:12]}…; {count:,} of {size:,} and {digest[:12]}… expected"
            )
    return None


def _keep(path: Path, texts: Texts, films: Films) -> None:
    """Write reviews as an archive of the same layout, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacement_of(path) as partial, tarfile.open(partial, "w:gz", compresslevel=1) as archive:
        for folder, of_folder in texts.items():
            split, _, sentiment = folder.partition("/")
            files = {f"{folder}/{number}_{rating}.txt": text for (number, rating), text in of_folder.items()}
            files[f"{split}/urls_{sentiment}.txt"] = "\n".join(films[folder]).encode()
            for name, content in files.items():
                member = tarfile.TarInfo(f"aclImdb/{name}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))


def _reviews(path: Path, labels: Mapping[str, int], texts: Texts, films: Films) -> list[Review]:
    """The reviews of each folder that has a label."""
    reviews = []
    for folder, label in labels.items():
        split, _, sentiment = folder.partition("/")
        film_of = films.get(folder, [])
        for (number, rating), content in sorted(texts[folder].items()):
            name = f"{folder}/{number}_{rating}"
            try:
                text, film = content.decode("utf-8"), film_of[number]
            except (UnicodeDecodeError, IndexError) as error:
                raise UserError(
                    f"{path}: {name}.txt: expected UTF-8 text, and its film in line {number + 1} of "
                    f"{split}/urls_{sentiment}.txt ({error})"
                ) from error
            reviews.append(Review(text, label, rating, film, name))
    return reviews
