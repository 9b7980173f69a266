"""A sweep: a name, its parent run, and the identity of the run of each job of its last launch."""

import json
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from mlflow.entities import Run, RunTag
from mlflow.utils.time import get_current_time_millis

from sentiment_rnn.errors import UserError
from sentiment_rnn.files import FileLock
from sentiment_rnn.tracking.description import origin_tags
from sentiment_rnn.tracking.names import (
    BEST_ACCURACY,
    BEST_LOSS,
    JOB_TAG,
    LAUNCHED_TAG,
    LONGEST_TAG,
    NOTE_TAG,
    PARENT_TAG,
    SEARCH_TAG,
    STUDY_TAG,
    SWEEP_TAG,
    TRIAL_TAG,
)
from sentiment_rnn.tracking.results import (
    FAILED,
    FINISHED,
    IS_FINISHED,
    KILLED,
    RUNNING,
    RecordedRun,
    run_or_none,
    runs_of,
    search,
)
from sentiment_rnn.tracking.store import VIEW, Store, where_to_look
from sentiment_rnn.tracking.store_errors import STORE_ERRORS, quick_answers, short_reason, store_errors

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from sentiment_rnn.tracking.description import Description

SET_BY_SWEEP = ("study", "tracking.search_trial", "trainer.jobs_at_once")
"""Keys that a sweep sets for its jobs."""
log = logging.getLogger("sentiment_rnn")


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
    if sweep != "latest" and (named := run_or_none(store, sweep)):
        if SWEEP_TAG not in named.tags:
            raise UserError(f"{named.run_id}: a single run; expected a sweep, as sentiment-rnn runs lists them")
        return [named.run]
    parents = parents_called(store, None if sweep == "latest" else sweep, finished)
    if not parents:
        raise UserError(
            f"{sweep}: no such sweep{' has finished' * finished} in {store.uri}; expected latest, a study's name or a "
            "parent run's id, after e.g. sentiment-rnn train experiment=demo"
        )
    return parents


def named_sweeps(store: Store, sweeps: Sequence[str]) -> dict[str, Run]:
    """The parent runs of sweeps, each once, by the name of its study, with its id where two have one name; raises as
    `find_sweep`."""
    parents = {run.info.run_id: run for run in (find_sweep(store, sweep) for sweep in sweeps)}
    names = Counter(str(run.info.run_name) for run in parents.values())
    return {
        str(run.info.run_name) if names[run.info.run_name] == 1 else f"{run.info.run_name} {run_id}": run
        for run_id, run in parents.items()
    }


def parents_called(store: Store, study: str | None, finished: bool = False) -> list[Run]:
    """The parent runs of the sweeps of a name, or all, the one that was launched last first; none where there is none.

    Args:
        finished: look only at sweeps whose jobs have all gone well.
    """
    query = f"tags.`{SWEEP_TAG}` LIKE '%'" + f" and {IS_FINISHED}" * finished
    if study is not None:
        quote = '"' if "'" in study else "'"
        query += f" and tags.`{STUDY_TAG}` = {quote}{study}{quote}"
    parents = [run.run for run in search(store, query, order="start_time DESC")]
    return sorted(parents, key=launched, reverse=True)


def launched(parent: Run) -> int:
    """When a sweep was last launched, in milliseconds since 1970."""
    return _number(parent, LAUNCHED_TAG)


def jobs_of(parent: Run) -> dict[int, tuple[str, list[str]]]:
    """Identity and overrides of the jobs of a sweep's last launch, by their numbers."""
    jobs = {}
    for key, tag in parent.data.tags.items():
        if key.startswith(JOB_TAG) and tag:
            identity, *overrides = tag.split("\n")
            jobs[int(key.removeprefix(JOB_TAG))] = (identity, overrides)
    return dict(sorted(jobs.items()))


def jobs_in(parent: Run) -> int:
    """How many jobs the last launch of a sweep had."""
    return _number(parent, SWEEP_TAG)


def _number(parent: Run, tag: str) -> int:
    """The number in a tag; 0 where there is none, as in a sweep of version 0.4."""
    value = parent.data.tags.get(tag, "")
    return int(value) if value.isdecimal() else 0


def results_of(store: Store, parent: Run, diverged: bool = False) -> list[RecordedRun]:
    """The finished runs of a sweep, one for each job, in the order of its jobs; trials are left out.

    Args:
        diverged: whether those that diverged come too.

    Raises:
        UserError: there are none.
    """
    runs = ended_runs(store, parent, diverged)
    earnest = [run for run in runs if TRIAL_TAG not in run.tags]
    name = f"sweep {parent.info.run_name} ({parent.info.run_id})"
    if runs and not earnest:
        raise UserError(f"{name}: its runs are trials ({runs[0].tags[TRIAL_TAG]}), which are not compared")
    if not runs:
        raise UserError(f"{name}: no finished run to compare")
    return earnest


def ended_runs(store: Store, parent: Run, diverged: bool = False) -> list[RecordedRun]:
    """The runs of a sweep that FINISHED: of each identity the first. Trials are among them; arguments as
    `results_of`."""
    jobs = dict(jobs_of(parent).values())
    first: dict[str, RecordedRun] = {}
    for run in runs_of(store, jobs, not diverged, [parent.info.experiment_id]):
        if run.finished or (diverged and run.diverged):
            first.setdefault(run.identity, run)
    return [
        RecordedRun(store, first[identity].run, overrides) for identity, overrides in jobs.items() if identity in first
    ]


class OpenSweep:
    """The parent run of a sweep that this process launches: RUNNING until `close`. After `with` it is FINISHED, KILLED
    where a signal ended the block, or FAILED.

    Args:
        study: the sweep's name.
        jobs: the identity of the run of each job of this launch, and its overrides; none of a search, whose jobs note
            themselves.
        trials: how many runs a search is to have.
        search: digest of its space.

    Raises:
        UserError: the store refuses it.
    """

    def __init__(
        self, store: Store, study: str, jobs: Sequence[tuple[str, Sequence[str]]], trials: int = 0, search: str = ""
    ) -> None:
        self.store, self.search, self.jobs, self.count = store, search, jobs, trials or len(jobs)
        note = f"search of {trials} trials" if trials else f"{self.count} runs"
        tags = {STUDY_TAG: study, NOTE_TAG: note, SEARCH_TAG: search, **origin_tags()}
        tags[LAUNCHED_TAG] = str(get_current_time_millis())
        with store_errors(store.uri, store.experiment, "EDIT"), FileLock(store.directory / ".store.lock"):
            parent = next(iter(parents_called(store, study)), None)
            tags |= {f"{JOB_TAG}{number}": _listed(identity, job) for number, (identity, job) in enumerate(self.jobs)}
            tags[SWEEP_TAG] = str(self.count)  # last: it says that the jobs are listed
            if parent is None:
                name = study[:250]
                marks = {SWEEP_TAG: "0", STUDY_TAG: study}
                parent = store.client.create_run(store.experiment_id, run_name=name, tags=marks)
            else:
                store.client.update_run(parent.info.run_id, status=RUNNING)
            if not search or parent.data.tags.get(SEARCH_TAG) != search:  # the jobs of an earlier launch
                tags = {key: "" for key in parent.data.tags if key.startswith(JOB_TAG)} | tags
            store.client.log_batch(parent.info.run_id, tags=[RunTag(*tag) for tag in tags.items()])
            store.client.set_experiment_tag(store.experiment_id, f"mlflow.sharedViewState.{VIEW}", view_of(parent))
        self.run = parent
        """As it is now."""
        self.run.data.tags.update(tags)
        self.run_id = str(parent.info.run_id)

    def __enter__(self) -> "OpenSweep":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        interrupted = kind is not None and issubclass(kind, KeyboardInterrupt | SystemExit)
        self.close(KILLED if interrupted else FAILED if kind else FINISHED)

    def log_files(self, texts: Mapping[str, str], figures: "Mapping[str, Figure]") -> None:
        """Artifacts, by their names; a store that does not take them now ends no sweep."""
        try:
            self.store.log_files(self.run_id, texts, figures)
        except (*STORE_ERRORS, OSError) as error:
            log.warning("sweep: %s not recorded (%s)", ", ".join([*texts, *figures]), short_reason(error))

    def close(self, status: str, text: str = "") -> None:
        """End the parent run with one of MLflow's statuses, and say where its runs can be seen.

        Args:
            text: its description from now on.
        """
        try:
            with quick_answers():
                if text:
                    self.store.client.set_tag(self.run_id, NOTE_TAG, text[:LONGEST_TAG])
                self.store.client.set_terminated(self.run_id, status)
        except (*STORE_ERRORS, OSError) as error:
            log.warning("sweep: %s, but run %s does not say so (%s)", status, self.run_id, short_reason(error))
            return
        outcome = status if status == FINISHED else f"{status}; the same command resumes it"
        log.info("sweep: %s, run %s; %s", outcome, self.run_id, where_to_look(self.store))


def view_of(sweep: Run) -> str:
    """What MLflow's page of runs shows of a sweep, as its links to a view have it: its runs, the best first."""
    columns = [f"params.`{name}`" for name in ("encoder.name", "seed")]
    columns += [f"metrics.`{name}`" for name in (BEST_ACCURACY, "test/accuracy", BEST_LOSS)]
    return json.dumps({
        "searchFilter": f"tags.`{PARENT_TAG}` = '{sweep.info.run_id}'", "selectedColumns": columns,
        "orderByKey": f"metrics.`{BEST_ACCURACY}`", "orderByAsc": False,
    })  # fmt: skip


def join_sweep(store: Store, description: "Description") -> tuple[Run, list[str]]:
    """The parent run of the sweep of a job, and those of the job's overrides that not all jobs have.

    Lists a job whose identity the launcher could not know: a trial of a search, or a job on a machine where `auto`
    means something else.

    Raises:
        UserError: there is no such sweep.
    """
    parents = parents_called(store, description.study)
    if not parents:
        raise UserError(
            f"study={description.study}: no sweep of this name in {store.uri}, so its job's run would belong to none; "
            "keep hydra/sweeper=grid or search, which opens it, and give all machines the same tracking.uri or "
            "tracking.directory"
        )
    parent, jobs, number = parents[0], jobs_of(parents[0]), description.search_trial
    if number is None:
        own = _own(description.overrides)
        number = next((number for number, (_, job) in jobs.items() if _own(job) == own), None)
    if number is not None and jobs.get(number, ("",))[0] != description.identity:
        listed = _listed(description.identity, description.overrides)
        store.client.set_tag(parent.info.run_id, f"{JOB_TAG}{number}", listed)
    job = next((job for identity, job in jobs.values() if identity == description.identity), [])
    return parent, [override for override in job if any(override not in other for _, other in jobs.values())]


def _listed(identity: str, overrides: Sequence[str]) -> str:
    return "\n".join([identity, *map(_line, overrides)])


def _line(override: str) -> str:
    """An override as a parent run lists it, in one line."""
    return override.replace("\n", " ")


def _own(overrides: Iterable[str]) -> set[str]:
    """The overrides of a job that it has of its user, and not of its sweep."""
    return {line for line in map(_line, overrides) if line.partition("=")[0] not in SET_BY_SWEEP}


def log_comparison(store: Store, parent: Run, note: str, files: dict[str, str], figure: "Figure") -> None:
    """Put tables and figure into the parent run, under `comparison/`; raises `UserError` where the store refuses.

    Args:
        note: the run's description from now on, in Markdown.
    """
    try:
        with store_errors(store.uri, store.experiment, "EDIT"):
            store.client.set_tag(parent.info.run_id, NOTE_TAG, note[:LONGEST_TAG])
            texts = {f"comparison/{name}": text for name, text in files.items()}
            store.log_files(parent.info.run_id, texts, {"comparison/comparison.png": figure})
    except OSError as error:
        raise UserError(
            f"{store.uri}: nothing was logged ({error.strerror or error}); make its folder writable"
        ) from error
