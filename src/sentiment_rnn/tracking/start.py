"""The run of an identity: found, resumed or made, by one process at a time; and what becomes of it in the end.

<tracking.directory>/checkpoints/<identity>/
    lock         held by the process that trains this identity; the system frees it when that process ends
    place.json   the store of its run, and a token that its run has as a tag
    last.ckpt    from which it resumes; gone once the run is FINISHED
    best.ckpt    the weights that were tested
"""

import json
import logging
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from mlflow.entities import Run

from sentiment_rnn.config.code import loaded_code_digest
from sentiment_rnn.config.run import RunConfig
from sentiment_rnn.errors import UserError
from sentiment_rnn.locks import FileLock
from sentiment_rnn.masking import masked, masked_settings
from sentiment_rnn.tracking.checkpoints import LAST, load_checkpoint
from sentiment_rnn.tracking.monitor import monitored
from sentiment_rnn.tracking.names import (
    CODE_TAG,
    CONFIGURATION,
    DIVERGED_TAG,
    ERROR_TAG,
    FOLDER_TAG,
    IDENTITY_TAG,
    NOTE_TAG,
    OVERRIDES,
    PARENT_TAG,
    PROCESSOR_TAG,
    PRUNED_TAG,
    SEARCH_TRIAL_TAG,
    STUDY_TAG,
    TRIAL_TAG,
)
from sentiment_rnn.tracking.origin import origin_tags, processor_name
from sentiment_rnn.tracking.results import FINISHED, RUNNING, jobs_of, runs_of
from sentiment_rnn.tracking.run import PATIENCE, POINTS, DivergedError, PrunedError, TrackedRun
from sentiment_rnn.tracking.store import Store, check_answers
from sentiment_rnn.tracking.store_errors import NO_SERVER, NotRecordedError, quick_answers, store_errors, until_answered
from sentiment_rnn.tracking.sweeps import note_job, parent_of
from sentiment_rnn.whole_files import write_whole

log = logging.getLogger("sentiment_rnn")

PLACE = "place.json"
LONGEST_PARAM = 6000
"""Characters of a parameter that MLflow keeps."""
MAIN = (
    *("seed", "precision", "task.name", "data.name", "data.max_lag", "encoder.name", "encoder.hidden_size"),
    *("encoder.layers", "embedding.size", "pooling.name", "optimizer.learning_rate", "trainer.accelerator"),
    *("trainer.epochs", "pretrained"),
)
"""Parameters that MLflow's pages show of every run."""


@contextmanager
def tracked_run(
    store: Store, config: RunConfig, identity: str, overrides: Sequence[str], in_sweep: bool = False
) -> Iterator[TrackedRun]:
    """The run of an identity, for as long as this process trains it; no other process does meanwhile.

    A run that has finished is not to be trained. Another one ends FINISHED when the block ends, KILLED where a signal
    or a search ends it, else FAILED with its traceback.

    Args:
        identity: `RunConfig.identity`.
        overrides: what was said on the command line.
        in_sweep: whether the run is a job of the sweep that is called `config.study`.

    Raises:
        UserError: the store refuses the run, or does not answer; or there is no such sweep.
        PrunedError: a search ended the run early, now or before.
        DivergedError: its loss became no number, now or before.
    """
    folder = store.checkpoints / identity
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):
        tries = 0

        def begin() -> TrackedRun:
            nonlocal tries
            tries += 1
            if tries > 1:  # another server may answer at the address for a while
                check_answers(store)
            return start(store, config, identity, overrides, in_sweep)

        with store_errors(store.uri, store.experiment, "EDIT"):
            # The server may start again between two jobs of a sweep.
            run = until_answered(begin, PATIENCE if in_sweep else 0)
        if run.finished:
            yield run
            return
        with run.ending(), monitored(run, config.tracking.system_metrics):
            yield run
        (folder / LAST).unlink(missing_ok=True)  # only now: until here the run would resume


def start(
    store: Store, config: RunConfig, identity: str, overrides: Sequence[str], in_sweep: bool = False
) -> TrackedRun:
    """The run that has finished, the one that this folder's checkpoint belongs to, or a new one.

    To call it again is harmless: a run that an earlier call made has the token of the folder.

    Raises:
        as `tracked_run`.
    """
    folder = store.checkpoints / identity
    sweep = parent_of(store, config.study) if in_sweep else None
    if sweep:
        note_job(store, sweep, identity, overrides, config.tracking.search_trial)
    runs = runs_of(store, [identity])
    for run in runs:
        if run.info.status == FINISHED:
            (folder / LAST).unlink(missing_ok=True)
            return TrackedRun(store, run, folder, overrides, sweep)
    for run in runs:
        if run.data.tags.get(STUDY_TAG) == masked(config.study):
            if DIVERGED_TAG in run.data.tags:
                raise DivergedError(run.data.tags[DIVERGED_TAG])
            if PRUNED_TAG in run.data.tags and config.tracking.search_trial is not None:
                raise PrunedError(run.data.tags[PRUNED_TAG])
    token = _token_of(folder, store)
    mine = next((run for run in runs if run.data.tags.get(FOLDER_TAG) == token), None)
    points = _points_in(folder / LAST)
    if mine and points is None and mine.data.metrics:  # its checkpoint is gone, and its points would be measured twice
        mine, token = None, _token_of(folder, store, anew=True)
    resumes = mine is not None
    if mine:
        log.info("run %s: resumed", mine.info.run_id)
        store.client.update_run(mine.info.run_id, status=RUNNING)
        store.client.set_tag(mine.info.run_id, STUDY_TAG, masked(config.study))
        for tag in {ERROR_TAG, DIVERGED_TAG, PRUNED_TAG} & mine.data.tags.keys():
            store.client.delete_tag(mine.info.run_id, tag)
    else:
        mine = _new_run(store, config, identity, sweep, token)
    found = TrackedRun(store, mine, folder, overrides, sweep, points or (), new=not resumes)
    found.resumes_from = folder / LAST if points is not None else None
    settings = masked_settings(config.settings())
    texts = {
        CONFIGURATION: yaml.safe_dump(settings, sort_keys=False),
        OVERRIDES: yaml.safe_dump([masked(override) for override in overrides]),
    }
    found.log_configuration(texts, _shown(_flatten(settings), overrides))
    return found


def _token_of(folder: Path, store: Store, anew: bool = False) -> str:
    """The token of a folder and a store; a new one where the folder has none, or served another store."""
    path = folder / PLACE
    place = place_of(folder)
    if anew or place.get("store") != store.uri:
        place = {"store": store.uri, "token": uuid.uuid4().hex}
        write_whole(path, json.dumps(place).encode())
    return place["token"]


def place_of(folder: Path) -> dict[str, str]:
    """The store and the token in a folder of checkpoints; empty where it has none that can be read."""
    try:
        place = json.loads((folder / PLACE).read_text(encoding="utf-8"))
        return place if {"store", "token"} <= place.keys() else {}
    except (OSError, ValueError, AttributeError):
        return {}


def _points_in(path: Path) -> list[Any] | None:
    """The points in the checkpoint from which a run resumes; None where there is none, or none that can be read."""
    if not path.exists():
        return None
    try:
        return list(load_checkpoint(path)[POINTS])
    except (UserError, LookupError, TypeError) as error:
        log.warning("%s: cannot be read, so the run trains from its first epoch (%s)", path, error)
        path.unlink()
        return None


def _new_run(store: Store, config: RunConfig, identity: str, sweep: Run | None, token: str) -> Run:
    name = _name_of(config, identity, sweep)
    tags = {
        IDENTITY_TAG: identity, STUDY_TAG: config.study, **config.tags, **origin_tags(),
        CODE_TAG: loaded_code_digest(tuple(config.targets)), NOTE_TAG: name,
        PROCESSOR_TAG: processor_name(config.trainer.accelerator),
    }  # fmt: skip
    if (number := config.tracking.search_trial) is not None:
        tags[SEARCH_TRIAL_TAG] = str(number)
    if trial := config.trainer.trial:
        tags[TRIAL_TAG] = trial
    if sweep:
        tags[PARENT_TAG] = sweep.info.run_id
    tags = {key: masked(value) for key, value in tags.items()} | {FOLDER_TAG: token}
    with quick_answers():  # which asks once: MLflow's client would make a second run where an answer is lost
        made = store.client.create_run(store.experiment_id, run_name=masked(name)[:250], tags=tags)
    if not made.info.run_id:
        raise NotRecordedError(NO_SERVER)
    return made


def _name_of(config: RunConfig, identity: str, sweep: Run | None) -> str:
    """The data that a run reads, and what differs between the jobs of its sweep: `imdb lstm seed=0`."""
    jobs = list(jobs_of(sweep).values()) if sweep else []
    own = next((job for known, job in jobs if known == identity), [])
    varied = [one for one in own if any(one not in job for _, job in jobs)]
    if not varied:
        varied = [*config.tags.values(), f"seed={config.seed}"]
        trial = config.tracking.search_trial
        varied += [] if trial is None else [f"trial={trial}"]
    data = getattr(config, "data", None)
    return " ".join([*([data.name] if data else []), *(one.removeprefix("encoder=") for one in varied)])


def _shown(settings: Mapping[str, str], overrides: Sequence[str]) -> dict[str, str]:
    """The parameters that MLflow's pages show of a run: the main ones, and those that were given. The whole
    configuration is an artifact."""
    given = {override.lstrip("+").partition("=")[0] for override in overrides}
    return {key: value[:LONGEST_PARAM] for key, value in settings.items() if key in (*MAIN, *given)}


def _flatten(settings: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    parts = (
        _flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: str(value)}
        for key, value in settings.items()
    )
    return {key: value for part in parts for key, value in part.items()}
