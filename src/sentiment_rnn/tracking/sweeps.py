"""A sweep: its name, its parent run, and the identities of the runs of its last launch."""

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
    """A sweep's parent run, by `latest`, a study's name or a run id, with the arguments and errors of `find_sweeps`."""
    return find_sweeps(store, sweep, finished)[0]


def find_sweeps(store: Store, sweep: str, finished: bool = False) -> list[Run]:
    """The parent runs of sweeps, the last launched first: of all sweeps for `latest`, of the sweeps with a study's
    name, or of one sweep for a run id. Several sweeps have the same name if two machines launched it at the same time,
    or if an earlier version did.

    Args:
        finished: consider only sweeps whose jobs have all succeeded.

    Raises:
        UserError: there is none, or the id belongs to a single run.
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
    """The parent runs of sweeps, each once, by the name of the study; with the run's id if two have the same name.
    Raises the errors of `find_sweep`."""
    parents = {run.info.run_id: run for run in (find_sweep(store, sweep) for sweep in sweeps)}
    names = Counter(str(run.info.run_name) for run in parents.values())
    return {
        str(run.info.run_name) if names[run.info.run_name] == 1 else f"{run.info.run_name} {run_id}": run
        for run_id, run in parents.items()
    }


def parents_called(store: Store, study: str | None, finished: bool = False) -> list[Run]:
    """The parent runs of all sweeps, or of those with a name, the last launched first; may be empty.

    Args:
        finished: consider only sweeps whose jobs have all succeeded.
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
    """Identity and overrides of each job in a sweep's last launch, by the job's number."""
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
    """The number in a tag; 0 if there is none, as in a sweep of version 0.4."""
    value = parent.data.tags.get(tag, "")
    return int(value) if value.isdecimal() else 0


def results_of(store: Store, parent: Run, diverged: bool = False) -> list[RecordedRun]:
    """The finished runs of a sweep, one for each job, in the order of its jobs; trials are left out.

    Args:
        diverged: include runs that diverged.

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
    """The FINISHED runs of a sweep, the first of each identity, trials included. The arguments are those of
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
    """The parent run of a sweep that this process launches. It is RUNNING until `close`; after the `with` block it is
    FINISHED, KILLED if a signal ended the block, or FAILED.

    Args:
        study: the sweep's name.
        jobs: identity and overrides of the run of each job; empty for a search, whose jobs list themselves.
        trials: how many runs a search will have.
        search: digest of a search's space.

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
            tags[SWEEP_TAG] = str(self.count)  # set last, since it means that all jobs are listed
            if parent is None:
                name = study[:250]
                marks = {SWEEP_TAG: "0", STUDY_TAG: study}
                parent = store.client.create_run(store.experiment_id, run_name=name, tags=marks)
            else:
                store.client.update_run(parent.info.run_id, status=RUNNING)
            if not search or parent.data.tags.get(SEARCH_TAG) != search:  # clear the jobs of an earlier launch
                tags = {key: "" for key in parent.data.tags if key.startswith(JOB_TAG)} | tags
            store.client.log_batch(parent.info.run_id, tags=[RunTag(*tag) for tag in tags.items()])
            store.client.set_experiment_tag(store.experiment_id, f"mlflow.sharedViewState.{VIEW}", view_of(parent))
        self.run = parent
        """The parent run with its current tags."""
        self.run.data.tags.update(tags)
        self.run_id = str(parent.info.run_id)

    def __enter__(self) -> "OpenSweep":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        interrupted = kind is not None and issubclass(kind, KeyboardInterrupt | SystemExit)
        self.close(KILLED if interrupted else FAILED if kind else FINISHED)

    def log_files(self, texts: Mapping[str, str], figures: "Mapping[str, Figure]") -> None:
        """Record artifacts by name. If the store does not accept them now, the sweep goes on."""
        try:
            self.store.log_files(self.run_id, texts, figures)
        except (*STORE_ERRORS, OSError) as error:
            log.warning("sweep: %s not recorded (%s)", ", ".join([*texts, *figures]), short_reason(error))

    def close(self, status: str, text: str = "") -> None:
        """End the parent run with one of MLflow's statuses, and log where its runs can be seen.

        Args:
            text: new description of the run.
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
    """The view of a sweep on MLflow's page of runs, in the format of MLflow's links: the sweep's runs, the best
    first."""
    columns = [f"params.`{name}`" for name in ("encoder.name", "seed")]
    columns += [f"metrics.`{name}`" for name in (BEST_ACCURACY, "test/accuracy", BEST_LOSS)]
    return json.dumps({
        "searchFilter": f"tags.`{PARENT_TAG}` = '{sweep.info.run_id}'", "selectedColumns": columns,
        "orderByKey": f"metrics.`{BEST_ACCURACY}`", "orderByAsc": False,
    })  # fmt: skip


def join_sweep(store: Store, description: "Description") -> tuple[Run, list[str]]:
    """The parent run of a job's sweep, and the overrides of the job that not all jobs share.

    Adds the job to the parent run's list if the launcher could not know its identity: a trial of a search, or a job on
    a machine where `auto` means something else.

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
    """An override in one line, as a parent run lists it."""
    return override.replace("\n", " ")


def _own(overrides: Iterable[str]) -> set[str]:
    """The overrides of a job that come from the user, not from the sweep."""
    return {line for line in map(_line, overrides) if line.partition("=")[0] not in SET_BY_SWEEP}


def log_comparison(store: Store, parent: Run, note: str, files: dict[str, str], figure: "Figure") -> None:
    """Record tables and figure in the parent run, under `comparison/`; raises `UserError` if the store refuses.

    Args:
        note: new description of the run, in Markdown.
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
