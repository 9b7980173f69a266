"""Filler behind a review or in front of it: what a trained model still says of the review, and what its state holds."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import torch

from sentiment_rnn.data.batching import Reviews
from sentiment_rnn.data.corpus import Split
from sentiment_rnn.data.datamodule import ReviewData
from sentiment_rnn.data.sources.generated import NEUTRAL
from sentiment_rnn.data.tokenizer import Tokenizer
from sentiment_rnn.model.classifier import SentimentClassifier
from sentiment_rnn.report.p_values import higher_share
from sentiment_rnn.runs.restored import best, data_of
from sentiment_rnn.tracking.results import RunResult

SENTENCES, STOPS = "neutral", "full stops"
FILLERS = {SENTENCES: " . ".join(NEUTRAL) + " .", STOPS: "."}
"""Texts that are repeated; the last token of filler is always a full stop."""
BEHIND, IN_FRONT = "behind", "in front"
"""Places of filler. In front the text is as strange and as long, but the review is read last."""
REVIEWS = 2000
"""Reviews of each split that are read with filler."""
RIDGE = 1e-3
"""Of the mean variance: what `discriminant` adds to the diagonal of a covariance."""


class Setting(NamedTuple):
    """What is read beside a review."""

    filler: str
    """Of `FILLERS`."""
    place: str
    amount: int
    """Tokens."""


class Areas(NamedTuple):
    """Areas under the ROC curve on the test reviews; ties count one half."""

    answer: float
    """Of the model's logits."""
    state: float
    """Of a linear classifier of its states. It is made of the validation reviews, read with the same filler."""


def areas(result: RunResult, settings: Iterable[Setting]) -> dict[Setting, Areas]:
    """How well the model that a run tested tells positive reviews from negative ones, in each setting.

    Accuracy would also fall where filler moves every logit alike, though nothing was forgotten.
    """
    data, model = data_of(result), best(result)
    half = result.config.precision == "bfloat16"
    found = {}
    for setting in settings:
        known, states = read(model, data, "validation", setting, half)
        labels, tested = read(model, data, "test", setting, half)
        line = discriminant(states.double().numpy(), known)
        answers = (tested @ model.output.weight.detach().T).squeeze(1).numpy()  # the bias moves all alike
        found[setting] = Areas(area(answers, labels), area(tested.double().numpy() @ line, labels))
    return found


def read(
    model: SentimentClassifier, data: ReviewData, split: str, setting: Setting, half: bool
) -> tuple[np.ndarray, torch.Tensor]:
    """`REVIEWS` of a split with filler, drawn with seed 0.

    Args:
        half: compute in bfloat16.

    Returns:
        Their labels, bool [N], and their pooled states, float32 [N, D].
    """
    reviews = data.reviews(split)
    chosen = np.random.default_rng(0).permutation(len(reviews))[:REVIEWS]
    chosen = chosen[np.argsort(reviews.lengths[chosen])]
    tokens = filler_tokens(data.corpus.tokenizer, setting.filler, setting.amount)
    parts = np.array_split(chosen, -(-len(chosen) // data.config.eval_batch_size))
    states = [
        states_of(model, [with_filler(reviews.tokens_of(i), tokens, setting.place == IN_FRONT) for i in part], half)
        for part in parts
    ]
    return reviews.split.labels[chosen] == 1, torch.cat(states)


def area(scores: np.ndarray, labels: np.ndarray) -> float:
    """Area under the ROC curve of scores [N] by labels, bool [N].

    It is the share of pairs of a positive and a negative review in which the positive one's score is higher.
    """
    return higher_share([(scores[labels].tolist(), scores[~labels].tolist())])


def discriminant(states: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """float [D], Fisher's linear discriminant (1936) of states [N, D] by labels, bool [N].

    `RIDGE` keeps it defined where units do not vary, or vary together.
    """
    classes = [states[labels], states[~labels]]
    centered = np.concatenate([group - group.mean(0) for group in classes])
    covariance = centered.T @ centered / len(states)
    covariance += RIDGE * max(np.trace(covariance) / len(covariance), 1e-12) * np.eye(len(covariance))
    return np.asarray(np.linalg.solve(covariance, classes[0].mean(0) - classes[1].mean(0)))


def with_filler(review: np.ndarray, filler: np.ndarray, in_front: bool) -> np.ndarray:
    """The tokens of a review with filler behind it, or in front of it."""
    return np.concatenate([filler, review] if in_front else [review, filler])


def filler_tokens(tokenizer: Tokenizer, filler: str, amount: int) -> np.ndarray:
    """int64 [amount]: the text of a filler, over and over; the last token is a full stop."""
    text = tokenizer.encode(FILLERS[filler]).astype(np.int64)
    tokens = np.resize(text, amount)
    tokens[-1:] = text[-1]
    return tokens


def states_of(model: SentimentClassifier, texts: Sequence[np.ndarray], half: bool) -> torch.Tensor:
    """Pooled states, float32 [B, D], of token arrays, padded to the longest; `half` computes in bfloat16."""
    batch = Reviews(Split.of(texts), max(map(len, texts)), "tail")[list(range(len(texts)))]
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
        return model.pooled(model.backbone.embed(batch.tokens), batch.lengths).float()
