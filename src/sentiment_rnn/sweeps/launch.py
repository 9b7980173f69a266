"""Prepares a run or a sweep before Hydra starts it. What cannot run is refused first. Then the store, the token cache
and a sweep's parent run are made once, so that parallel jobs find them.

Hydra loads this file before torch and MLflow, which take seconds to load. So most wrong settings are reported at once;
code that needs these libraries is imported later.
"""

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from sentiment_rnn.config.components import class_having
from sentiment_rnn.config.loading import checked, checked_without_encoder, plain, sections_of
from sentiment_rnn.config.schema import validated
from sentiment_rnn.config.sections import SearchConfig
from sentiment_rnn.errors import UserError

if TYPE_CHECKING:
    from sentiment_rnn.sweeps.plan import Launch, Plan
    from sentiment_rnn.tracking.store import Store

OF_SWEEPS = re.compile(r"hydra/(launcher|sweeper)=(?!basic$)")
"""Overrides that a single run would silently ignore."""


class Refused(BaseException):
    """Carries an error past Hydra, which would turn any `Exception` of a callback into a warning and continue."""

    def __init__(self, error: Exception) -> None:
        self.error = error


class PreparationCallback(Callback):
    """Refuses a single run that cannot succeed, before Hydra makes its folder.

    Args:
        dry_run: show what would be trained, and train nothing.
    """

    def __init__(self, dry_run: bool = False) -> None:
        self.dry_run = dry_run

    def on_run_start(self, config: DictConfig, **_: object) -> None:
        """Check and prepare the run; raises `Refused`."""
        try:
            check_folder("hydra.run.dir", config.hydra.run.dir)
            check(config)
            if of_sweeps := [override for override in config.hydra.overrides.hydra if OF_SWEEPS.match(override)]:
                raise UserError(f"{of_sweeps[0]}: only a sweep has it; give -m")
            run = checked(config)
            from sentiment_rnn.sweeps.plan import Plan, check_encoder_keys

            check_encoder_keys(config, [run])
            _prepared(Plan(run.study, [list(config.hydra.overrides.task)], [run]), self.dry_run)
        except Exception as error:
            raise Refused(error) from error


def run_sweep(config: DictConfig, launch: "Launch") -> None:
    """Check every job of a sweep, open its parent run, and launch the jobs that have no finished run.

    Raises:
        UserError: a job cannot run, or the store refuses.
        Exception: the error of the first failed job, raised after all jobs of its batch have ended.
    """
    check_folder("hydra.sweep.dir", config.hydra.sweep.dir)
    sweeper = config.hydra.sweeper
    search = validated(SearchConfig, plain(sweeper), "hydra.sweeper") if "sampler" in sweeper else None
    overrides = str(OmegaConf.to_container(config.hydra.overrides.task, resolve=False))
    # The jobs may fill in missing values, and keys that other values refer to.
    if not OmegaConf.missing_keys(sections_of(config)) and "${" not in overrides:
        check(config)
    from sentiment_rnn.sweeps.plan import digest_of, plan_of, set_for_jobs
    from sentiment_rnn.sweeps.preparation import jobs_left
    from sentiment_rnn.tracking.sweeps import OpenSweep

    plan = plan_of(config, search)
    store, identities = _prepared(plan, OmegaConf.select(config, "hydra.callbacks.prepare.dry_run"))
    if plan.search and plan.space:
        from sentiment_rnn.sweeps.search import run_search  # Optuna, which other sweeps do not need

        # The identities are part of the key: scores of other code or other data do not belong to this search.
        sampler = f"{plan.search.sampler}, seed {plan.search.seed}"
        key = digest_of([plan.study, *plan.space.given, *plan.space.fixed, sampler, *identities])
        added = set_for_jobs(config, plan.study, plan.at_once)
        with OpenSweep(store, plan.study, [], plan.search.trials, key) as sweep:
            run_search(plan, sweep, lambda trials: launch([[*trial, *added] for trial in trials]))
        return
    with OpenSweep(store, plan.study, list(zip(identities, plan.jobs, strict=True))) as sweep:
        jobs = jobs_left(sweep)
        added = set_for_jobs(config, plan.study, min(plan.at_once, len(jobs)))
        size = sweeper.get("max_batch_size") or len(jobs) or 1
        for first in range(0, len(jobs), size):
            for outcome in launch([[*job, *added] for job in jobs[first : first + size]]):
                if isinstance(outcome, BaseException):
                    raise outcome


def _prepared(plan: "Plan", dry_run: bool) -> tuple["Store", list[str]]:
    """Show a plan for a dry run; else `prepare` it."""
    from sentiment_rnn.sweeps.preparation import prepare, show_plan

    if dry_run:
        show_plan(plan)
        raise SystemExit(0)
    return prepare(plan)


def check(config: DictConfig) -> None:
    """Raise `UserError` for a setting that is wrong in every job. Checks that do not need torch come first."""
    run, encoder = checked_without_encoder(config)
    parts = [
        (str(run.task._target_), "task._target_", "task", "objective"),
        (str(encoder["_target_"]), "encoder._target_", "torch module", "forward"),
    ]
    for part in sorted(parts, key=lambda part: part[0].startswith("sentiment_rnn.")):
        class_having(*part)


def check_folder(key: str, folder: str) -> None:
    """Raise `UserError` for a folder in which Hydra cannot write. Hydra would notice only after everything is
    loaded."""
    place = Path(folder)
    try:
        tempfile.TemporaryDirectory(
            dir=next(path for path in (place, *place.absolute().parents) if path.is_dir())
        ).cleanup()
    except OSError as error:
        raise UserError(f"{key}={folder}: cannot be written ({error.strerror}); choose another folder") from error
