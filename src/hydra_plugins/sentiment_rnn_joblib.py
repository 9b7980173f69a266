"""The launcher of `hydra/launcher=joblib` (`runs/launchers.py`).

Hydra finds launchers in modules of `hydra_plugins` alone and imports them in every command. The code that runs jobs is
therefore imported when they start.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, configure_log, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class WorkerLauncher(Launcher):
    """Runs jobs side by side. Joblib's own loses every running job where one worker is killed, and leaves workers
    behind where it is killed itself."""

    def __init__(self, **_: Any) -> None:
        pass

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Make the workers, which start with their first job."""
        from sentiment_rnn.runs.job_process import Workers

        self.hydra = config.hydra
        self.workers = Workers((hydra_context, config, task_function))

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run jobs by their overrides. Returns each job's result, or the exception that ended it."""
        from sentiment_rnn.runs.launchers import jobs_at_once
        from sentiment_rnn.runtime import cores, visible_gpus

        setup_globals()
        configure_log(self.hydra.hydra_logging, self.hydra.verbose)
        Path(self.hydra.sweep.dir).mkdir(parents=True, exist_ok=True)
        at_once = jobs_at_once(self.hydra.launcher, len(job_overrides))
        threads = max(1, cores() // at_once)
        return self.workers.launch(job_overrides, initial_job_idx, at_once, threads, visible_gpus())
