"""A user's own labelled texts, from files with columns: `.csv`, `.tsv`, `.jsonl`, `.parquet`."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any, ClassVar

from pydantic.dataclasses import dataclass

from sentiment_rnn.config.schema import SCHEMA, Fraction, Name, Seed
from sentiment_rnn.data.review import SPLITS, Review, split_by_group
from sentiment_rnn.data.text_files import LABELS, Columns, label_name, read_rows
from sentiment_rnn.errors import UserError

COLUMN_KEYS = ("data.text_column", "data.label_column", "data.group_column")
LABELS_EXAMPLE = "'data.labels={1: negative, 5: positive}'"


@dataclass(frozen=True, config=SCHEMA)
class Files:
    """The corpus as `data=files` describes it."""

    train: Name
    """File with the texts to train on."""
    validation: Name | None
    """File with the texts to validate on; null holds out a part of `train`."""
    test: Name | None
    """File with the texts to test on; null holds out a part of `train`."""
    text_column: Name
    """Column of the texts."""
    label_column: Name
    """Column of the labels: 0 or 1, false or true, neg or pos, negative or positive."""
    group_column: Name | None
    """Column of `train` that says what a text is about, such as a product. Parts are then held out in whole groups.
    Null holds out single texts."""
    validation_fraction: Fraction
    """Part of the training texts that is held out for validation if `validation` is null."""
    test_fraction: Fraction
    """Part of all texts that is held out to test on if `test` is null."""
    split_seed: Seed
    """Seed of the choice of held-out texts; not the run's seed, so that all runs share one split."""
    labels: dict[Any, str] | None = None
    """What the labels mean, such as {1: negative, 5: positive}. Rows with other labels are left out. Null: the labels
    are those of `label_column`."""
    left_out: Counter[str] = field(default_factory=Counter, init=False, repr=False, compare=False)
    """Number of rows that `read` left out because `labels` lacks their label, by the part of the corpus."""

    places: ClassVar[tuple[str, ...]] = ("train", "validation", "test")

    def __post_init__(self) -> None:
        if self.labels is not None and {*self._classes.values()} != {0, 1}:
            shown = ", ".join(f"{label}: {meaning}" for label, meaning in self.labels.items())
            raise UserError(
                f"data.labels={{{shown}}}: expected labels that mean negative and others that mean positive, as in "
                f"{LABELS_EXAMPLE}"
            )
        for key, path in self._paths.items():
            if not path.is_file():
                raise UserError(f"data.{key}={path}: no such file; expected .csv, .tsv, .jsonl or .parquet")

    def check(self) -> None:
        """Check the first rows of each file: are the columns there, and are the labels known?

        Raises:
            UserError: as `read`, for these rows.
        """
        for part, path in self._paths.items():
            next(read_rows(path, self._columns(part)))

    def fingerprint(self) -> str:
        """Digest of the files' content and of how they are read."""
        digest = hashlib.sha256(repr(self).encode())
        for path in self._paths.values():
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()

    def read(self) -> dict[str, list[Review]]:
        """Train, validation and test.

        Raises:
            UserError: a file cannot be read, lacks a column or a group, or has an unknown label. Or there are too few
                texts to hold some out, or one part has a single label only.
        """
        self.left_out.clear()
        parts = {part: self._reviews(part, path) for part, path in self._paths.items()}
        for part, fraction in (("test", self.test_fraction), ("validation", self.validation_fraction)):
            if part not in parts:
                key = f"data.{part}_fraction"
                parts["train"], parts[part] = split_by_group(parts["train"], fraction, self.split_seed, key)
        for part, reviews in parts.items():
            self._check_labels(part, reviews)
        return {part: parts[part] for part in SPLITS}

    def notes(self, reviews: Mapping[str, Sequence[Review]]) -> list[str]:
        """Remarks on rows that are left out, on texts held out of the training file, and on texts in two parts."""
        sizes = {part: len(texts) for part, texts in reviews.items()}
        lines = [
            f"data.labels: rows of {self._paths[part]} with another label, left out: {count:,}"
            for part, count in self.left_out.items()
        ]
        kind = f"whole groups of {self.group_column}" if self.group_column else "texts"
        lines += [
            f"data=files: no data.{part}, so {sizes[part]} texts of {self.train} are held out for it ({kind})"
            for part in ("test", "validation")
            if part not in self._paths
        ]
        known = {normalized(review.text) for review in reviews["train"]}
        for part, where in (("validation", "train"), ("test", "train or validation")):
            if count := sum(normalized(review.text) in known for review in reviews[part]):
                lines.append(
                    f"data=files: {count} of {sizes[part]} {part} texts are in {where} too; the {part} score reads too "
                    "high"
                )
            known |= {normalized(review.text) for review in reviews[part]}
        return lines

    @property
    def _paths(self) -> dict[str, Path]:
        paths = {"train": self.train, "validation": self.validation, "test": self.test}
        return {part: Path(path).expanduser() for part, path in paths.items() if path is not None}

    @property
    def _classes(self) -> dict[str, int | None]:
        return {label_name(label): LABELS.get(label_name(meaning)) for label, meaning in (self.labels or {}).items()}

    def _columns(self, part: str) -> Columns:
        group_column = self.group_column if part == "train" else None  # only of `train` a part is held out
        return Columns(
            self.text_column, self.label_column, group_column, COLUMN_KEYS, self._classes or None, LABELS_EXAMPLE
        )

    def _reviews(self, part: str, path: Path) -> list[Review]:
        reviews: list[Review] = []
        columns = self._columns(part)
        for rows in read_rows(path, columns):
            groups = rows.identifiers or [None] * len(rows.texts)
            for place, text, label, group in zip(rows.places, rows.texts, rows.labels, groups, strict=True):
                if label is None:
                    self.left_out[part] += 1
                    continue
                name = f"{part}/{len(reviews) + 1}"
                if not (text and text.strip()):
                    raise UserError(f"{path}, {place}: no text; every row needs one")
                if columns.identifier and group is None:
                    raise UserError(
                        f"{path}, {place}: no {columns.identifier}; every row needs one, or leave data.group_column out"
                    )
                reviews.append(Review(text, label, rating=0, group=group or normalized(text), name=name))
        if not reviews:
            raise UserError(f"{path}: no row has a label of data.labels: {', '.join(map(str, self.labels or ()))}")
        return reviews

    def _check_labels(self, part: str, reviews: list[Review]) -> None:
        labels = {review.label for review in reviews}
        if len(labels) == 1:
            only = "positive" if labels == {1} else "negative"
            which = "texts" if part in self._paths else f"texts that are held out of {self.train}"
            raise UserError(
                f"data.{part}: all {len(reviews)} {which} are {only}; expected both labels; give more texts"
            )


def normalized(text: str) -> str:
    """The text in lower case with single spaces: most tokenizers ignore these differences between copies."""
    return " ".join(text.lower().split())
