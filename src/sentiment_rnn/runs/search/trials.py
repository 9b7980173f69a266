"""The loop of a search: ask for values, launch the trials, tell what they scored."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from sentiment_rnn.config.search import SearchConfig
from sentiment_rnn.runs.search.space import Space
from sentiment_rnn.runs.search.study import sampler
from sentiment_rnn.tracking.start import DivergedError, PrunedError

log = logging.getLogger("sentiment_rnn")

Launch = Callable[[Sequence[Sequence[str]]], Sequence[Any]]
"""Runs jobs by their overrides; gives of each its score, or the exception that ended it."""


def run_trials(
    study: optuna.Study,
    space: Space,
    settings: SearchConfig,
    at_once: int,
    launch: Launch,
    after_batch: Callable[[], None],
) -> int:
    """Run trials until the study has as many as it is to have. Those that an earlier process left open come first, with
    the values that they had, so that their runs resume.

    Args:
        at_once: trials of a batch; a batch is launched when the one before is done.

    Returns:
        How many trials failed. They stay open: the same search, started again, runs them again.
    """
    waiting = open_trials(study, space)
    failed = 0
    while batch := [*waiting[:at_once], *_new_trials(study, space, settings, at_once - len(waiting[:at_once]))]:
        waiting = waiting[at_once:]
        jobs = [[*space.overrides(trial.params), f"tracking.search_trial={trial.number}"] for trial in batch]
        for trial, found in zip(batch, launch(jobs), strict=True):
            failed += not _tell(study, trial, found)
        after_batch()
    return failed


def open_trials(study: optuna.Study, space: Space) -> list[FrozenTrial]:
    """Trials that were launched and have no score, since their process was killed or they failed."""
    left = study.get_trials(states=(TrialState.RUNNING,))
    for trial in left:
        if set(trial.params) != set(space.dimensions):  # killed while it was being proposed
            study.tell(trial.number, state=TrialState.FAIL)
    return [trial for trial in left if set(trial.params) == set(space.dimensions)]


def counted(study: optuna.Study) -> list[FrozenTrial]:
    """The trials of a study, but for those that were never launched."""
    return [trial for trial in study.get_trials(deepcopy=False) if trial.state != TrialState.FAIL]


def _new_trials(study: optuna.Study, space: Space, settings: SearchConfig, count: int) -> list[FrozenTrial]:
    asked = []
    for _ in range(min(count, settings.trials - len(counted(study)))):
        study.sampler = sampler(settings, len(study.get_trials(deepcopy=False)))
        number = study.ask(space.dimensions).number
        asked.append(study.get_trials()[number])
    return asked


def _tell(study: optuna.Study, trial: FrozenTrial, found: Any) -> bool:
    """Whether a trial has ended, with a score or because it was not worth going on."""
    if isinstance(found, PrunedError | DivergedError):
        study.tell(trial.number, state=TrialState.PRUNED)
        log.info("trial %d: %s", trial.number, "pruned" if isinstance(found, PrunedError) else "diverged")
    elif isinstance(found, int | float) and found == found:
        study.tell(trial.number, float(found))
        best = study.best_trial
        log.info("trial %d: %.4f; best so far: %.4f, trial %d", trial.number, found, best.value, best.number)
    else:
        reason = str(found).splitlines()[0] if isinstance(found, BaseException) and str(found) else repr(found)
        log.error("trial %d failed: %s", trial.number, reason)
        return False
    return True
