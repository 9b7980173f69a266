"""A review, and the interface of every source of reviews."""

from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from sentiment_rnn.errors import UserError

SPLITS = ("train", "validation", "test")


class Review(NamedTuple):
    """One labelled text."""

    text: str
    label: int
    """1 positive, 0 negative."""
    rating: int
    """Stars from 1 to 10; 0 where there are none."""
    group: str
    """Subject of the review, such as its film; all reviews of a group are on one side of a split."""
    name: str
    """Where the review is found in its source, e.g. `test/pos/123_10`."""
    lag: int = -1
    """Tokens from the deciding clause to the end; -1 if unknown."""


class Source(Protocol):
    """A labelled corpus: a class whose arguments are keys of `data`, built from the configuration.

    A dataclass is the shortest way to write one; bounds are checked in `__post_init__`. The class can also have
    `places`, the names of arguments that say where the corpus lies, not what it is: a run's identity leaves them out.
    It can have `notes(reviews)`, which returns remarks on what `read` returned; they are shown whenever runs start.
    """

    def fingerprint(self) -> str:
        """A cheap digest of where and what the source is, which changes whenever `read` would give other reviews."""

    def read(self) -> dict[str, list[Review]]:
        """The reviews of each of `SPLITS`, in a fixed order; raises `UserError` if they are not what they should be."""


@runtime_checkable
class TextSource(Source, Protocol):
    """A source that also has texts without labels, for language models to train on."""

    def unlabelled(self, reviews: dict[str, list[Review]]) -> tuple[list[Review], list[str]]:
        """Texts that are in neither validation nor test, and notes on how they were chosen.

        Args:
            reviews: what `read` returned.

        Raises:
            UserError: they are not what they should be.
        """


def split_by_group(
    reviews: list[Review], fraction: float, seed: int, key: str = "data.validation_fraction"
) -> tuple[list[Review], list[Review]]:
    """Hold out whole groups until `fraction` of the reviews is held out.

    A random split has reviews of the same film on both sides. Its accuracy is one to two points too high, since a
    film's name and cast tell its rating. Groups that share an exact copy of a review are kept together, so that no text
    is on both sides.

    Args:
        key: what sets `fraction`, for the message.

    Returns:
        the reviews that stay and those that are held out, each in the order given.

    Raises:
        UserError: one side would be empty.
    """
    group = _components(reviews)
    sizes = np.bincount(group)
    order = np.random.default_rng(seed).permutation(len(sizes))
    wanted = round(fraction * len(reviews))
    taken = list(order[np.cumsum(sizes[order]) <= wanted])
    if 2 * sizes[taken].sum() < wanted:  # a large group came early: those that still fit, without it
        taken, left = [], wanted
        for one in order:
            if sizes[one] <= left:
                taken.append(one)
                left -= sizes[one]
    held_out = np.isin(group, taken)
    train = [review for review, out in zip(reviews, held_out, strict=True) if not out]
    validation = [review for review, out in zip(reviews, held_out, strict=True) if out]
    if not train or not validation:
        raise UserError(
            f"{key}={fraction}: leaves {len(train)} reviews and holds {len(validation)} out, since groups, and copies "
            f"of a text, stay together: here {len(sizes)} of {sizes.max()} reviews at most; give more reviews, or "
            "another fraction"
        )
    return train, validation


def _components(reviews: list[Review]) -> np.ndarray:
    """The connected component of each review [N] in the graph that joins its group and its text."""
    # Imported here: they load SciPy's linear algebra, which a run with cached tokens does not need.
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    # Not an array of texts: each element would be as wide as the longest text.
    groups = {group: number for number, group in enumerate(sorted({review.group for review in reviews}))}
    named = np.array([groups[review.group] for review in reviews])
    text = np.unique([hash(review.text) for review in reviews], return_inverse=True)[1]
    size = named.max() + text.max() + 2
    edges = coo_array((np.ones(len(reviews)), (named, named.max() + 1 + text)), shape=(size, size))
    component = connected_components(edges, directed=False)[1][named]
    return np.unique(component, return_inverse=True)[1]
