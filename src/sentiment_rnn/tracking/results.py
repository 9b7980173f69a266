"""Finished runs read back from MLflow."""

import json
import math
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
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
    JOB_TAG,
    LAUNCHED_TAG,
    OVERRIDES,
    PARAMETERS,
    PARENT_TAG,
    PREDICTIONS,
    SEARCH_TAG,
    SHORTEST_ID,
    STUDY_TAG,
    SWEEP_TAG,
    TRIAL_TAG,
)
from sentiment_rnn.tracking.store import Store
from sentiment_rnn.tracking.store_errors import found_or_none, is_missing

RUNNING, FINISHED, FAILED, KILLED = (
    RunStatus.to_string(status)
    for status in (RunStatus.RUNNING, RunStatus.FINISHED, RunStatus.FAILED, RunStatus.KILLED)
)
"""How MLflow calls the states of a run; KILLED is one that was interrupted."""
IS_FINISHED = f"attributes.status = '{FINISHED}'"
PAGE = 1000
"""Runs that are asked for at a time."""
MOST_SEARCHES = 10
"""Beginnings of identities that are asked for one by one; for more, all runs are read."""

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
    count = validation_texts_of(run)
    return f"{100 * accuracy_of(run):.1f} % on {f'{count:,} validation texts' if count else 'validation'}"


def validation_texts_of(run: Run) -> int | None:
    """How many texts a run was validated on; None where it did not record it."""
    inputs = run.inputs.dataset_inputs if run.inputs else []
    try:
        return int(json.loads(inputs[0].dataset.source)["tags"]["validation"])
    except (LookupError, TypeError, ValueError):
        return None


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
    """A sweep's parent run, by `latest`, a study's name or a run id; arguments and errors are those of
    `find_sweeps`."""
    return find_sweeps(store, sweep, finished)[0]


def find_sweeps(store: Store, sweep: str, finished: bool = False) -> list[Run]:
    """The parent runs of sweeps, the one that was launched last first: all by `latest`, those of one name by a study's
    name, one by a run id. A name has several where two machines launched it at once, or an earlier version did.

    Args:
        finished: look only at sweeps whose jobs have all gone well.

    Raises:
        UserError: there is none, or the id is that of a single run.
    """
    if sweep != "latest" and (run := named_run(store, sweep)):
        if SWEEP_TAG not in run.data.tags:
            raise UserError(f"{run.info.run_id}: a single run; expected a sweep, as sentiment-rnn runs lists them")
        return [run]
    found = sweeps_called(store, None if sweep == "latest" else sweep, finished)
    if not found and finished:
        raise UserError(f"{sweep}: no such sweep has finished in {store.uri}; train it first")
    if not found:
        raise UserError(
            f"{sweep}: no such sweep in {store.uri}; expected latest, a study's name or a parent run's id, "
            "after e.g. sentiment-rnn train experiment=demo"
        )
    return found


def sweeps_called(store: Store, study: str | None, finished: bool = False) -> list[Run]:
    """The parent runs of the sweeps of a name, or all, the one that was launched last first; none where there is none.

    Args:
        finished: look only at sweeps whose jobs have all gone well.
    """
    query = f"tags.`{SWEEP_TAG}` LIKE '%'" + f" and {IS_FINISHED}" * finished
    quote = next((quote for quote in "'\"" if study is not None and quote not in study), "")
    if quote:  # of a name with both kinds of quotes MLflow cannot be asked
        query += f" and tags.`{STUDY_TAG}` = {quote}{study}{quote}"
    runs = store.client.search_runs([store.experiment_id], query, order_by=["start_time DESC"], max_results=PAGE)
    found = [run for run in runs if study is None or run.data.tags.get(STUDY_TAG) == study]
    return sorted(found, key=launched, reverse=True)


def launched(sweep: Run) -> int:
    """When a sweep was last launched, in milliseconds since 1970; one of an earlier version, when it began."""
    return _number(sweep.data.tags.get(LAUNCHED_TAG, "")) or int(sweep.info.start_time)


def named_sweeps(store: Store, sweeps: Sequence[str]) -> dict[str, Run]:
    """The parent runs of sweeps, each once, by the name of its study, with its id where two have one name; raises as
    `find_sweep`."""
    parents = {run.info.run_id: run for run in (find_sweep(store, sweep) for sweep in sweeps)}
    names = Counter(str(run.info.run_name) for run in parents.values())
    return {
        str(run.info.run_name) if names[run.info.run_name] == 1 else f"{run.info.run_name} {run_id}": run
        for run_id, run in parents.items()
    }


def jobs_of(parent: Run) -> dict[int, tuple[str, list[str]]]:
    """Identity and overrides of the jobs of a sweep's last launch, by their numbers; none of an earlier version."""
    # A trial that was killed while it was proposed keeps its number, so a search may number more than it counts.
    count, searches, jobs = jobs_in(parent), bool(parent.data.tags.get(SEARCH_TAG)), {}
    for key, tag in parent.data.tags.items():
        number = key.removeprefix(JOB_TAG)
        if number != key and number.isdecimal() and tag and (searches or int(number) < count):
            identity, *overrides = tag.split("\n")
            jobs[int(number)] = (identity, overrides)
    return dict(sorted(jobs.items()))


def jobs_in(parent: Run) -> int:
    """How many jobs the last launch of a sweep had; 0 where an earlier version launched it."""
    return _number(parent.data.tags.get(SWEEP_TAG, ""))


def _number(tag: str) -> int:
    """The number in a tag; 0 where there is none, as another version or another program may have left it."""
    return int(tag) if tag.isdecimal() and len(tag) <= 13 else 0


def runs_of(
    store: Store, identities: Collection[str], finished: bool = False, experiments: Sequence[str] = ()
) -> list[Run]:
    """The runs of some identities: first those that FINISHED, in that order, then the others.

    MLflow refuses `IN` for tags. So they are asked for by the beginnings that the runs of a sweep share.

    Args:
        identities: one alone may be the beginning of several, with % behind it.
        experiments: their ids; none for that of the store.
    """
    beginnings = {f"{identity[:SHARED]}%" for identity in identities} if len(identities) > 1 else set(identities)
    if len(beginnings) > MOST_SEARCHES:
        beginnings = {"%"}
    runs = []
    for beginning in beginnings:
        query = f"tags.`{IDENTITY_TAG}` {'LIKE' if '%' in beginning else '='} '{beginning}'"
        query += f" and {IS_FINISHED}" * finished
        for run in pages(
            lambda token, query=query: store.client.search_runs(  # type: ignore[misc]
                [*experiments] or [store.experiment_id],
                query,
                max_results=PAGE,
                order_by=["start_time ASC"],
                page_token=token,
            )
        ):
            if run.data.tags[IDENTITY_TAG] in identities or len(identities) == 1:
                runs.append(run)
    return sorted(runs, key=lambda run: (not is_finished(run), run.info.end_time or run.info.start_time))


def pages(ask: Callable[[str | None], Any]) -> Iterator[Any]:
    """Everything that MLflow gives page by page."""
    page = ask(None)
    yield from page
    while page.token:
        page = ask(page.token)
        yield from page


def results_of(store: Store, parent: Run, diverged: bool = False) -> list[RunResult]:
    """The finished runs of a sweep, in the order of its jobs; trials are left out.

    Args:
        diverged: whether those that diverged come too.

    Raises:
        UserError: there are none.
    """
    overrides = dict(jobs_of(parent).values())
    results = []
    for run in finished_runs(store, parent, diverged):
        results.append(result_of(store, run, overrides.get(run.data.tags.get(IDENTITY_TAG, ""))))
    return results


def finished_runs(store: Store, parent: Run, diverged: bool = False) -> list[Run]:
    """The finished runs of a sweep as MLflow has them, one for each job, in their order; trials are left out.

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
    """The runs of a sweep that FINISHED: of each identity the first. Trials are among them.

    Args:
        diverged: whether those that diverged come too.
    """

    def ended(run: Run) -> bool:
        return is_finished(run) or (diverged and DIVERGED_TAG in run.data.tags)

    if not jobs_in(parent):  # of an earlier version
        query = f"tags.`{PARENT_TAG}` = '{parent.info.run_id}'"
        runs = store.client.search_runs(
            [parent.info.experiment_id], query, order_by=["start_time ASC"], max_results=PAGE
        )
        return [run for run in runs if ended(run)]
    identities = dict.fromkeys(identity for identity, _ in jobs_of(parent).values())
    first: dict[str, Run] = {}
    for run in runs_of(store, identities, not diverged, [parent.info.experiment_id]):
        if ended(run):
            first.setdefault(run.data.tags[IDENTITY_TAG], run)
    return [first[identity] for identity in identities if identity in first]


def result_of(store: Store, run: Run, overrides: list[str] | None = None) -> RunResult:
    """A finished run.

    Args:
        overrides: of the job that asks for it, where they are known.

    Raises:
        UserError: its configuration cannot be read.
    """
    return RunResult(
        store,
        run.info.run_id,
        config=recorded(_read_yaml(store, run, CONFIGURATION, dict)),
        overrides=_pairs(overrides or _read_yaml(store, run, OVERRIDES, list)),
        metrics=Metrics(run.data.metrics),
        tags=run.data.tags,
        artifacts=str(run.info.artifact_uri),
        data_digest=data_digest_of(run),
    )


def _pairs(overrides: list[str]) -> dict[str, str]:
    pairs = (str(line).lstrip("+").split("=", 1) for line in overrides if "=" in str(line))
    return dict(pairs)


def _download(store: Store, run_id: str, artifacts: str, name: str, folder: str) -> Path:
    # Not by the run's id: MLflow would then ask for the run three times, which takes longer than the file.
    try:
        return Path(download_artifacts(f"{artifacts}/{name}", dst_path=folder, tracking_uri=store.uri))
    except (MlflowException, OSError) as error:
        if not is_missing(error):
            raise
        raise UserError(f"run {run_id}: it has no {name}; delete the run in MLflow, and train it again") from error


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
