"""The plan of a sweep: its jobs, where they run and how many at once. Jobs that cannot run are refused."""

import hashlib
import json
import logging
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from sentiment_rnn import runtime
from sentiment_rnn.config.loading import checked
from sentiment_rnn.config.messages import quoted
from sentiment_rnn.config.run import RunConfig
from sentiment_rnn.config.sections import SearchConfig, TrainerConfig
from sentiment_rnn.config.store import check_choice, encoder_names
from sentiment_rnn.errors import UserError, refuse, unknown_key

if TYPE_CHECKING:
    from sentiment_rnn.sweeps.space import Space

NAMING_ENCODERS = ("optimizer.learning_rates", "optimizer.draws")
"""Keys whose values are dictionaries by encoder name."""
SEED = re.compile(r"^\+*seed=")
SINGLE = "single"
"""Study of a run without a study."""
LONGEST_NAME = 200
BASIC = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"
JOBLIB = "hydra_plugins.hydra_joblib_launcher.joblib_launcher.JoblibLauncher"
PROCESSES = "hydra_plugins.hydra_submitit_launcher.submitit_launcher.LocalLauncher"
SLURM = "hydra_plugins.hydra_submitit_launcher.submitit_launcher.SlurmLauncher"
Launch = Callable[[Sequence[Sequence[str]]], Sequence[Any]]
"""Function that runs jobs, given their overrides, and returns the score of each, or the exception that ended it."""
log = logging.getLogger("sentiment_rnn")


@dataclass(frozen=True)
class Plan:
    """The jobs of a sweep, checked before anything is read or made."""

    study: str
    """The sweep's name."""
    jobs: list[list[str]]
    """The overrides of each job of a grid, or of each example from a search's space."""
    configs: list[RunConfig]
    """The checked configuration of each job."""
    here: bool = True
    """Whether the jobs run on this machine; another machine may have the GPU that this one lacks."""
    at_once: int = 1
    """How many jobs run at the same time."""
    search: SearchConfig | None = None
    """Settings of a search; None for a grid."""
    space: "Space | None" = None
    """The space of a search; None for a grid."""


def plan_of(config: DictConfig, search: SearchConfig | None = None) -> Plan:
    """The plan of a sweep, from its configuration as Hydra composed it.

    Args:
        search: the settings of a sweep that searches.

    Raises:
        UserError: a job has a wrong setting, or the launcher does not fit.
    """
    launcher = config.hydra.launcher
    check_launcher(launcher)
    space = None
    if search:
        from sentiment_rnn.sweeps.space import space_of  # Optuna, which other sweeps do not need

        experiment = f"experiment={config.hydra.runtime.choices.get('experiment')}"
        loader = GlobalHydra.instance().config_loader()
        space = space_of(config.hydra.overrides.task, search.params, experiment, loader)
    jobs = space.examples() if space else job_overrides(config)
    if not jobs:
        raise UserError("this sweep has no job; a range(…) or a glob(…) of it is empty")
    configs = job_configs(config, jobs)
    check_encoder_keys(config, configs)
    for job_config in configs:
        check_devices(launcher, job_config.trainer)
    if search:
        at_once = search.at_once or (jobs_at_once(launcher, search.trials) if launcher._target_ == JOBLIB else 1)
    else:
        at_once = jobs_at_once(launcher, min(len(jobs), config.hydra.sweeper.get("max_batch_size") or len(jobs)))
    return Plan(name_of(config, configs[0].study), jobs, configs, runs_here(launcher), at_once, search, space)


def job_overrides(config: DictConfig) -> list[list[str]]:
    """The overrides of each job, as Hydra's own sweeper splits them."""
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper

    hydra = config.hydra
    size = hydra.sweeper.get("max_batch_size")
    if size is not None and size < 1:
        refuse("hydra.sweeper.max_batch_size", size, "a number of at least 1")
    parameters = [f"{key}={value}" for key, value in (hydra.sweeper.get("params") or {}).items()]
    parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
    # Not resolved: a reference, as in seed=${optimizer.draw}0, means the value in each job.
    task: Any = OmegaConf.to_container(hydra.overrides.task, resolve=False)
    overrides = parser.parse_overrides([*parameters, *task])
    return [job for batch in BasicSweeper.split_arguments(overrides, None) for job in batch]


def job_configs(config: DictConfig, jobs: list[list[str]]) -> list[RunConfig]:
    """The checked configuration of each job. Composing takes most of the time, so jobs that differ only in their seed
    share one composed configuration, in which the seed is replaced."""
    loader, parser = GlobalHydra.instance().config_loader(), OverridesParser.create()
    composed: dict[tuple[str, ...], DictConfig] = {}
    configs = []
    for job in jobs:
        arm = tuple(override for override in job if not SEED.match(override))
        if arm not in composed:
            for override in arm:
                check_choice(override)  # it may come from hydra.sweeper.params, which has not been checked yet
            composed[arm] = loader.load_sweep_config(config, job)
        for seed in filter(SEED.match, job):
            composed[arm].seed = parser.parse_override(seed).value()  # the schema converts it to a number
        configs.append(checked(composed[arm]))
    return configs


def check_encoder_keys(config: DictConfig, configs: list[RunConfig]) -> None:
    """Refuse a rate or a draw on the command line for an unknown encoder, and warn of a key that no job's encoder has.
    In a YAML file such names are allowed: it may name encoders of other folders and other sweeps.

    Args:
        config: the configuration that Hydra composed.
        configs: configurations of all jobs; an encoder's name may differ from the name of its file.
    """
    named = []
    for override in OverridesParser.create().parse_overrides(list(config.hydra.overrides.task)):
        section, _, name = override.key_or_group.rpartition(".")
        value = override.value()
        if section in NAMING_ENCODERS:
            named.append((section, name))
        elif override.key_or_group in NAMING_ENCODERS and isinstance(value, dict):
            named += [(override.key_or_group, str(name)) for name in value]
        elif section == "encoder" and value is not None and all(getattr(c.encoder, name) is None for c in configs):
            log.warning("encoder.%s: has no effect, since none of these encoders has it", name)
    if named:
        known = sorted({*encoder_names(), *(job_config.encoder.name for job_config in configs)})
        for section, name in named:
            if name not in known:
                raise UserError(unknown_key(f"{section}.{name}", known))


def name_of(config: DictConfig, study: str) -> str:
    """A sweep's name: its study, else its overrides without characters that have a meaning in Hydra or MLflow. A long
    name is cut, and ends with a digest."""
    overrides = " ".join(config.hydra.overrides.task)
    if study != SINGLE or not overrides:
        return study
    name = re.sub(r"['\"\\$]", "", overrides)
    return name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}... {digest_of([name])[:8]}"


def runs_here(launcher: DictConfig) -> bool:
    """Whether the jobs run on this machine, so that its devices can be checked now."""
    return launcher._target_ in (BASIC, JOBLIB, PROCESSES)


def check_devices(launcher: DictConfig, trainer: TrainerConfig) -> None:
    """Raise `UserError` for runs on several devices in a sweep whose launcher starts only one process per run."""
    if trainer.processes > 1 and launcher._target_ != SLURM:
        raise UserError(
            f"trainer.devices={trainer.devices} trainer.nodes={trainer.nodes}: a sweep trains on several devices with "
            "hydra/launcher=slurm alone, which starts a process for each; leave out -m to train a single run"
        )


def digest_of(parts: list[str]) -> str:
    """The beginning of the SHA-256 of some texts."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def check_launcher(launcher: DictConfig) -> None:
    """Raise `UserError` for a launcher that needs a missing Slurm, or that would run no jobs at once."""
    if launcher._target_ == SLURM and not shutil.which("sbatch"):
        raise UserError("hydra/launcher=slurm: no sbatch here; start the sweep on a login node of the cluster")
    if launcher._target_ == JOBLIB and launcher.n_jobs == 0:
        raise UserError("hydra.launcher.n_jobs=0: expected how many jobs run at once; -1 is one for each core")


def jobs_at_once(launcher: DictConfig, jobs: int) -> int:
    """How many of a sweep's jobs share the same cores. A scheduler gives every job cores of its own."""
    if launcher._target_ == JOBLIB:
        count = launcher.n_jobs
        return min(jobs, max(1, runtime.cores() + 1 + count) if count < 0 else count)
    return jobs if launcher._target_ == PROCESSES else 1


def set_for_jobs(config: DictConfig, study: str, at_once: int) -> list[str]:
    """Overrides that are added to every job, for keys that the user has not set. They must be overrides, since a job's
    configuration is composed where it runs, perhaps on another machine."""
    added = [f"study={quoted(study)}"] if study != config.study else []
    if at_once > 1 and OmegaConf.select(config, "trainer.jobs_at_once") is None:
        added += [f"trainer.jobs_at_once={at_once}"]
    return added
