"""Trains the linear classifier of n-grams that is combined with a trained network (`task.ngrams`)."""

import logging

import numpy as np
import torch

from sentiment_rnn.data.datamodule import ReviewData
from sentiment_rnn.errors import UserError
from sentiment_rnn.inference.predictions import calibrate, is_correct
from sentiment_rnn.inference.predictor import Predictor
from sentiment_rnn.model.ngrams import NgramClassifier, fit_ngrams, longest_possible

log = logging.getLogger("sentiment_rnn")

REVIEWS_AT_ONCE = 500
"""Number of reviews whose n-grams are listed at once."""


def check_length(longest: int, vocabulary_size: int) -> None:
    """Raise `UserError` if the numbers of n-grams with so many tokens would not fit into an int64."""
    if longest > (possible := longest_possible(vocabulary_size)):
        raise UserError(
            f"task.ngrams={longest}: expected at most {possible} with a vocabulary of {vocabulary_size:,} tokens"
        )


def train_ngrams(data: ReviewData, longest: int) -> NgramClassifier:
    """Train a classifier of n-grams on the part of each training review that networks read."""
    reviews = data.reviews("train")
    order = np.array_split(np.arange(len(reviews)), -(-len(reviews) // REVIEWS_AT_ONCE))
    batches = (reviews[indices.tolist()] for indices in order)
    read = ((batch.tokens, batch.lengths) for batch in batches)
    return fit_ngrams(read, np.array(reviews.split.labels), len(data.corpus.tokenizer), longest)


def combine(predictor: Predictor, ngrams: NgramClassifier, data: ReviewData) -> float:
    """Combine a network with n-grams, with the weights that are best on validation. Returns the validation accuracy.

    Args:
        predictor: predictor of the network without n-grams.
    """
    split, model = data.corpus.splits["validation"], predictor.package.model
    alone = predictor.logits_of(split)
    model.ngrams = ngrams
    ngrams.mix.copy_(torch.tensor([0.0, 1.0]))
    others = predictor.logits_of(split)
    ngrams.choose_mix(alone.numpy(), others.numpy(), np.array(split.labels))
    judged = alone, others, predictor.logits_of(split)
    accuracies = [is_correct(calibrate(logits, 1.0), split.labels).mean() for logits in judged]
    log.info("validation: network %.4f, n-grams %.4f, both together %.4f", *accuracies)
    return float(accuracies[-1])
