"""The end of a trial of a search whose validation is not worth going on (Optuna's pruners).

A search's memory is an Optuna journal beside the store. A file and not a database: each search has its own, no table of
it meets MLflow's, and jobs on other machines that share the folder can write it too.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import optuna
from optuna.pruners import MedianPruner, NopPruner, SuccessiveHalvingPruner
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial

from sentiment_rnn.errors import UserError
from sentiment_rnn.files import FileLock
from sentiment_rnn.tasks.job import Objective
from sentiment_rnn.tracking.names import SEARCH_TAG
from sentiment_rnn.tracking.run import PrunedError, TrackedRun
from sentiment_rnn.tracking.store import Store

log = logging.getLogger("sentiment_rnn")

PRUNING = "pruning"
"""Attribute of a study: its kind of pruning, for the jobs, which do not know the sweep's configuration."""
PRUNERS = {"median": MedianPruner, "halving": SuccessiveHalvingPruner, None: NopPruner}
"""Pruners by name: they decide whether a trial goes on."""


def pruning_of(run: TrackedRun, trial: int, objective: Objective) -> "list[Pruning]":
    """The callback for a trial of a search; none where the search lies in a folder that this machine does not see."""
    search = run.sweep.data.tags.get(SEARCH_TAG, "") if run.sweep else ""
    path = study_file(run.store, search)
    if not path.exists():
        log.info("%s: not seen on this machine; this trial is not pruned", path)
        return []
    return [Pruning(load_study(path), trial, objective.metric)]


class Pruning(pl.Callback):
    """Reports validation after every epoch, and ends the trial before the next one where the study's pruner says so.

    It keeps nothing: a trial that was killed asks the study again.

    Args:
        number: of the trial.
        metric: what validation measures the trial by.
    """

    def __init__(self, study: optuna.Study, number: int, metric: str) -> None:
        self.study, self.number, self.metric = study, number, metric

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Report the epoch; a resumed run may validate one again."""
        epoch = trainer.current_epoch + 1
        if epoch not in self._trial().intermediate_values:
            trial = optuna.Trial(self.study, self._trial()._trial_id)
            trial.report(float(trainer.callback_metrics[self.metric]), epoch)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Raise `PrunedError` where the epochs so far are not worth another."""
        if self.study.pruner.prune(self.study, self._trial()):
            raise PrunedError(f"after epoch {trainer.current_epoch} of {trainer.max_epochs}")

    def _trial(self) -> FrozenTrial:
        return self.study.get_trials(deepcopy=False)[self.number]


def study_file(store: Store, search: str) -> Path:
    """Where a search is kept, by the digest of its space."""
    return store.directory / "search" / f"{search}.log"


def load_study(path: Path) -> optuna.Study:
    """The study as a job reads it, with its pruner; raises `UserError` if its file is damaged."""
    with readable(path):
        study = optuna.load_study(study_name=path.stem, storage=storage_of(path))
        study.pruner = PRUNERS[study.user_attrs[PRUNING]]()
    return study


@contextmanager
def readable(path: Path) -> Iterator[None]:
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


def storage_of(path: Path) -> JournalStorage:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    # Released by the system when a process is killed. Optuna's own lock makes the next process wait for half a minute.
    lock: Any = FileLock(path.with_suffix(".lock"))
    return JournalStorage(JournalFileBackend(str(path), lock))
