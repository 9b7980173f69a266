"""What a run with `task.ngrams` validates, tests, packages and inspects is the network together with the n-grams."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from sentiment_rnn.config.run import ReviewConfig
from sentiment_rnn.engine.train import train
from sentiment_rnn.errors import UserError
from sentiment_rnn.inference.package import Package, read_package
from sentiment_rnn.inference.predictions import is_correct
from sentiment_rnn.inference.predictor import Predictor
from sentiment_rnn.inference.probes import inspect
from sentiment_rnn.tasks.job import job_of
from sentiment_rnn.tracking.models import DATA, fetch_run_model
from sentiment_rnn.tracking.names import BEST_ACCURACY
from sentiment_rnn.tracking.results import RecordedRun
from sentiment_rnn.tracking.store import open_store
from short_runs import BAG, config_of
from stored_runs import last_run

TOGETHER = ("task.ngrams=2", "trainer.limit_batches=0", "data.train_reviews=400")
TEXT = "the film was wonderful . the seats were awful , but i liked the picture ."


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[RecordedRun, Package, ReviewConfig]:
    """A run of a bag of words and of pairs, and its model as it was packaged."""
    folder = tmp_path_factory.mktemp("together")
    config = config_of(folder, BAG, *TOGETHER)
    assert isinstance(config, ReviewConfig)
    train(config, [])
    store = open_store(config.tracking)
    run = RecordedRun(store, last_run(folder)[1])
    return run, read_package(fetch_run_model(store, run.run_id, folder / "model") / DATA), config


def test_its_scores_are_those_of_both_together(trained: tuple[RecordedRun, Package, ReviewConfig]) -> None:
    run, package, config = trained
    predictor, splits = Predictor(package), job_of(config).data.corpus.splits
    for split, metric in (("validation", BEST_ACCURACY), ("test", "test/accuracy")):
        right = is_correct(predictor.probabilities(splits[split].documents()), splits[split].labels)
        assert run.run.data.metrics[metric] == pytest.approx(right.mean(), abs=1e-6)
    assert package.model.ngrams is not None
    assert package.model.ngrams.mix[1] != 0
    together = predictor.logits_of(splits["test"])
    package.model.ngrams, ngrams = None, package.model.ngrams
    alone = predictor.logits_of(splits["test"])
    package.model.ngrams = ngrams
    assert not np.allclose(together, alone)


def test_inspecting_it_says_what_the_network_and_the_ngrams_add(
    trained: tuple[RecordedRun, Package, ReviewConfig],
) -> None:
    predictor = Predictor(trained[1])
    said = inspect(predictor, TEXT)
    assert said.contributions
    network, ngrams, phrases = said.contributions
    probability = predictor.predict([TEXT]).probabilities[0]
    assert network + ngrams == pytest.approx(np.log(probability / (1 - probability)), abs=1e-4)
    words = predictor.package.tokenizer.split(TEXT)
    assert {phrase for phrase, _ in phrases} <= {*words, *map(" ".join, pairwise(words))}
    terms = [abs(term) for _, term in phrases]
    assert terms == sorted(terms, reverse=True)
    assert said.contributions.decisive == ("n-grams" if abs(ngrams) > abs(network) else "network")


def test_a_length_that_no_number_can_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^task.ngrams=40: expected at most \d+ with a vocabulary of \d+ tokens$"):
        job_of(config_of(tmp_path, BAG, "task.ngrams=40")).model()
