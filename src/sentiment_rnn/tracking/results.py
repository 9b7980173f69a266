"""Reads runs back from MLflow. The files of a run are read when they are first needed."""

import json
import math
import re
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from mlflow.artifacts import download_artifacts
from mlflow.entities import Run, RunStatus
from mlflow.exceptions import MlflowException

from sentiment_rnn.config.loading import recorded
from sentiment_rnn.config.run import SHARED
from sentiment_rnn.errors import UserError
from sentiment_rnn.inference.predictions import Predictions
from sentiment_rnn.tracking.names import (
    BEST_ACCURACY,
    BEST_LOSS,
    CONFIGURATION,
    DIVERGED_TAG,
    GRADIENTS,
    IDENTITY_TAG,
    OVERRIDES,
    PARAMETERS,
    PREDICTIONS,
    SHORTEST_ID,
)
from sentiment_rnn.tracking.store import Store
from sentiment_rnn.tracking.store_errors import is_missing

RUNNING, FINISHED, FAILED, KILLED = (
    RunStatus.to_string(status)
    for status in (RunStatus.RUNNING, RunStatus.FINISHED, RunStatus.FAILED, RunStatus.KILLED)
)
"""MLflow's names for the states of a run; an interrupted run is KILLED."""
IS_FINISHED = f"attributes.status = '{FINISHED}'"
MOST_RUNS = 50_000
"""Most runs that one request to MLflow returns."""

Curve = tuple[list[int], list[float]]
"""Steps and values."""


class Metrics(dict[str, float]):
    """The last value of each metric, by name; NaN for a metric that the run does not have."""

    def __missing__(self, name: str) -> float:
        return math.nan


@dataclass(frozen=True)
class RecordedRun:
    """A run in a store. Its configuration, predictions, gradients and curves are read when they are first needed.

    Raises:
        UserError: a part that is read is missing or damaged.
    """

    store: Store = field(repr=False)
    run: Run = field(repr=False)
    """MLflow's own object."""
    job: Sequence[str] = field(default=(), repr=False)
    """Overrides of the job whose run this is, if known. Another sweep may have trained the run, with other
    overrides."""

    @property
    def run_id(self) -> str:
        """Its id in MLflow."""
        return str(self.run.info.run_id)

    @property
    def name(self) -> str:
        """Its name in MLflow."""
        return str(self.run.info.run_name)

    @property
    def tags(self) -> dict[str, str]:
        """Its tags."""
        tags: dict[str, str] = self.run.data.tags
        return tags

    @property
    def identity(self) -> str:
        """Digest of its settings, its data and its code; empty for a run of an earlier version."""
        return self.tags.get(IDENTITY_TAG, "")

    @property
    def status(self) -> str:
        """One of `RUNNING`, `FINISHED`, `FAILED` and `KILLED`."""
        return str(self.run.info.status)

    @property
    def finished(self) -> bool:
        """Whether it was trained and tested to its end."""
        return self.status == FINISHED

    @property
    def diverged(self) -> bool:
        """Whether its loss became NaN or infinite, so that it has no score."""
        return DIVERGED_TAG in self.tags

    @property
    def updated(self) -> int:
        """When it ended, or if it has not, when it began [ms since 1970]."""
        return int(self.run.info.end_time or self.run.info.start_time)

    @cached_property
    def metrics(self) -> Metrics:
        """The last value of each metric."""
        return Metrics(self.run.data.metrics)

    @property
    def seed(self) -> int:
        """The seed of the run; 0 where it recorded none."""
        seed = self.run.data.params.get("seed", "")
        return int(seed) if seed.isdecimal() else 0

    @cached_property
    def data_digest(self) -> str:
        """Beginning of the SHA-256 of the reviews that it read; empty if it was not recorded."""
        inputs = self.run.inputs.dataset_inputs if self.run.inputs else []
        return str(inputs[0].dataset.digest) if inputs else ""

    @property
    def score(self) -> str:
        """`88.1 % on 2,500 validation texts`; without the number of texts if the run did not record it; empty without a
        validation accuracy."""
        if math.isnan(accuracy := self.metrics[BEST_ACCURACY]):
            return ""
        count = self.validation_texts
        return f"{100 * accuracy:.1f} % on {f'{count:,} validation texts' if count else 'validation'}"

    @property
    def validation_texts(self) -> int | None:
        """How many texts it was validated on; None where it did not record that."""
        inputs = self.run.inputs.dataset_inputs if self.run.inputs else []
        try:
            return int(json.loads(inputs[0].dataset.source)["tags"]["validation"])
        except (LookupError, TypeError, ValueError):
            return None

    @property
    def validation_rank(self) -> tuple[float, float, int, str]:
        """Sort key for runs of one task, the best first: higher validation accuracy, or lower loss where there is no
        accuracy, then fewer parameters, then the smaller seed, then the run's id. The first number is infinite for a
        run without a score."""
        scores = (-self.metrics[BEST_ACCURACY], self.metrics[BEST_LOSS], math.inf)
        score = next(score for score in scores if not math.isnan(score))
        return score, self.metrics.get(PARAMETERS, math.inf), self.seed, self.run_id

    @cached_property
    def config(self) -> Any:
        """A `ReviewConfig`, a `LanguageModelConfig` or a `SequenceConfig`."""
        return recorded(self._read_yaml(CONFIGURATION, dict))

    @cached_property
    def overrides(self) -> Mapping[str, str]:
        """Overrides of the command line or the sweep, by their keys."""
        lines = map(str, self.job or self._read_yaml(OVERRIDES, list))
        return dict(line.lstrip("+").split("=", 1) for line in lines if "=" in line)

    @property
    def encoder(self) -> str:
        """The encoder's name."""
        return str(self.config.encoder.name)

    @property
    def label(self) -> str:
        """The encoder's name in tables and figures."""
        return str(self.config.encoder.label_with(self.overrides))

    @property
    def learning_rate(self) -> float:
        """The peak learning rate."""
        return float(self.config.optimizer.learning_rate)

    @cached_property
    def predictions(self) -> Predictions:
        """Predictions of the run for the test reviews."""
        with tempfile.TemporaryDirectory() as folder:
            return Predictions.load(self._download(PREDICTIONS, folder))

    @cached_property
    def gradients(self) -> np.ndarray:
        """float [3, D]: steps back from the end, ‖∂L/∂x‖ there before training, and after it."""
        with tempfile.TemporaryDirectory() as folder:
            return np.loadtxt(self._download(GRADIENTS, folder), delimiter=",", skiprows=1, ndmin=2).T

    def curve(self, name: str) -> Curve:
        """Steps and values of a metric during training. Only the last value of each step counts, since a resumed run
        repeats the interrupted epoch."""
        points = {point.step: point.value for point in self.store.client.get_metric_history(self.run_id, name)}
        return sorted(points), [points[step] for step in sorted(points)]

    def _read_yaml(self, name: str, kind: type) -> Any:
        """The plain values in a YAML artifact, an object of type `kind`; refuses a file that is damaged or names
        code."""
        with tempfile.TemporaryDirectory() as folder:
            path = self._download(name, folder)
            try:
                values = yaml.safe_load(path.read_text(encoding="utf-8"))
                if not isinstance(values, kind):
                    raise ValueError(f"expected a {kind.__name__}")
                return values
            except (yaml.YAMLError, ValueError, RecursionError) as error:
                raise UserError(
                    f"run {self.run_id}: its {name} is damaged ({str(error).splitlines()[0]}); train again"
                ) from error

    def _download(self, name: str, folder: str) -> Path:
        # Not by the run's id: MLflow would then request the run three times, which takes longer than the file.
        address = f"{self.run.info.artifact_uri}/{name}"
        try:
            return Path(download_artifacts(address, dst_path=folder, tracking_uri=self.store.uri))
        except (MlflowException, OSError) as error:
            if not is_missing(error):
                raise
            raise UserError(
                f"run {self.run_id}: it has no {name}; delete the run in MLflow, and train it again"
            ) from error


def search(
    store: Store, query: str, experiments: Sequence[str] = (), order: str = "start_time ASC"
) -> list[RecordedRun]:
    """The first `MOST_RUNS` runs that match a query in MLflow's language.

    Args:
        experiments: ids of experiments; if empty, the store's own.
    """
    places = [*experiments] or [store.experiment_id]
    runs = store.client.search_runs(places, query, max_results=MOST_RUNS, order_by=[order])
    return [RecordedRun(store, run) for run in runs]


def run_or_none(store: Store, beginning: str) -> RecordedRun | None:
    """The run of any experiment whose id has this beginning, of at least `SHORTEST_ID` characters. None if there is
    none that this user may read. Raises `UserError` if there are several."""
    if not re.fullmatch(f"[0-9a-f]{{{SHORTEST_ID},32}}", beginning):
        return None
    experiments = [experiment.experiment_id for experiment in store.client.search_experiments(max_results=10_000)]
    runs = search(store, f"attributes.run_id LIKE '{beginning}%'", experiments)
    if len(runs) > 1:
        raise UserError(f"{beginning}: the ids of several runs begin so; give more of it")
    return runs[0] if runs else None


def runs_of(
    store: Store, identities: Collection[str], finished: bool = False, experiments: Sequence[str] = ()
) -> list[RecordedRun]:
    """The runs of some identities: first the FINISHED ones, in the order in which they finished, then the others.

    MLflow refuses `IN` for tags. So runs are requested by the beginnings of identities that the runs of a sweep share.

    Args:
        experiments: ids of experiments; if empty, the store's own.
    """
    beginnings = {identity[:SHARED] for identity in identities} if len(identities) > 1 else set(identities)
    runs = []
    for beginning in beginnings:
        query = f"tags.`{IDENTITY_TAG}` LIKE '{beginning}%'" + f" and {IS_FINISHED}" * finished
        runs += search(store, query, experiments)
    wanted = [run for run in runs if run.identity in identities]
    return sorted(wanted, key=lambda run: (not run.finished, run.updated))
