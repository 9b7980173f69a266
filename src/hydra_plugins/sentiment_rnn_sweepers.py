"""The sweepers, of grids and of `hydra/sweeper=search`, as Hydra finds them: in modules of `hydra_plugins` alone.

Hydra imports this file in every command, so what a sweep needs is imported where one begins.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf


class JobSweeper(Sweeper):
    """Has Hydra's launcher run jobs, batch after batch."""

    def __init__(self, **settings: Any) -> None:
        self.settings = settings

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Make the launcher."""
        from hydra.core.plugins import Plugins

        self.composed, self.loader = config, hydra_context.config_loader
        self.launcher: Launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )
        self.launched = 0

    def save_configuration(self) -> None:
        """Write `multirun.yaml`, as Hydra's own sweeper does."""
        folder = Path(self.composed.hydra.sweep.dir)
        folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(self.composed, folder / "multirun.yaml")

    def launch(self, jobs: Sequence[Sequence[str]]) -> Sequence[JobReturn]:
        """Run jobs by their overrides. Returns how each ended."""
        returned = self.launcher.launch(jobs, initial_job_idx=self.launched)
        self.launched += len(jobs)
        return returned


class GridSweeper(JobSweeper):
    """Runs the jobs that the callback has left: it has composed and checked them, and some may have finished runs."""

    def sweep(self, arguments: list[str]) -> None:
        """Run the jobs. Raises the error of the first failed job after all jobs of its batch have ended."""
        from sentiment_rnn.sweeps.callback import active

        self.save_configuration()
        jobs = active[-1].jobs
        size = self.settings.get("max_batch_size") or len(jobs)
        for first in range(0, len(jobs), size or 1):
            for returned in self.launch(jobs[first : first + size]):
                if isinstance(returned._return_value, BaseException):  # `return_value` would print its overrides
                    raise returned._return_value


class SearchSweeper(JobSweeper):
    """Asks Optuna for the values of each trial, and tells Optuna its score."""

    def sweep(self, arguments: list[str]) -> None:
        """Run the trials of these overrides; those that an earlier, interrupted search has finished count."""
        from sentiment_rnn.sweeps.callback import active
        from sentiment_rnn.sweeps.search import run_search

        self.save_configuration()
        sweep = active[-1].parent
        assert sweep  # the callback has opened it
        run_search(
            self.composed, arguments, self.loader,
            lambda jobs: [returned._return_value for returned in self.launch(jobs)],  # `return_value` would raise
            sweep,
        )  # fmt: skip
