"""Validation by film."""

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from sentiment_rnn.checks import UserError
from sentiment_rnn.data.reviews import Review


def split_by_film(reviews: list[Review], fraction: float, seed: int) -> tuple[list[Review], list[Review]]:
    """Hold out whole films until `fraction` of the reviews is held out.

    A random split shares films between both sides and reads one to two points too high, since a film's name and
    cast tell its rating. Films that share an exact copy of a review are kept together, so no text straddles.

    Returns:
        training and validation reviews, each in the order given.

    Raises:
        UserError: one side would be empty.
    """
    group = _groups(reviews)
    sizes = np.bincount(group)
    order = np.random.default_rng(seed).permutation(len(sizes))
    wanted = round(fraction * len(reviews))
    taken = order[np.cumsum(sizes[order]) <= wanted]
    held_out = np.isin(group, taken)
    train = [review for review, out in zip(reviews, held_out, strict=True) if not out]
    validation = [review for review, out in zip(reviews, held_out, strict=True) if out]
    if not train or not validation:
        raise UserError(
            f"data.validation_fraction={fraction}: leaves {len(train)} training and {len(validation)} validation "
            f"reviews of {len(sizes)} films; choose another fraction"
        )
    return train, validation


def _groups(reviews: list[Review]) -> np.ndarray:
    """The connected component of each review [N] in the graph that joins its film and its text."""
    film = np.unique([review.film for review in reviews], return_inverse=True)[1]
    text = np.unique([hash(review.text) for review in reviews], return_inverse=True)[1]
    size = film.max() + text.max() + 2
    edges = coo_array((np.ones(len(reviews)), (film, film.max() + 1 + text)), shape=(size, size))
    component = connected_components(edges, directed=False)[1][film]
    return np.unique(component, return_inverse=True)[1]
