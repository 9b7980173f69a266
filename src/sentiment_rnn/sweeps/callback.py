"""The Hydra callback: what happens before the first job of a sweep and after its last.

Hydra makes it before torch and MLflow are there, which take seconds to load: most wrong settings are said at once, and
what needs them is imported behind that.
"""

import logging
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from sentiment_rnn.config.components import class_having
from sentiment_rnn.config.loading import checked, checked_without_encoder, plain, sections_of
from sentiment_rnn.config.messages import line_of
from sentiment_rnn.config.schema import validated
from sentiment_rnn.config.sections import SearchConfig
from sentiment_rnn.errors import UserError

if TYPE_CHECKING:
    from sentiment_rnn.sweeps.plan import Plan
    from sentiment_rnn.tracking.store import Store
    from sentiment_rnn.tracking.sweeps import OpenSweep

OF_SWEEPS = re.compile(r"hydra/(launcher|sweeper)=(?!basic$)")
"""Overrides that a single run would take without a word."""
log = logging.getLogger("sentiment_rnn")


active: list["SweepCallback"] = []
"""Callback of the sweep that this process works on; `close_sweeps` ends it where Hydra does not."""


class SweepCallback(Callback):
    """Refuse what cannot run before anything starts; then make the store, the token cache and the parent run once, so
    that jobs side by side find them. Jobs whose run has finished are not launched."""

    def __init__(self, dry_run: bool = False) -> None:
        self.dry_run = dry_run
        """Whether to show what would be trained, and to train nothing."""
        self.parent: OpenSweep | None = None
        self.jobs: list[list[str]] = []
        """The overrides of the jobs that a grid starts."""

    def __reduce__(self) -> tuple[type["SweepCallback"], tuple[()]]:
        """A job in another process gets a new one, which opens and ends nothing."""
        return SweepCallback, ()

    def on_run_start(self, config: DictConfig, **_: object) -> None:
        """Check and prepare a single run."""
        with exit_on_user_error():
            check_folder("hydra.run.dir", config.hydra.run.dir)
            check(config)
            if of_sweeps := [override for override in config.hydra.overrides.hydra if OF_SWEEPS.match(override)]:
                raise UserError(f"{of_sweeps[0]}: only a sweep has it; give -m")
            run = checked(config)
            from sentiment_rnn.sweeps.plan import Plan, check_encoder_keys

            check_encoder_keys(config, [run])
            self._started(Plan(run.study, [list(config.hydra.overrides.task)], [run]))

    def on_multirun_start(self, config: DictConfig, **_: object) -> None:
        """Check every job of the sweep, then open its parent run."""
        with exit_on_user_error():
            check_folder("hydra.sweep.dir", config.hydra.sweep.dir)
            if "sampler" in config.hydra.sweeper:
                validated(SearchConfig, plain(config.hydra.sweeper), "hydra.sweeper")
            overrides = str(OmegaConf.to_container(config.hydra.overrides.task, resolve=False))
            # What is missing, and what a value refers to, the jobs may have.
            if not OmegaConf.missing_keys(sections_of(config)) and "${" not in overrides:
                check(config)
            from sentiment_rnn.sweeps.plan import plan_of, set_for_jobs

            plan = plan_of(config)
            left, at_once = self._opened(plan)
            added = set_for_jobs(config, plan.study, at_once)
            self.jobs = [[*job, *added] for job in left]

    def _opened(self, plan: "Plan") -> tuple[list[list[str]], int]:
        """Open the parent run.

        Returns:
            The overrides of the jobs of a grid that are left, and how many jobs run side by side.
        """
        from sentiment_rnn.sweeps.plan import digest_of
        from sentiment_rnn.sweeps.preparation import jobs_left
        from sentiment_rnn.tracking.sweeps import OpenSweep

        store, identities = self._started(plan)
        active.append(self)
        if plan.space:  # what other code or other data scored is no memory of this search
            search = digest_of([plan.study, *plan.space, *identities])
            self.parent = OpenSweep(store, plan.study, [], plan.trials, search)
            return [], plan.at_once
        self.parent = OpenSweep(store, plan.study, list(zip(identities, plan.jobs, strict=True)))
        left = jobs_left(self.parent)
        return left, min(plan.at_once, len(left))

    def _started(self, plan: "Plan") -> tuple["Store", list[str]]:
        """Show a plan, if that is all that is wanted; else `prepare` it."""
        from sentiment_rnn.sweeps.plan import show_plan
        from sentiment_rnn.sweeps.preparation import prepare

        if self.dry_run:
            show_plan(plan)
            raise SystemExit(0)
        return prepare(plan)

    def on_multirun_end(self, config: DictConfig, **_: object) -> None:
        """Every job went well: only then does Hydra call this."""
        from sentiment_rnn.tracking.results import FINISHED

        self.close(FINISHED)

    def close(self, status: str) -> None:
        """End the parent run, once, with one of MLflow's statuses."""
        if parent := self.parent:
            self.parent = None
            parent.close(status)


def close_sweeps(interrupted: bool) -> None:
    """End, as KILLED or FAILED, a sweep that broke off; called before Python ends, when MLflow can no longer read
    artifacts."""
    for callback in active:
        from sentiment_rnn.tracking.results import FAILED, KILLED

        callback.close(KILLED if interrupted else FAILED)


def check(config: DictConfig) -> None:
    """Raise `UserError` for a setting that is wrong in every job; what takes no import of torch comes first."""
    run, encoder = checked_without_encoder(config)
    parts = [
        (str(run.task._target_), "task._target_", "task", "objective"),
        (str(encoder["_target_"]), "encoder._target_", "torch module", "forward"),
    ]
    for part in sorted(parts, key=lambda part: part[0].startswith("sentiment_rnn.")):
        class_having(*part)


def check_folder(key: str, folder: str) -> None:
    """Raise `UserError` for a folder in which Hydra could not write, which it would try after all else is loaded."""
    place = Path(folder)
    try:
        tempfile.TemporaryDirectory(
            dir=next(path for path in (place, *place.absolute().parents) if path.is_dir())
        ).cleanup()
    except OSError as error:
        raise UserError(f"{key}={folder}: cannot be written ({error.strerror}); choose another folder") from error


@contextmanager
def exit_on_user_error() -> Iterator[None]:
    """Leave with one line; Hydra turns any other exception of a callback into a warning and goes on."""
    try:
        yield
    except Exception as error:
        line = line_of(error)
        if line is None:
            from sentiment_rnn.tracking.store_errors import line_of_store  # it loads MLflow

            line = line_of_store(error)
        if line is None:
            line = "the run could not be prepared"
            log.exception(line)
        raise SystemExit(f"error: {line}") from error
