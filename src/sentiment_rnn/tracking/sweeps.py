"""A sweep: a name, its parent run, and the identity of the run of each job of its last launch."""

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from mlflow.entities import Run
from mlflow.utils.time import get_current_time_millis

from sentiment_rnn.errors import UserError
from sentiment_rnn.locks import FileLock
from sentiment_rnn.masking import masked
from sentiment_rnn.tracking.delivery import Delivery
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
)
from sentiment_rnn.tracking.origin import origin_tags
from sentiment_rnn.tracking.results import FINISHED, RUNNING, jobs_of, sweeps_called
from sentiment_rnn.tracking.store import VIEW, Store, where_to_look
from sentiment_rnn.tracking.store_errors import STORE_ERRORS, quick_answers, short_reason, store_errors

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TOLD = ("study", "tracking.search_trial", "trainer.jobs_at_once")
"""Keys that a sweep sets for its jobs."""
log = logging.getLogger("sentiment_rnn")


class OpenSweep:
    """The parent run of a sweep that this process launches: RUNNING until `close`.

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
        self.store, self.search, self.count = store, search, trials or len(jobs)
        note = f"search of {trials} trials" if trials else f"{self.count} runs"
        now = str(get_current_time_millis())
        tags = {STUDY_TAG: masked(study), NOTE_TAG: note, LAUNCHED_TAG: now, SEARCH_TAG: search, **origin_tags()}
        tags |= {f"{JOB_TAG}{number}": _listed(identity, job) for number, (identity, job) in enumerate(jobs)}
        tags[SWEEP_TAG] = str(self.count)
        with store_errors(store.uri, store.experiment, "EDIT"), FileLock(store.directory / ".store.lock"):
            found = next(iter(sweeps_called(store, masked(study))), None)
            if found is None:
                name = masked(study)[:250]
                marks = {SWEEP_TAG: "0", STUDY_TAG: masked(study)}
                found = store.client.create_run(store.experiment_id, run_name=name, tags=marks)
            else:
                store.client.update_run(found.info.run_id, status=RUNNING)
            if found.data.tags.get(SEARCH_TAG, "") != search:  # jobs of another search, or of a grid
                tags = {key: "" for key in found.data.tags if key.startswith(JOB_TAG)} | tags
            Delivery(store, found).tags(tags)
            store.client.set_experiment_tag(store.experiment_id, f"mlflow.sharedViewState.{VIEW}", view_of(found))
        self.run = found
        """As it is now."""
        self.run.data.tags.update(tags)
        self.run_id = str(found.info.run_id)

    def log_files(self, texts: Mapping[str, str], figures: "Mapping[str, Figure]") -> None:
        """Artifacts, by their names; a store that does not take them now ends no sweep."""
        try:
            for name, text in texts.items():
                self.store.client.log_text(self.run_id, text, name)
            for name, figure in figures.items():
                self.store.client.log_figure(self.run_id, figure, name)
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
        said = status if status == FINISHED else f"{status}; the same command resumes it"
        log.info("sweep: %s, run %s; %s", said, self.run_id, where_to_look(self.store))


def view_of(sweep: Run) -> str:
    """What MLflow's page of runs shows of a sweep, as its links to a view have it: its runs, the best first."""
    columns = [f"params.`{name}`" for name in ("encoder.name", "seed")]
    columns += [f"metrics.`{name}`" for name in (BEST_ACCURACY, "test/accuracy", BEST_LOSS)]
    return json.dumps({
        "searchFilter": f"tags.`{PARENT_TAG}` = '{sweep.info.run_id}'", "selectedColumns": columns,
        "orderByKey": f"metrics.`{BEST_ACCURACY}`", "orderByAsc": False,
    })  # fmt: skip


def parent_of(store: Store, study: str) -> Run:
    """The parent run of the sweep of a job; raises `UserError` where there is none."""
    found = sweeps_called(store, masked(study))
    if not found:
        raise UserError(
            f"study={study}: no sweep of this name in {store.uri}, so its job's run would belong to none; keep "
            "hydra/callbacks=sweep, which opens it, and give all machines the same tracking.uri or tracking.directory"
        )
    return found[0]


def note_job(store: Store, sweep: Run, identity: str, overrides: Sequence[str], trial: int | None) -> None:
    """List a job whose identity the launcher could not know: a trial of a search, or a job on a machine where `auto`
    means something else.

    Args:
        trial: its number in a search.
    """
    jobs = jobs_of(sweep)
    if trial is None:
        given = _own(map(masked, overrides))
        trial = next((number for number, (_, job) in jobs.items() if _own(job) == given), None)
    if trial is not None and jobs.get(trial, ("",))[0] != identity:
        store.client.set_tag(sweep.info.run_id, f"{JOB_TAG}{trial}", _listed(identity, overrides))


def _listed(identity: str, overrides: Sequence[str]) -> str:
    return "\n".join([identity, *map(masked, overrides)])


def _own(overrides: Iterable[str]) -> set[str]:
    """The overrides of a job that it has of its user, and not of its sweep."""
    return {override for override in overrides if override.partition("=")[0] not in TOLD}


def log_comparison(store: Store, parent: Run, note: str, files: dict[str, str], figure: "Figure") -> None:
    """Put tables and figure into the parent run, under `comparison/`; raises `UserError` where the store refuses.

    Args:
        note: the run's description from now on, in Markdown.
    """
    try:
        with store_errors(store.uri, store.experiment, "EDIT"):
            store.client.set_tag(parent.info.run_id, NOTE_TAG, note[:LONGEST_TAG])
            for name, content in files.items():
                store.client.log_text(parent.info.run_id, content, f"comparison/{name}")
            store.client.log_figure(parent.info.run_id, figure, "comparison/comparison.png")
    except OSError as error:
        raise UserError(
            f"{store.uri}: nothing was logged ({error.strerror or error}); make its folder writable"
        ) from error
