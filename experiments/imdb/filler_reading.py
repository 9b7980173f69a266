"""Filler behind a review or in front of it: what a trained model still says of the review, and what its state holds."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch

from experiments.lab.p_values import probability_of_superiority
from sentiment_rnn.data.batching import Reviews
from sentiment_rnn.data.corpus import Split
from sentiment_rnn.data.datamodule import ReviewData
from sentiment_rnn.data.sources.generated import NEUTRAL
from sentiment_rnn.data.tokenizer import Tokenizer
from sentiment_rnn.model.classifier import SentimentClassifier
from sentiment_rnn.runs.restored import data_of, load_tested
from sentiment_rnn.tracking.results import RunResult

SENTENCES, STOPS = "neutral", "full stops"
FILLERS = {SENTENCES: " . ".join(NEUTRAL) + " .", STOPS: "."}
"""Texts that are repeated; the last token of filler is always a full stop."""
BEHIND, IN_FRONT = "behind", "in front"
"""Places of filler. In front the text is as strange and as long, but the review is read last."""
NOTHING = "none"
STATE, ANSWER = "state", "answer"
"""What an area under the ROC curve is of: a linear classifier of a model's states, and the model's logits."""
REVIEWS = 2000
"""Reviews of each split that are read with filler."""
RIDGE = 1e-3
"""Of the mean variance: what `discriminant` adds to the diagonal of a covariance."""


class Setting(NamedTuple):
    """What is read beside a review."""

    amount: int
    """Tokens."""
    filler: str = SENTENCES
    """Of `FILLERS`."""
    place: str = BEHIND

    @property
    def condition(self) -> str:
        """`400 neutral in front`, `100 neutral behind` or `none`, as results have it."""
        return f"{self.amount} {self.filler} {self.place}" if self.amount else NOTHING


def areas(result: RunResult, settings: Iterable[Setting]) -> Iterator[tuple[Setting, str, float]]:
    """How well the model that a run tested tells positive reviews from negative ones, in each setting: of its answers,
    and of its states.

    Accuracy would also fall where filler moves every logit alike, though nothing was forgotten. The classifier of the
    states is made of the validation reviews, read with the same filler.
    """
    data, model = data_of(result), load_tested(result)
    for setting in settings:
        known, states = read(model, data, "validation", setting)
        labels, tested = read(model, data, "test", setting)
        answers = (tested @ model.output.weight.detach().T).squeeze(1).numpy()  # the bias moves all alike
        yield setting, ANSWER, area(answers, labels)
        line = discriminant(states.double().numpy(), known)
        yield setting, STATE, area(tested.double().numpy() @ line, labels)


def read(model: SentimentClassifier, data: ReviewData, split: str, setting: Setting) -> tuple[np.ndarray, torch.Tensor]:
    """Labels, bool [N], and pooled states, float32 [N, D], of `REVIEWS` of a split with filler, drawn with seed 0."""
    reviews = data.reviews(split)
    chosen = np.random.default_rng(0).permutation(len(reviews))[:REVIEWS]
    chosen = chosen[np.argsort(reviews.lengths[chosen])]
    filler = filler_tokens(data.corpus.tokenizer, setting.filler, setting.amount)
    parts = np.array_split(chosen, -(-len(chosen) // data.config.eval_batch_size))
    states = [
        states_of(model, [with_filler(reviews.tokens_of(i), filler, setting.place) for i in part]) for part in parts
    ]
    return reviews.split.labels[chosen] == 1, torch.cat(states)


def filler_tokens(tokenizer: Tokenizer, filler: str, amount: int) -> np.ndarray:
    """int64 [amount]: the text of a filler, over and over; the last token is a full stop."""
    text = tokenizer.encode(FILLERS[filler]).astype(np.int64)
    tokens = np.resize(text, amount)
    tokens[-1:] = text[-1]
    return tokens


def with_filler(review: np.ndarray, filler: np.ndarray, place: str) -> np.ndarray:
    """The tokens of a review with filler behind it, or in front of it."""
    return np.concatenate([filler, review] if place == IN_FRONT else [review, filler])


def states_of(model: SentimentClassifier, texts: Sequence[np.ndarray]) -> torch.Tensor:
    """Pooled states, float32 [B, D], of token arrays, padded to the longest."""
    batch = Reviews(Split.of(texts), max(map(len, texts)), "tail")[list(range(len(texts)))]
    with torch.no_grad():
        return model.pooled(model.backbone.embed(batch.tokens), batch.lengths)


def discriminant(states: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """float [D], Fisher's linear discriminant (1936) of states [N, D] by labels, bool [N].

    `RIDGE` keeps it defined where units do not vary, or vary together.
    """
    classes = [states[labels], states[~labels]]
    centered = np.concatenate([group - group.mean(0) for group in classes])
    covariance = centered.T @ centered / len(states)
    covariance += RIDGE * max(np.trace(covariance) / len(covariance), 1e-12) * np.eye(len(covariance))
    return np.asarray(np.linalg.solve(covariance, classes[0].mean(0) - classes[1].mean(0)))


def area(scores: np.ndarray, labels: np.ndarray) -> float:
    """Area under the ROC curve of scores [N] by labels, bool [N]: the share of pairs of a positive and a negative
    review in which the positive one's score is higher. Ties count one half."""
    return probability_of_superiority([(scores[labels].tolist(), scores[~labels].tolist())])
