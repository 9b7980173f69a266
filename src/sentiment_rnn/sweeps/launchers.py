"""Launchers of sweeps: whether their jobs run on this machine, and how many at once."""

import shutil
from typing import Any

from omegaconf import DictConfig

from sentiment_rnn import runtime
from sentiment_rnn.config.trainer import TrainerConfig
from sentiment_rnn.errors import UserError

BASIC = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"
JOBLIB = "hydra_plugins.hydra_joblib_launcher.joblib_launcher.JoblibLauncher"
PROCESSES = "hydra_plugins.hydra_submitit_launcher.submitit_launcher.LocalLauncher"
SLURM = "hydra_plugins.hydra_submitit_launcher.submitit_launcher.SlurmLauncher"


def runs_here(launcher: DictConfig) -> bool:
    """Whether the jobs run on this machine, so that what it lacks they lack too."""
    return launcher._target_ in (BASIC, JOBLIB, PROCESSES)


def check_devices(launcher: DictConfig, trainer: TrainerConfig) -> None:
    """Raise `UserError` for runs on several devices in a sweep whose launcher starts one process a run."""
    if trainer.devices * trainer.nodes > 1 and launcher._target_ != SLURM:
        raise UserError(
            f"trainer.devices={trainer.devices} trainer.nodes={trainer.nodes}: a sweep trains on several devices with "
            "hydra/launcher=slurm alone, which starts a process for each; leave out -m to train a single run"
        )


def check_launcher(launcher: DictConfig) -> None:
    """Raise `UserError` for a Slurm cluster that is not here, and for no jobs at once."""
    if launcher._target_ == SLURM and not shutil.which("sbatch"):
        raise UserError("hydra/launcher=slurm: no sbatch here; start the sweep on a login node of the cluster")
    if launcher._target_ == JOBLIB and launcher.n_jobs == 0:
        raise UserError("hydra.launcher.n_jobs=0: expected how many jobs run at once; -1 is one for each core")


def jobs_at_once(launcher: DictConfig, jobs: int) -> int:
    """How many of a sweep's jobs share the cores that each of them sees; a scheduler gives every job its own."""
    if launcher._target_ == JOBLIB:
        given = launcher.n_jobs
        return min(jobs, max(1, runtime.cores() + 1 + given) if given < 0 else given)
    return jobs if launcher._target_ == PROCESSES else 1


def trials_at_once(launcher: DictConfig, settings: Any) -> int:
    """How many trials of a search are launched together. More of them at once learn less from each other."""
    return settings.at_once or (jobs_at_once(launcher, settings.trials) if launcher._target_ == JOBLIB else 1)
