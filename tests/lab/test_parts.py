"""The network and the n-grams of a run are also tested alone."""

import io
from pathlib import Path

import numpy as np
import pytest

from experiments.best.parts import measure_run
from experiments.lab.study import find_study
from sentiment_rnn.engine.train import train
from sentiment_rnn.inference.package import read_package
from sentiment_rnn.tracking.models import DATA, fetch_run_model
from sentiment_rnn.tracking.results import RecordedRun
from sentiment_rnn.tracking.store import open_store
from short_runs import BAG, config_of
from stored_runs import last_run


def test_each_part_of_a_run_is_tested_alone(tmp_path: Path) -> None:
    config = config_of(tmp_path, BAG, "task.ngrams=2", "trainer.limit_batches=0", "data.train_reviews=400")
    train(config, [])
    store, study = open_store(config.tracking), find_study("best")
    run = RecordedRun(store, last_run(tmp_path)[1])
    found = measure_run(study, study.sweep("together"), "gru_together", run, store)
    package = read_package(fetch_run_model(store, run.run_id, tmp_path / "model") / DATA)
    assert package.model.ngrams is not None
    factors, tested = package.model.ngrams.mix.tolist(), run.predictions
    ((name, content),) = found.files.items()
    assert name == f"logits/together_gru_together_{run.seed}.npz"
    with np.load(io.BytesIO(content)) as logits:
        parts = {part: logits[f"{part}_test"].astype(float) for part in ("network", "ngrams")}
        assert set(logits) == {f"{part}_{of}" for part in parts for of in ("validation", "test")}
    both = factors[0] * parts["network"] + factors[1] * parts["ngrams"]
    assert both == pytest.approx(tested.logits, rel=2e-3, abs=1e-3), "in three digits"
    for part, alone in parts.items():
        key = "together", f"gru_together_{part}", "", run.seed
        assert (found.correct[key].right == ((alone > 0) == (tested.labels == 1))).all()
        assert (*key[:1], "together", *key[1:], None, "test", "accuracy", found.correct[key].right.mean()) in found.rows
