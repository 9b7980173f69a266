"""Ends a trial early whose validation is worse than that of other trials at the same epoch."""

import logging

import lightning.pytorch as pl
import optuna
from optuna.pruners import NopPruner

from sentiment_rnn.config.tracking import TrackingConfig
from sentiment_rnn.runs.job import Objective
from sentiment_rnn.runs.search.study import load_study, study_file
from sentiment_rnn.tracking.start import PrunedError
from sentiment_rnn.tracking.store import Store

log = logging.getLogger("sentiment_rnn")


def pruning_of(store: Store, config: TrackingConfig, objective: Objective) -> "Pruning | None":
    """The callback for a trial of a search; None where the search does not prune, or lies in a folder that this machine
    does not see."""
    if config.parent is None or config.search_trial is None:
        return None
    path = study_file(store, config.parent)
    if not path.exists():
        log.info("%s: not seen on this machine; this trial is not pruned", path)
        return None
    study = load_study(path, config.parent)
    if isinstance(study.pruner, NopPruner):
        return None
    return Pruning(study, config.search_trial, objective.metric)


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
        if trainer.world_size > 1 or trainer.sanity_checking:
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
