"""The network and the n-grams of a run are also tested alone."""

from pathlib import Path

import pytest

from experiments.best.parts import FACTORS, answers_of_parts, logits_with
from sentiment_rnn.engine.train import train
from sentiment_rnn.inference.package import read_package
from sentiment_rnn.tasks.job import job_of
from sentiment_rnn.tasks.reviews import ReviewJob
from sentiment_rnn.tracking.models import DATA, fetch_run_model
from sentiment_rnn.tracking.results import RecordedRun
from sentiment_rnn.tracking.store import open_store
from short_runs import BAG, config_of
from stored_runs import last_run


def test_each_part_of_a_run_is_tested_alone(tmp_path: Path) -> None:
    config = config_of(tmp_path, BAG, "task.ngrams=2", "trainer.limit_batches=0", "data.train_reviews=400")
    train(config, [])
    store = open_store(config.tracking)
    run = RecordedRun(store, last_run(tmp_path)[1])
    right = {(part, split): found for part, split, found in answers_of_parts(run, store)}
    assert right.keys() == {(part, split) for part in ("network", "ngrams") for split in ("validation", "test")}
    package = read_package(fetch_run_model(store, run.run_id, tmp_path / "model") / DATA)
    assert package.model.ngrams is not None
    factors, tested = package.model.ngrams.mix.tolist(), run.predictions
    job = job_of(config)
    assert isinstance(job, ReviewJob)
    logits = {
        part: logits_with(package, alone).logits_of(job.data.corpus.splits["test"]).numpy()
        for part, alone in FACTORS.items()
    }
    assert factors[0] * logits["network"] + factors[1] * logits["ngrams"] == pytest.approx(tested.logits, abs=1e-4)
    for part, alone in logits.items():
        assert (right[part, "test"] == ((alone > 0) == (tested.labels == 1))).all()
