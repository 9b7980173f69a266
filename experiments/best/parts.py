"""What the network and the n-grams say alone, of classifiers that were trained with both."""

import io
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from experiments.best import pretrained
from experiments.lab.results import Correct
from experiments.lab.study import Study, Sweep
from experiments.lab.sweeps import Measured, reviews_digest
from sentiment_rnn.inference.package import Package, read_package
from sentiment_rnn.inference.predictions import calibrate, is_correct
from sentiment_rnn.inference.predictor import Predictor
from sentiment_rnn.tasks.job import job_of
from sentiment_rnn.tasks.reviews import ReviewJob
from sentiment_rnn.tracking.models import DATA, fetch_run_model
from sentiment_rnn.tracking.results import RecordedRun
from sentiment_rnn.tracking.store import Store

FACTORS = {"network": (1.0, 0.0), "ngrams": (0.0, 1.0)}
"""By part: factors of the logits of the network and of the n-grams that leave only this part."""


def measure_run(study: Study, sweep: Sweep, arm: str, run: RecordedRun, store: Store) -> Measured:
    """Costs of a run. Of a classifier also the accuracy of each part alone, as arms `{arm}_{part}`, and a file with its
    logits of validation and test, float16 [N], by `{part}_{split}`. Reviews are in the order of their split."""
    found = pretrained.measure_run(study, sweep, arm, run, store)
    if not sweep.compared:  # a language model
        return found
    digest = reviews_digest(run.predictions, np.full(len(run.predictions.labels), True))
    kept: dict[str, Any] = {}
    for part, split, logits, labels in logits_of_parts(run, store):
        right, of_part = is_correct(calibrate(logits, 1.0), labels), f"{arm}_{part}"
        found.rows.append((sweep.name, sweep.protocol, of_part, "", run.seed, None, split, "accuracy", right.mean()))
        kept[f"{part}_{split}"] = logits.numpy().astype(np.float16)
        if split == "test":
            found.correct[sweep.name, of_part, "", run.seed] = Correct(right, digest)
    np.savez_compressed(content := io.BytesIO(), **kept)
    found.files[f"logits/{sweep.name}_{arm}_{run.seed}.npz"] = content.getvalue()
    return found


def logits_of_parts(run: RecordedRun, store: Store) -> Iterator[tuple[str, str, torch.Tensor, np.ndarray]]:
    """Part, split, float32 [N], the logits of that part alone, and int8 [N], the labels."""
    job = job_of(run.config)
    assert isinstance(job, ReviewJob)
    splits = job.data.corpus.splits
    with tempfile.TemporaryDirectory() as folder:
        package = read_package(fetch_run_model(store, run.run_id, Path(folder)) / DATA)
        for part, factors in FACTORS.items():
            for split in ("validation", "test"):
                yield part, split, logits_with(package, factors).logits_of(splits[split]), splits[split].labels


def logits_with(package: Package, factors: tuple[float, float]) -> Predictor:
    """A predictor of a model whose parts have these factors."""
    assert package.model.ngrams is not None
    package.model.ngrams.mix.copy_(torch.tensor(factors))
    return Predictor(package)
