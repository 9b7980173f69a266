"""The sweeper of `train -m`, as Hydra finds it: in modules of `hydra_plugins` alone.

Hydra imports this file in every command, so what a sweep needs is imported where one begins.
"""

from collections.abc import Sequence
from typing import Any

from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class SweepSweeper(Sweeper):
    """Runs a grid or a search by whichever launcher Hydra has."""

    def __init__(self, **_: Any) -> None:
        self.launched = 0

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Make the launcher."""
        from hydra.core.plugins import Plugins

        self.composed = config
        self.launcher: Launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> None:
        """Run the sweep; raises as `run_sweep`."""
        from sentiment_rnn.sweeps.launch import run_sweep

        run_sweep(self.composed, self.launch)

    def launch(self, jobs: Sequence[Sequence[str]]) -> list[Any]:
        """Run jobs by their overrides; gives of each its score, or the exception that ended it."""
        returned = self.launcher.launch(jobs, initial_job_idx=self.launched)
        self.launched += len(jobs)
        return [job._return_value for job in returned]  # `return_value` would raise, and print the overrides
