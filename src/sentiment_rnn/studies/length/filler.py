"""Neutral sentences behind a review, or in front of it: how well a trained model still reads the review."""

from collections.abc import Sequence

import numpy as np
import torch
from torchmetrics.functional.classification import binary_auroc

from sentiment_rnn.data.batching import Reviews
from sentiment_rnn.data.corpus import Split
from sentiment_rnn.data.sources.generated import NEUTRAL
from sentiment_rnn.data.tokenizer import Tokenizer
from sentiment_rnn.model.classifier import SentimentClassifier
from sentiment_rnn.studies.kit.restored import best, data_of
from sentiment_rnn.studies.length.pooled import ScoreBySeed
from sentiment_rnn.tracking.results import RunResult

FILLER = (0, 25, 50, 100, 200, 400)
"""Neutral tokens behind a review."""
IN_FRONT = f"{FILLER[-1]} in front"
"""The largest amount of filler, but before the review: the text is as unusual, and there is nothing to forget."""
FILLER_REVIEWS = 2000
"""Test reviews that are read with filler."""


def filler_scores(results: Sequence[RunResult]) -> dict[int | str, ScoreBySeed]:
    """Area under the ROC curve by seed, for each amount of neutral tokens behind every review, and for `IN_FRONT`.

    Accuracy would also fall where filler moves every logit alike, though nothing was forgotten.
    """
    scores: dict[int | str, ScoreBySeed] = {at: {} for at in (*FILLER, IN_FRONT)}
    for result in results:
        data, model = data_of(result), best(result)
        reviews = data.reviews("test")
        chosen = np.random.default_rng(0).permutation(len(reviews))[:FILLER_REVIEWS]
        chosen = chosen[np.argsort(reviews.lengths[chosen])]
        labels = torch.from_numpy(reviews.split.labels[chosen].astype(np.int64))
        parts = np.array_split(chosen, -(-len(chosen) // result.config.data.eval_batch_size))
        for at in scores:
            neutral = neutral_tokens(data.corpus.tokenizer, FILLER[-1] if isinstance(at, str) else at)
            texts = [[with_filler(reviews.tokens_of(i), neutral, at == IN_FRONT) for i in part] for part in parts]
            logits = torch.cat([logits_of(model, part, result.config.precision == "bfloat16") for part in texts])
            scores[at][result.seed] = float(binary_auroc(logits.sigmoid(), labels))
    return scores


def with_filler(review: np.ndarray, neutral: np.ndarray, in_front: bool) -> np.ndarray:
    """The tokens of a review with neutral ones behind it, or in front of it."""
    return np.concatenate([neutral, review] if in_front else [review, neutral])


def neutral_tokens(tokenizer: Tokenizer, amount: int) -> np.ndarray:
    """int64 [amount]: neutral sentences of the generated reviews, one after another; the last token is a full stop."""
    sentences = tokenizer.encode(" . ".join(NEUTRAL) + " .").astype(np.int64)
    tokens = np.resize(sentences, amount)
    tokens[-1:] = sentences[-1]
    return tokens


def logits_of(model: SentimentClassifier, texts: Sequence[np.ndarray], half: bool) -> torch.Tensor:
    """Logits `[B]` of token arrays, padded to the longest; `half` computes in bfloat16."""
    batch = Reviews(Split.of(texts), max(map(len, texts)), "tail")[list(range(len(texts)))]
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
        return model(batch.tokens, batch.lengths)
