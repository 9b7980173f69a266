"""Memory of a search, an Optuna journal beside the store; and the rules that end trials early.

A file and not a database: each search has its own, no table of it meets MLflow's, and jobs on other machines that
share the folder can write it too.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import optuna
from optuna.pruners import MedianPruner, NopPruner, SuccessiveHalvingPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from sentiment_rnn.config.search import SearchConfig
from sentiment_rnn.errors import UserError
from sentiment_rnn.locks import FileLock
from sentiment_rnn.runs.job import Objective
from sentiment_rnn.tracking.start import PrunedError
from sentiment_rnn.tracking.store import Store

log = logging.getLogger("sentiment_rnn")

PRUNING = "pruning"
"""Attribute of a study: its kind of pruning, for the jobs, which do not know the sweep's configuration."""
PRUNERS = {"median": MedianPruner, "halving": SuccessiveHalvingPruner, None: NopPruner}
"""Pruners by name: they decide whether a trial goes on."""


def study_file(store: Store, parent: str) -> Path:
    """Where a search is kept, by the id of its sweep's run."""
    return store.directory / "search" / f"{parent}.log"


def open_study(path: Path, parent: str, mode: str, settings: SearchConfig) -> optuna.Study:
    """The study of a sweep, made if it is missing.

    Args:
        path: its file.
        parent: id of the sweep's run.
        mode: `max` or `min`.

    Raises:
        UserError: the file is damaged.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        drop_broken_line(path)
    with _readable(path):
        study = optuna.create_study(
            study_name=parent,
            storage=_storage(path),
            direction="maximize" if mode == "max" else "minimize",
            load_if_exists=True,
        )
    study.set_user_attr(PRUNING, settings.pruning)
    return study


def load_study(path: Path, parent: str) -> optuna.Study:
    """The study as a job reads it, with its pruner; raises `UserError` if its file is damaged."""
    with _readable(path):
        study = optuna.load_study(study_name=parent, storage=_storage(path))
        study.pruner = PRUNERS[study.user_attrs[PRUNING]]()
    return study


def sampler(settings: SearchConfig, trial: int) -> BaseSampler:
    """Sampler of the trial of a number. Its random state depends on the number alone: an interrupted search goes on
    with the proposals that it would have made, and repeats none."""
    seed = int(np.random.SeedSequence([settings.seed, trial]).generate_state(1)[0])
    return TPESampler(seed=seed) if settings.sampler == "tpe" else RandomSampler(seed=seed)


def drop_broken_line(path: Path) -> None:
    """Cut what a full disk or a kill left of a last line, which Optuna would refuse to read."""
    with path.open("r+b") as file:
        file.truncate(file.read().rfind(b"\n") + 1)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn what Optuna raises at a line that it cannot read, a `KeyError` or an `AssertionError` say, into one line."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        reason = (str(error).splitlines() or [""])[0]
        raise UserError(
            f"{path}: damaged ({type(error).__name__}: {reason}); move it away and run the same command again: the "
            "search starts anew, and trains no trial again that has finished"
        ) from error


def _storage(path: Path) -> JournalStorage:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    # Released by the system when a process is killed. Optuna's own lock makes the next process wait for half a minute.
    lock: Any = FileLock(path.with_suffix(".lock"))
    return JournalStorage(JournalFileBackend(str(path), lock))


def pruning_of(store: Store, parent: str, trial: int, objective: Objective) -> "Pruning | None":
    """The callback for a trial of a search; None where the search does not prune, or lies in a folder that this machine
    does not see."""
    path = study_file(store, parent)
    if not path.exists():
        log.info("%s: not seen on this machine; this trial is not pruned", path)
        return None
    study = load_study(path, parent)
    if isinstance(study.pruner, NopPruner):
        return None
    return Pruning(study, trial, objective.metric)


class Pruning(pl.Callback):
    """Reports validation after every epoch, and stops training where the study's pruner says so.

    Args:
        trial: its number.
        metric: what validation measures the trial by.
    """

    def __init__(self, study: optuna.Study, trial: int, metric: str) -> None:
        self.study, self.number, self.metric = study, trial, metric
        self.pruned = ""
        """When it was pruned; empty where it was not."""

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Report; on several devices the processes would have to agree, and a trial trains to its end."""
        if trainer.world_size > 1:
            return
        epoch = trainer.current_epoch + 1
        frozen = self.study.get_trials(deepcopy=False)[self.number]
        trial = optuna.Trial(self.study, frozen._trial_id)
        if epoch not in frozen.intermediate_values:  # a resumed run may validate an epoch again
            trial.report(float(trainer.callback_metrics[self.metric]), epoch)
        if epoch < (trainer.max_epochs or 0) and trial.should_prune():
            self.pruned = f"after epoch {epoch} of {trainer.max_epochs}"
            trainer.should_stop = True

    def check(self) -> None:
        """Raise `PrunedError` where it was pruned."""
        if self.pruned:
            raise PrunedError(self.pruned)
