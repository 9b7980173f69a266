"""A linear classifier of n-grams, which can be combined with a network.

Its features are those of Wang & Manning (ACL 2012): each n-gram that a review contains, times its log-count ratio r
(their equation 3). The classifier is that of Mesnil et al. (arXiv:1412.5335): logistic regression with an L2 penalty,
C = 1 and no intercept. So each n-gram has one weight, r times its coefficient, and a review's logit is the sum of the
weights of its n-grams.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

COST = 1.0
"""C of Mesnil et al."""
SMOOTHING = 1.0
"""α of the log-count ratio."""


class NgramClassifier(nn.Module):
    """Logit of a review being positive: the sum of the weights of its n-grams, each counted once.

    The n-grams are numbers (`ngrams_of`) in ascending order, so that millions of them load at once and are found by
    binary search.

    Args:
        vocabulary_size: number of different token ids.
        longest: tokens of the longest n-gram.
        size: V, number of n-grams with a weight.
    """

    keys: Tensor
    """int64 [V], numbers of n-grams, in ascending order."""
    weights: Tensor
    """float32 [V], weights of the n-grams."""
    mix: Tensor
    """float32 [2], factors of the network's logit and of this classifier's logit in `combined`."""

    def __init__(self, vocabulary_size: int, longest: int, size: int) -> None:
        super().__init__()
        self.vocabulary_size, self.longest = vocabulary_size, longest
        self.register_buffer("keys", torch.zeros(size, dtype=torch.int64))
        self.register_buffer("weights", torch.zeros(size))
        self.register_buffer("mix", torch.tensor([1.0, 0.0]))

    @property
    def description(self) -> dict[str, Any]:
        """Further arguments, beside the vocabulary's size, for a classifier with room for the same n-grams."""
        return {"longest": self.longest, "size": len(self.keys)}

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """`tokens [B, T]` int64, `lengths [B]` int64 → logits `[B]` float32."""
        return self.weights_of(ngrams_of(tokens, lengths, self.vocabulary_size, self.longest)).sum(1)

    def weights_of(self, keys: Tensor) -> Tensor:
        """Weights of n-grams by their numbers, in the shape of `keys`; 0 for an n-gram that was not in training."""
        places = torch.searchsorted(self.keys, keys).clamp(max=len(self.keys) - 1)
        return self.weights[places].where(self.keys[places] == keys, 0.0)

    def combined(self, logits: Tensor, tokens: Tensor, lengths: Tensor) -> Tensor:
        """A network's logits combined with this classifier's, `[B]`: `mix[0] · network + mix[1] · n-grams`."""
        return self.mix[0] * logits + self.mix[1] * self(tokens, lengths)

    def choose_mix(self, network: np.ndarray, ngrams: np.ndarray, labels: np.ndarray) -> None:
        """Set `mix` by logistic regression on reviews that neither model was trained on.

        Args:
            network, ngrams: float32 [N], logits of each model.
            labels: int [N], 1 positive.
        """
        self.mix.copy_(torch.from_numpy(logistic_regression(np.stack([network, ngrams], 1), labels)))

    def ids_of(self, key: int) -> list[int]:
        """Token ids of the n-gram with this number."""
        ids: list[int] = []
        while key:
            key, digit = divmod(key, self.vocabulary_size + 1)
            ids.insert(0, digit - 1)
        return ids


def ngrams_of(tokens: Tensor, lengths: Tensor, vocabulary_size: int, longest: int) -> Tensor:
    """Distinct n-grams of each review as numbers, in ascending order.

    The digits of an n-gram's number are its token ids plus one, to the base `vocabulary_size + 1`. So every n-gram has
    a number of its own, and none is 0.

    Args:
        tokens: int64 [B, T].
        lengths: int64 [B].
        longest: tokens of the longest n-gram.

    Returns:
        int64 [B, K], filled up with 0.
    """
    base, places = vocabulary_size + 1, torch.arange(tokens.shape[1], device=tokens.device)
    digits = (tokens + 1).where(places < lengths[:, None], 0)
    numbers, found = digits, [digits]
    for width in range(2, longest + 1):
        numbers = numbers[:, :-1] * base + digits[:, width - 1 :]
        found.append(numbers.where(digits[:, width - 1 :] > 0, 0))
    keys = torch.cat(found, 1).sort(1).values
    repeated = torch.zeros_like(keys, dtype=torch.bool)
    repeated[:, 1:] = keys[:, 1:] == keys[:, :-1]
    return keys.masked_fill(repeated, 0).sort(1).values


def longest_possible(vocabulary_size: int) -> int:
    """Tokens of the longest n-grams whose numbers fit into an int64."""
    longest = 1
    while (vocabulary_size + 1) ** (longest + 1) < 2**63:
        longest += 1
    return longest


def fit_ngrams(
    batches: Iterable[tuple[Tensor, Tensor]], labels: np.ndarray, vocabulary_size: int, longest: int
) -> NgramClassifier:
    """Train a classifier of n-grams; its `mix` is chosen later.

    Args:
        batches: batches of training reviews: tokens int64 [B, T], lengths int64 [B].
        labels: int [N] of the same reviews, 1 positive; both labels occur.
        vocabulary_size: number of different token ids.
        longest: tokens of the longest n-gram.
    """
    from scipy.sparse import csr_matrix  # here, since it takes a second to load

    parts, counts = [], []
    for tokens, lengths in batches:
        keys = ngrams_of(tokens, lengths, vocabulary_size, longest).numpy()
        parts.append(keys[keys > 0])
        counts.append((keys > 0).sum(1))
    per_review = np.concatenate(counts)
    keys, columns = np.unique(np.concatenate(parts), return_inverse=True)
    positive = np.repeat(labels == 1, per_review)
    p, q = (SMOOTHING + np.bincount(columns[kind], minlength=len(keys)) for kind in (positive, ~positive))
    ratios = np.log(p / p.sum()) - np.log(q / q.sum())
    rows = np.concatenate([[0], np.cumsum(per_review)])
    features = csr_matrix((ratios[columns], columns, rows), (len(labels), len(keys)))
    classifier = NgramClassifier(vocabulary_size, longest, len(keys))
    classifier.keys.copy_(torch.from_numpy(keys))
    classifier.weights.copy_(torch.from_numpy(ratios * logistic_regression(features, labels)))
    return classifier


def logistic_regression(features: Any, labels: np.ndarray) -> np.ndarray:
    """Coefficients [V] for features [N, V], dense or sparse."""
    from sklearn.linear_model import LogisticRegression

    # Newton's method, which uses no random numbers.
    model = LogisticRegression(C=COST, solver="liblinear", fit_intercept=False).fit(features, labels)
    return np.asarray(model.coef_[0])
