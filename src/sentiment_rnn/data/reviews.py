"""A review, and what every source of reviews offers."""

from typing import NamedTuple, Protocol

SPLITS = ("train", "validation", "test")


class Review(NamedTuple):
    """One labelled text."""

    text: str
    label: int
    """1 positive, 0 negative."""
    rating: int
    """Stars from 1 to 10; 0 where there are none."""
    film: str
    """What the review is about; reviews of one film never stand on both sides of a split."""
    name: str
    """Where the review is found in its source, e.g. `test/pos/123_10`."""
    distance: int = -1
    """Tokens from the deciding clause to the end; -1 where that is not known."""


class Source(Protocol):
    """A labelled corpus."""

    name: str

    def fingerprint(self) -> str:
        """A cheap digest of where and what the source is, which changes whenever `read` would give other reviews."""

    def read(self) -> dict[str, list[Review]]:
        """The reviews of each of `SPLITS`, in a fixed order; raises `UserError` if they are not what they should be."""
