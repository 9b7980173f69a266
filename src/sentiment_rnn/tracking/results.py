"""Finished runs read back from MLflow."""

import json
import math
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from mlflow.artifacts import download_artifacts
from mlflow.entities import Run, RunStatus
from mlflow.exceptions import MlflowException

from sentiment_rnn.config.loading import recorded
from sentiment_rnn.config.run import RunConfig
from sentiment_rnn.errors import FORMER_NAMES, UserError
from sentiment_rnn.inference.predictions import Predictions
from sentiment_rnn.masking import masked
from sentiment_rnn.tracking.names import (
    BEST_ACCURACY,
    BEST_LOSS,
    CONFIGURATION,
    DIVERGED_TAG,
    GRADIENTS,
    IDENTITY_TAG,
    JOBS,
    ORDER_TAG,
    OVERRIDES,
    PARAMETERS,
    PARENT_TAG,
    PREDICTIONS,
    RECORD,
    REUSED_TAG,
    SHORTEST_ID,
    STUDY_TAG,
    SWEEP_TAG,
    TRIAL_TAG,
)
from sentiment_rnn.tracking.store import Store
from sentiment_rnn.tracking.store_errors import STORE_ERRORS, found_or_none, is_missing

RUNNING, FINISHED, FAILED, KILLED = (
    RunStatus.to_string(status)
    for status in (RunStatus.RUNNING, RunStatus.FINISHED, RunStatus.FAILED, RunStatus.KILLED)
)
"""How MLflow calls the states of a run; KILLED is one that was interrupted."""
IS_FINISHED = f"attributes.status = '{FINISHED}'"

Curve = tuple[list[int], list[float]]
"""Steps and values."""


class Metrics(dict[str, float]):
    """The last value of each metric, by name; NaN for one that the run does not have, as an older version's may not."""

    def __missing__(self, name: str) -> float:
        return math.nan


@dataclass(frozen=True)
class RunResult:
    """One finished run, or a draw that diverged. Predictions, gradients and curves are read when they are first asked
    for."""

    store: Store = field(repr=False)
    run_id: str
    config: Any
    """A `ReviewConfig`, a `LanguageModelConfig` or a `SequenceConfig`."""
    overrides: Mapping[str, str]
    """Overrides of the command line or the sweep."""
    metrics: Metrics
    tags: Mapping[str, str] = field(default_factory=dict, repr=False)
    artifacts: str = field(default="", repr=False)
    """Where MLflow keeps its files."""
    data_digest: str = field(default="", repr=False)
    """As `data_digest_of`."""

    @property
    def seed(self) -> int:
        """The seed of the run."""
        return int(self.config.seed)

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
            return Predictions.load(_download(self.store, self.run_id, self.artifacts, PREDICTIONS, folder))

    @cached_property
    def gradients(self) -> np.ndarray:
        """float [3, D]: steps back from the end, ‖∂L/∂x‖ there before training, and after it."""
        with tempfile.TemporaryDirectory() as folder:
            path = _download(self.store, self.run_id, self.artifacts, GRADIENTS, folder)
            return np.loadtxt(path, delimiter=",", skiprows=1, ndmin=2).T

    @property
    def diverged(self) -> bool:
        """Whether its loss became no number, so that it has no score."""
        return DIVERGED_TAG in self.tags

    def curve(self, name: str) -> Curve:
        """Steps and values of a metric while the run trained; the last value of each step, since a resumed run repeats
        its broken epoch."""
        points = {point.step: point.value for point in self.store.client.get_metric_history(self.run_id, name)}
        return sorted(points), [points[step] for step in sorted(points)]


@dataclass(frozen=True)
class SweepPlan:
    """Plan of a sweep: the overrides of each job of a grid, or the space and the trials of a search."""

    jobs: list[list[str]] = field(default_factory=list)
    space: list[str] = field(default_factory=list)
    trials: int = 0
    sampler: str = ""
    """Sampler that proposes the trials."""

    @property
    def count(self) -> int:
        """How many runs it is to have."""
        return self.trials or len(self.jobs)

    @property
    def note(self) -> str:
        """The parent's description while it has no result."""
        return f"search of {self.trials} trials: {masked(' '.join(self.space))}" if self.space else f"{self.count} runs"

    def shown(self) -> dict[str, Any]:
        """The plan as an artifact has it, without secrets."""
        if self.space:
            return {"space": [masked(line) for line in self.space], "trials": self.trials, "sampler": self.sampler}
        return {"jobs": [[masked(override) for override in job] for job in self.jobs]}


def is_finished(run: Run) -> bool:
    """Whether a run was trained and tested to its end, or all jobs of a sweep went well."""
    return str(run.info.status) == FINISHED


def data_digest_of(run: Run) -> str:
    """Beginning of the SHA-256 of the reviews that a run read; empty where it recorded none."""
    inputs = run.inputs.dataset_inputs if run.inputs else []
    return str(inputs[0].dataset.digest) if inputs else ""


def whole_id(store: Store, beginning: str) -> str:
    """The id of the run whose id begins so (`sentiment-rnn runs` shows `SHORTEST_ID` characters of it); what is given
    where there is none. Raises `UserError` where there are several."""
    if not re.fullmatch(f"[0-9a-f]{{{SHORTEST_ID},31}}", beginning):
        return beginning
    everywhere = [experiment.experiment_id for experiment in store.client.search_experiments(max_results=10_000)]
    found = store.client.search_runs(everywhere, f"attributes.run_id LIKE '{beginning}%'", max_results=2)
    if len(found) > 1:
        raise UserError(f"{beginning}: the ids of several runs begin so; give more of it")
    return str(found[0].info.run_id) if found else beginning


def run_or_none(store: Store, run_id: str | None) -> Run | None:
    """A run; None where there is none of this id, or none that this user may read."""
    return found_or_none(lambda: store.client.get_run(run_id)) if run_id else None


def named_run(store: Store, beginning: str) -> Run | None:
    """The run that a user names by its id, or the beginning of that, as `whole_id`; None where there is none."""
    return run_or_none(store, whole_id(store, beginning))


def accuracy_of(run: Run) -> float:
    """A run's validation accuracy; NaN where it has none."""
    return Metrics(run.data.metrics)[BEST_ACCURACY]


def score_of(run: Run) -> str:
    """`88.1 % on 2,500 validation texts`, without the number where the run did not record it; empty without a score."""
    if math.isnan(accuracy_of(run)):
        return ""
    inputs = run.inputs.dataset_inputs if run.inputs else []
    try:
        texts = f"{int(json.loads(inputs[0].dataset.source)['tags']['validation']):,} validation texts"
    except (LookupError, TypeError, ValueError):
        texts = "validation"
    return f"{100 * accuracy_of(run):.1f} % on {texts}"


def validation_rank(run: Run | RunResult) -> tuple[float, float, int, str]:
    """Sort key for runs of one task, the best first: higher validation accuracy, or lower loss where there is no
    accuracy, then fewer parameters, then the smaller seed, then the run's id. The first number is infinite for a run
    without a score."""
    if isinstance(run, RunResult):
        metrics, seed, run_id = run.metrics, run.seed, run.run_id
    else:
        given = run.data.params.get("seed", "")
        metrics, seed, run_id = Metrics(run.data.metrics), int(given) if given.isdecimal() else 0, run.info.run_id
    scores = (-metrics[BEST_ACCURACY], metrics[BEST_LOSS], math.inf)
    return (
        next(score for score in scores if not math.isnan(score)),
        metrics.get(PARAMETERS, math.inf),
        seed,
        run_id,
    )


def find_sweep(store: Store, sweep: str, finished: bool = False) -> Run:
    """A sweep's parent run, by `latest`, a study's name (its latest sweep) or a run id; arguments and errors are those
    of `find_sweeps`."""
    return find_sweeps(store, sweep, finished)[0]


def find_sweeps(store: Store, sweep: str, finished: bool = False) -> list[Run]:
    """The parent runs of sweeps, the latest first: all by `latest`, those of one name by a study's name, one by a run
    id.

    Args:
        finished: look only at sweeps whose jobs have all gone well.

    Raises:
        UserError: there is none, or the id is that of a single run.
    """
    query = f"tags.`{SWEEP_TAG}` LIKE '%'"
    if sweep != "latest":
        if run := named_run(store, sweep):
            if SWEEP_TAG not in run.data.tags:
                raise UserError(f"{run.info.run_id}: a single run; expected a sweep, as sentiment-rnn runs lists them")
            return [run]
        quote = '"' if "'" in sweep else "'"
        query += f" and tags.`{STUDY_TAG}` = {quote}{sweep.replace(quote, '')}{quote}"
    if finished:
        query += f" and {IS_FINISHED}"
    found = store.client.search_runs([store.experiment_id], query, order_by=["start_time DESC"], max_results=1000)
    if not found and finished:
        raise UserError(f"{sweep}: no such sweep has finished in {store.uri}; train it first")
    if not found:
        raise UserError(
            f"{sweep}: no such sweep in {store.uri}; expected latest, a study's name or a parent run's id, "
            "after e.g. sentiment-rnn train experiment=demo"
        )
    return sorted(found, key=_place, reverse=True)


def named_sweeps(store: Store, sweeps: Sequence[str]) -> dict[str, Run]:
    """The parent runs of sweeps, each once, by the name of its study, with its id where two have one name; raises as
    `find_sweep`."""
    parents = {run.info.run_id: run for run in (find_sweep(store, sweep) for sweep in sweeps)}
    names = Counter(str(run.info.run_name) for run in parents.values())
    return {
        str(run.info.run_name) if names[run.info.run_name] == 1 else f"{run.info.run_name} {run_id}": run
        for run_id, run in parents.items()
    }


def latest_of(sweeps: Sequence[Run]) -> Run:
    """The sweep that was begun, resumed, asked for or ended last. Times decide only among those of an earlier version,
    and between two that were begun at once."""
    return max(sweeps, key=_place)


def _place(sweep: Run) -> tuple[int, int]:
    return order_of(sweep), sweep.info.end_time or sweep.info.start_time


def order_of(sweep: Run) -> int:
    """Its place in the order of sweeps; 0 for one of an earlier version, which has none."""
    return _number(sweep.data.tags.get(ORDER_TAG, ""))


def next_order(store: Store) -> str:
    """The place of a sweep that comes after all others of the store. Two that ask at once get the same place: MLflow
    cannot compare and set."""
    tag = f"tags.`{ORDER_TAG}`"
    last = store.client.search_runs([store.experiment_id], f"{tag} LIKE '%'", order_by=[f"{tag} DESC"], max_results=100)
    return f"{1 + max(map(order_of, last), default=0):09d}"  # as texts in the order of the numbers


def _number(tag: str) -> int:
    """The number in a tag; 0 where there is none, as another version or another program may have left it."""
    return int(tag) if tag.isdecimal() and len(tag) <= 15 else 0


def results_of(
    store: Store, parent: Run, diverged: bool = False, known: Mapping[str, tuple[RunConfig, list[str]]] | None = None
) -> list[RunResult]:
    """The finished runs of a sweep, in the order of its jobs; trials are left out.

    Args:
        diverged: whether those that diverged come too.
        known: configuration and overrides of runs that need not be read, by their identities.

    Raises:
        UserError: there are none.
    """
    reused = reused_by(parent)
    runs = finished_runs(store, parent, diverged)
    results = []
    for run in runs:
        config, job = (known or {}).get(run.data.tags.get(IDENTITY_TAG, ""), (None, None))
        results.append(result_of(store, run, reused.get(run.info.run_id, job), config))
    jobs = {frozenset(_pairs(job).items()): place for place, job in enumerate(recorded_plan(store, parent).jobs)}
    # Of a job that was trained again, on a node whose `auto` is another, the last.
    last = {frozenset(result.overrides.items() or {(result.run_id, "")}): result for result in results}
    return [last[job] for job in sorted(last, key=lambda job: jobs.get(job, len(jobs)))]


def finished_runs(store: Store, parent: Run, diverged: bool = False) -> list[Run]:
    """The finished runs of a sweep as MLflow has them, by their start; trials are left out.

    Args:
        diverged: whether those that diverged come too.

    Raises:
        UserError: there are none.
    """
    runs = ended_runs(store, parent, diverged)
    earnest = [run for run in runs if TRIAL_TAG not in run.data.tags]
    name = f"sweep {parent.info.run_name} ({parent.info.run_id})"
    if runs and not earnest:
        raise UserError(f"{name}: its runs are trials ({runs[0].data.tags[TRIAL_TAG]}), which are not compared")
    if not runs:
        raise UserError(f"{name}: no finished run to compare")
    return earnest


def ended_runs(store: Store, parent: Run, diverged: bool = False) -> list[Run]:
    """The runs of a sweep that finished, trials and those that it reuses among them, by their start.

    Args:
        diverged: whether those that diverged come too.
    """
    queries = [f"tags.`{PARENT_TAG}` = '{parent.info.run_id}'"]
    if reused := ", ".join(f"'{run_id}'" for run_id in reused_by(parent)):
        queries.append(f"attributes.run_id IN ({reused})")
    found = [store.client.search_runs([parent.info.experiment_id], query, max_results=10_000) for query in queries]
    runs = sorted(chain(*found), key=lambda run: int(run.info.start_time))
    return [run for run in runs if is_finished(run) or (diverged and DIVERGED_TAG in run.data.tags)]


def reused_by(parent: Run) -> dict[str, list[str]]:
    """The overrides of the jobs of a sweep for which runs stand in that it did not train, by the ids of these runs."""
    tags = ((key.partition(f"{REUSED_TAG}."), value) for key, value in parent.data.tags.items())
    return {run_id: value.splitlines() for (before, tag, run_id), value in tags if tag and not before}


def recorded_plan(store: Store, parent: Run) -> SweepPlan:
    """The jobs of a sweep, or the number of trials of a search; none where they cannot be read, or another version
    recorded them."""
    try:
        told = _read_yaml(store, parent, JOBS, dict)
    except (UserError, OSError, *STORE_ERRORS):  # one that cannot be read says no less of the others
        told = {}
    jobs = told.get("jobs")
    known = isinstance(jobs, list) and all(isinstance(job, list) for job in jobs)
    return SweepPlan(jobs if known else [], trials=_number(str(told.get("trials", 0))))


def result_of(store: Store, run: Run, overrides: list[str] | None = None, config: RunConfig | None = None) -> RunResult:
    """A finished run.

    Args:
        overrides: of the job that asks for it, where they are known.
        config: its configuration, where it is known.

    Raises:
        UserError: its configuration cannot be read.
    """
    return RunResult(
        store,
        run.info.run_id,
        config=config or recorded(_read_yaml(store, run, CONFIGURATION, dict)),
        overrides=_pairs(overrides or _read_yaml(store, run, OVERRIDES, list)),
        metrics=Metrics(run.data.metrics),
        tags=run.data.tags,
        artifacts=str(run.info.artifact_uri),
        data_digest=data_digest_of(run),
    )


def _pairs(overrides: list[str]) -> dict[str, str]:
    pairs = (str(line).lstrip("+").split("=", 1) for line in overrides if "=" in str(line))
    return {FORMER_NAMES.get(key, key): value for key, value in pairs}


def _download(store: Store, run_id: str, artifacts: str, name: str, folder: str) -> Path:
    own = store.checkpoints / run_id / RECORD / "artifacts" / name
    with suppress(FileNotFoundError):  # what MLflow has not got, or not yet
        return Path(shutil.copy(own, folder))
    # Not by the run's id: MLflow would then ask for the run three times, which takes longer than the file.
    try:
        return Path(download_artifacts(f"{artifacts}/{name}", dst_path=folder, tracking_uri=store.uri))
    except (MlflowException, OSError) as error:
        if not is_missing(error):
            raise
        raise UserError(f"run {run_id}: it has no {name}; train again with tracking.repeat=true") from error


def _read_yaml(store: Store, run: Run, name: str, kind: type) -> Any:
    """The plain values in a run's YAML artifact, a `kind`; raises `UserError` for one that is damaged or names code."""
    with tempfile.TemporaryDirectory() as folder:
        path = _download(store, run.info.run_id, run.info.artifact_uri, name, folder)
        try:
            values = yaml.safe_load(path.read_text(encoding="utf-8"))
            if not isinstance(values, kind):
                raise ValueError(f"expected a {kind.__name__}")
            return values
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise UserError(
                f"run {run.info.run_id}: its {name} is damaged ({str(error).splitlines()[0]}); train again"
            ) from error
