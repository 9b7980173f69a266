"""A review, and what every source of reviews offers."""

from typing import NamedTuple, Protocol, runtime_checkable

SPLITS = ("train", "validation", "test")


class Review(NamedTuple):
    """One labelled text."""

    text: str
    label: int
    """1 positive, 0 negative."""
    rating: int
    """Stars from 1 to 10; 0 where there are none."""
    group: str
    """Subject of the review, its film say; all reviews of a group are on one side of a split."""
    name: str
    """Where the review is found in its source, e.g. `test/pos/123_10`."""
    lag: int = -1
    """Tokens from the deciding clause to the end; -1 where that is not known."""


class Source(Protocol):
    """A labelled corpus: a class whose arguments are keys of `data`, built from the configuration.

    A dataclass is the shortest way to write one; bounds are checked in `__post_init__`. `places`, where the class has
    it, names the arguments that say where the corpus lies and not what it is: a run's identity leaves them out.
    `notes(reviews)`, where it has it, gives lines on what `read` returned; they are said whenever runs start.
    """

    def fingerprint(self) -> str:
        """A cheap digest of where and what the source is, which changes whenever `read` would give other reviews."""

    def read(self) -> dict[str, list[Review]]:
        """The reviews of each of `SPLITS`, in a fixed order; raises `UserError` if they are not what they should be."""


@runtime_checkable
class TextSource(Source, Protocol):
    """A source that has texts without a label too, on which language models train."""

    def unlabelled(self, reviews: dict[str, list[Review]]) -> tuple[list[Review], list[str]]:
        """Texts that are in neither validation nor test, and notes on how they were chosen.

        Args:
            reviews: what `read` returned.

        Raises:
            UserError: they are not what they should be.
        """
