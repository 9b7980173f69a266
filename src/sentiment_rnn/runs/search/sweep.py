"""A search as a sweep: its plan, its study beside the store, and what its parent run shows of it."""

import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import optuna
from hydra.core.config_loader import ConfigLoader
from omegaconf import DictConfig, OmegaConf
from optuna.trial import TrialState

from sentiment_rnn.config.loading import checked
from sentiment_rnn.config.run import ReviewConfig, RunConfig
from sentiment_rnn.config.search import SearchConfig
from sentiment_rnn.errors import UserError
from sentiment_rnn.report.figures import search_history
from sentiment_rnn.report.tables import csv_text
from sentiment_rnn.runs.job import Objective, job_of
from sentiment_rnn.runs.launchers import trials_at_once
from sentiment_rnn.runs.search.space import Space, parsed, space_of, text_of
from sentiment_rnn.runs.search.study import open_study, study_file
from sentiment_rnn.runs.search.trials import Launch, counted, run_trials
from sentiment_rnn.tracking.record import RunRecord
from sentiment_rnn.tracking.sweeps import OpenSweep

log = logging.getLogger("sentiment_rnn")


def settings_of(config: DictConfig) -> SearchConfig:
    """The checked keys of `hydra.sweeper`; raises `UserError` for a value out of bounds."""
    return cast(SearchConfig, OmegaConf.to_object(config.hydra.sweeper))


def run_search(
    config: DictConfig, arguments: Sequence[str], loader: ConfigLoader, launch: Launch, sweep: OpenSweep | None
) -> None:
    """Run the trials of a sweep; say which was the best.

    Args:
        arguments: the overrides of the sweep, with those that the callback has added.
        sweep: whose trials they are.

    Raises:
        UserError: some trials failed, or `hydra/callbacks=sweep` is missing.
    """
    settings = settings_of(config)
    space = space_of(parsed(settings.params, arguments, loader))
    example: RunConfig = checked(loader.load_sweep_config(config, space.examples()[0]))
    if sweep is None:
        raise UserError("tracking.parent: a search was told none; keep hydra/callbacks=sweep, which opens its run")
    objective = job_of(example).objective
    study = open_study(study_file(sweep.store, sweep.run_id), sweep.run_id, objective.mode, settings)
    failed = run_trials(
        study, space, settings, trials_at_once(config.hydra.launcher, settings), launch,
        lambda: _show(sweep.record, study, space, objective),
    )  # fmt: skip
    _say_best(study, space, objective)
    if isinstance(example, ReviewConfig):
        log.info("to compare its runs and register the best: sentiment-rnn compare %s --register", example.study)
    if failed:
        raise UserError(f"{failed} of {settings.trials} trials failed; the same command runs these again")


def _show(record: RunRecord, study: optuna.Study, space: Space, objective: Objective) -> None:
    """Write the table of all trials and the figure into the parent run."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "trials.csv").write_text(_table(study, space, objective), encoding="utf-8")
        complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        pruned = study.get_trials(deepcopy=False, states=(TrialState.PRUNED,))
        scores = {trial.number: float(trial.value or 0) for trial in complete}
        figure = search_history(scores, [trial.number for trial in pruned], objective.metric, objective.mode)
        figure.savefig(Path(folder, "history.png"))
        record.artifacts_in(Path(folder), "search")


def _table(study: optuna.Study, space: Space, objective: Objective) -> str:
    """One row per trial: its number, how it ended (`open`: it runs, or failed), its score and its values."""
    rows = []
    for trial in counted(study):
        state = "open" if trial.state == TrialState.RUNNING else trial.state.name.lower()
        score = str(trial.value) if trial.state == TrialState.COMPLETE else ""
        values = [text_of(trial.params[key]) for key in space.dimensions if key in trial.params]
        rows.append((trial.number, state, score, *values))
    return csv_text(("trial", "state", objective.best, *space.dimensions), rows)


def _say_best(study: optuna.Study, space: Space, objective: Objective) -> None:
    if not study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        log.info("none of %d trials has a score", len(counted(study)))
        return
    best = study.best_trial
    given = " ".join(space.overrides(best.params)[len(space.fixed) :])
    log.info(
        "best of %d trials: trial %d, %s %.4f: %s",
        len(counted(study)),
        best.number,
        objective.metric,
        best.value,
        given,
    )
