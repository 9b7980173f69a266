"""What a sweep's launcher says of its jobs: whether they run on this machine, and how many at once."""

from omegaconf import DictConfig

from sentiment_rnn import runtime

BASIC = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"
JOBLIB = "hydra_plugins.hydra_joblib_launcher.joblib_launcher.JoblibLauncher"
PROCESSES = "hydra_plugins.hydra_submitit_launcher.submitit_launcher.LocalLauncher"
SLURM = "hydra_plugins.hydra_submitit_launcher.submitit_launcher.SlurmLauncher"


def runs_here(launcher: DictConfig) -> bool:
    """Whether the jobs run on this machine, so that what it lacks they lack too."""
    return launcher._target_ in (BASIC, JOBLIB, PROCESSES)


def jobs_at_once(launcher: DictConfig, jobs: int) -> int:
    """How many of a sweep's jobs share the cores that each of them sees; a scheduler gives every job its own."""
    if launcher._target_ == JOBLIB:
        given = launcher.n_jobs
        return min(jobs, max(1, runtime.cores() + 1 + given) if given < 0 else given)
    return jobs if launcher._target_ == PROCESSES else 1
