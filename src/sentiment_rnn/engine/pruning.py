"""Ends a trial of a search early if its validation scores are poor (Optuna's pruners).

A search is kept in an Optuna journal, a file beside the store. It is not a database: each search has its own file, its
tables do not mix with MLflow's, and jobs on other machines that share the folder can write it too.
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
"""Attribute of a study with its kind of pruning. The jobs read it, since they do not know the sweep's configuration."""
PRUNERS = {"median": MedianPruner, "halving": SuccessiveHalvingPruner, None: NopPruner}
"""Pruners by name: they decide whether a trial goes on."""


def pruning_of(run: TrackedRun, trial: int, objective: Objective) -> "list[Pruning]":
    """The callback for a trial of a search; empty if this machine does not see the folder of the search."""
    search = run.sweep.data.tags.get(SEARCH_TAG, "") if run.sweep else ""
    path = study_file(run.store, search)
    if not path.exists():
        log.info("%s: not seen on this machine; this trial is not pruned", path)
        return []
    return [Pruning(load_study(path), trial, objective.metric)]


class Pruning(pl.Callback):
    """Reports the validation score after every epoch, and ends the trial before the next epoch if the pruner says so.

    It has no state of its own: after a kill, the trial asks the study again.

    Args:
        number: number of the trial.
        metric: metric on validation by which the trial is judged.
    """

    def __init__(self, study: optuna.Study, number: int, metric: str) -> None:
        self.study, self.number, self.metric = study, number, metric

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Report the score of the epoch; a resumed run may report an epoch twice."""
        epoch = trainer.current_epoch + 1
        if epoch not in self._trial().intermediate_values:
            trial = optuna.Trial(self.study, self._trial()._trial_id)
            trial.report(float(trainer.callback_metrics[self.metric]), epoch)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Raise `PrunedError` if the pruner ends the trial."""
        if self.study.pruner.prune(self.study, self._trial()):
            raise PrunedError(f"after epoch {trainer.current_epoch} of {trainer.max_epochs}")

    def _trial(self) -> FrozenTrial:
        return self.study.get_trials(deepcopy=False)[self.number]


def study_file(store: Store, search: str) -> Path:
    """Path of a search's journal, by the digest of its space."""
    return store.directory / "search" / f"{search}.log"


def load_study(path: Path) -> optuna.Study:
    """The study as a job reads it, with its pruner; raises `UserError` if its file is damaged."""
    with readable(path):
        study = optuna.load_study(study_name=path.stem, storage=storage_of(path))
        study.pruner = PRUNERS[study.user_attrs[PRUNING]]()
    return study


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn Optuna's errors about an unreadable line, such as `KeyError` or `AssertionError`, into a `UserError`."""
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
    # The system releases this lock when a process is killed. With Optuna's lock, the next process waits half a minute.
    lock: Any = FileLock(path.with_suffix(".lock"))
    return JournalStorage(JournalFileBackend(str(path), lock))
