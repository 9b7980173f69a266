"""A search as a sweep: asks Optuna for values, launches trials, reports their scores, and records table and figure."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from sentiment_rnn.config.run import ReviewConfig
from sentiment_rnn.config.sections import SearchConfig
from sentiment_rnn.engine.pruning import PRUNING, readable, storage_of, study_file
from sentiment_rnn.errors import UserError
from sentiment_rnn.report.plotting import search_history
from sentiment_rnn.sweeps.plan import Launch, Plan
from sentiment_rnn.sweeps.space import Space
from sentiment_rnn.tasks.job import Objective, job_of
from sentiment_rnn.tracking.run import DivergedError, PrunedError
from sentiment_rnn.tracking.sweeps import OpenSweep

log = logging.getLogger("sentiment_rnn")


def open_study(path: Path, mode: str, settings: SearchConfig) -> optuna.Study:
    """The study of a search, made if it is missing.

    Args:
        path: its file.
        mode: `max` or `min`.

    Raises:
        UserError: the file is damaged.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        drop_broken_line(path)
    with readable(path):
        study = optuna.create_study(
            study_name=path.stem,
            storage=storage_of(path),
            direction="maximize" if mode == "max" else "minimize",
            load_if_exists=True,
        )
    study.set_user_attr(PRUNING, settings.pruning)
    return study


def sampler(settings: SearchConfig, trial: int) -> BaseSampler:
    """Sampler for the trial with this number. Its random state depends only on the number: a resumed search makes the
    proposals that it would have made without the interruption, and repeats none."""
    seed = int(np.random.SeedSequence([settings.seed, trial]).generate_state(1)[0])
    return TPESampler(seed=seed) if settings.sampler == "tpe" else RandomSampler(seed=seed)


def drop_broken_line(path: Path) -> None:
    """Remove an incomplete last line, left by a full disk or a kill, which Optuna would refuse to read."""
    with path.open("r+b") as file:
        file.truncate(file.read().rfind(b"\n") + 1)


def run_search(plan: Plan, sweep: OpenSweep, launch: Launch) -> None:
    """Run the trials of a sweep, and log which was the best.

    Raises:
        UserError: some trials failed.
    """
    assert plan.search
    assert plan.space
    settings, space = plan.search, plan.space
    objective = job_of(plan.configs[0]).objective
    study = open_study(study_file(sweep.store, sweep.search), objective.mode, settings)
    failed = run_trials(study, space, settings, plan.at_once, launch, lambda: _show(sweep, study, objective))
    _say_best(study, space, objective)
    if isinstance(plan.configs[0], ReviewConfig):
        log.info("to compare its runs and register the best: sentiment-rnn compare %s --register", plan.study)
    if failed:
        raise UserError(f"{failed} of {settings.trials} trials failed; the same command runs these again")


def run_trials(
    study: optuna.Study,
    space: Space,
    settings: SearchConfig,
    at_once: int,
    launch: Launch,
    after_batch: Callable[[], None],
) -> int:
    """Run trials until the study has as many as the settings ask for. Trials that an earlier process left open come
    first, with the same values, so that their runs resume.

    Args:
        at_once: trials of a batch; a batch is launched when the previous one has ended.

    Returns:
        How many trials failed. They stay open, and run again when the same search is started again.
    """
    waiting = open_trials(study, space)
    failed = 0
    while batch := [*waiting[:at_once], *_new_trials(study, space, settings, at_once - len(waiting[:at_once]))]:
        waiting = waiting[at_once:]
        jobs = [[*space.overrides(trial.params), f"tracking.search_trial={trial.number}"] for trial in batch]
        for trial, outcome in zip(batch, launch(jobs), strict=True):
            failed += not _tell(study, trial, outcome)
        after_batch()
    return failed


def open_trials(study: optuna.Study, space: Space) -> list[FrozenTrial]:
    """Trials that were launched but have no score, because they failed or their process was killed."""
    left = study.get_trials(states=(TrialState.RUNNING,))
    for trial in left:
        if set(trial.params) != set(space.dimensions):  # the search was killed while it proposed this trial
            study.tell(trial.number, state=TrialState.FAIL)
    return [trial for trial in left if set(trial.params) == set(space.dimensions)]


def counted(study: optuna.Study) -> list[FrozenTrial]:
    """The trials of a study that were launched."""
    return [trial for trial in study.get_trials(deepcopy=False) if trial.state != TrialState.FAIL]


def _new_trials(study: optuna.Study, space: Space, settings: SearchConfig, count: int) -> list[FrozenTrial]:
    asked = []
    for _ in range(min(count, settings.trials - len(counted(study)))):
        study.sampler = sampler(settings, len(study.get_trials(deepcopy=False)))
        number = study.ask(space.dimensions).number
        asked.append(study.get_trials()[number])
    return asked


def _tell(study: optuna.Study, trial: FrozenTrial, outcome: Any) -> bool:
    """Tell the study how a trial ended. Returns False if it failed and stays open."""
    if isinstance(outcome, PrunedError | DivergedError):
        study.tell(trial.number, state=TrialState.PRUNED)
        log.info("trial %d: %s", trial.number, "pruned" if isinstance(outcome, PrunedError) else "diverged")
    elif isinstance(outcome, int | float) and outcome == outcome:
        study.tell(trial.number, float(outcome))
        best = study.best_trial
        log.info("trial %d: %.4f; best so far: %.4f, trial %d", trial.number, outcome, best.value, best.number)
    else:
        reason = str(outcome).splitlines()[0] if isinstance(outcome, BaseException) and str(outcome) else repr(outcome)
        log.error("trial %d failed: %s", trial.number, reason)
        return False
    return True


def _show(sweep: OpenSweep, study: optuna.Study, objective: Objective) -> None:
    """Record the table of all trials and the figure in the parent run."""
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    pruned = study.get_trials(deepcopy=False, states=(TrialState.PRUNED,))
    scores = {trial.number: float(trial.value or 0) for trial in complete}
    figure = search_history(scores, [trial.number for trial in pruned], objective.metric, objective.mode)
    table = study.trials_dataframe(("number", "state", "value", "params")).rename(columns={"value": objective.best})
    sweep.log_files({"search/trials.csv": table.to_csv(index=False)}, {"search/history.png": figure})


def _say_best(study: optuna.Study, space: Space, objective: Objective) -> None:
    count = len(counted(study))
    if not study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        log.info("none of %d trials has a score", count)
        return
    best = study.best_trial
    values = " ".join(space.overrides(best.params)[len(space.fixed) :])
    log.info("best of %d trials: trial %d, %s %.4f: %s", count, best.number, objective.metric, best.value, values)
