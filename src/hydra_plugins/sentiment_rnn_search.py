"""`hydra/sweeper=search` as Hydra finds it: it takes sweepers from modules of `hydra_plugins` alone.

Hydra imports this file in every command, so the search itself is imported where one begins.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf


class SearchSweeper(Sweeper):
    """Asks Optuna for the values of each trial, has Hydra's launcher run it, and tells Optuna its score."""

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

    def sweep(self, arguments: list[str]) -> None:
        """Run the trials of these overrides; those that an earlier, interrupted search has finished count."""
        from sentiment_rnn.runs.search.sweep import run_search

        folder = Path(self.composed.hydra.sweep.dir)
        folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(self.composed, folder / "multirun.yaml")  # as Hydra's own sweeper does
        run_search(self.composed, arguments, self.loader, self.launch)

    def launch(self, jobs: Sequence[Sequence[str]]) -> list[Any]:
        """Run jobs by their overrides; of each what it returned, or the exception that ended it."""
        returned = self.launcher.launch(jobs, initial_job_idx=self.launched)
        self.launched += len(jobs)
        return [job._return_value for job in returned]  # `return_value` would raise
