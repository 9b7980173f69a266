"""Which sweeps a study runs, of which encoders, and how one is started."""

import os
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from hydra import compose
from omegaconf import DictConfig

from sentiment_rnn.config.commands import StudyConfig
from sentiment_rnn.config.messages import quoted
from sentiment_rnn.errors import UserError
from sentiment_rnn.studies.kit.study import Study, Sweep
from sentiment_rnn.tracking.names import PROTOCOL_VARIABLE, URI_VARIABLE

ALL = "all"
"""The name that means every study."""
RATES = ("optimizer.draw", "optimizer.learning_rate")
"""Keys of which each gives all encoders a learning rate."""
DRAWS = "optimizer.draws"
NULL = ("null", "None", "")
"""Values that set nothing."""
SWEEPER = "hydra.sweeper.params."
"""What stands before a key that a sweep goes through."""


class PlannedSweep(NamedTuple):
    """What is run of a sweep."""

    sweep: Sweep
    encoders: tuple[str, ...] | None = None
    """Those that are run: None for all, none of them where none has a learning rate yet."""
    left_out: str = ""
    """What is left out, and why; empty where nothing is."""

    @property
    def runs(self) -> bool:
        """Whether anything is run."""
        return self.encoders != ()


def planned_sweeps(config: StudyConfig, study: Study) -> list[PlannedSweep]:
    """What is run of the sweeps, in the order of the study: all of each, but encoders that have no learning rate yet.

    Raises:
        UserError: nothing is left of a sweep that is asked for by its name, or of any. Or something is left out of a
            study that is measured as a whole.
    """
    found = [planned_sweep(config, sweep) for sweep in sweeps_of(config, study)]
    for one in found:
        if one.left_out and not (study.in_parts and (one.runs or not config.sweeps)):
            raise UserError(one.left_out)
    if found and not any(one.runs for one in found):
        raise UserError(found[0].left_out)
    return found


def planned_sweep(config: StudyConfig, sweep: Sweep) -> PlannedSweep:
    """What is run of one sweep."""
    encoders, without = arms_without_rate(config, sweep)
    if not without:
        return PlannedSweep(sweep)
    why = (
        f"{', '.join(without)} of {sweep.experiment}: optimizer.draws has null, since no search has chosen a draw yet; "
        f"run its search, and put the best draw into conf/experiment/{sweep.experiment}.yaml"
    )
    return PlannedSweep(sweep, tuple(arm for arm in encoders if arm not in without), why)


def sweeps_of(config: StudyConfig, study: Study) -> list[Sweep]:
    """The sweeps that are asked for, in the order of the study."""
    return [sweep for sweep in study.sweeps if not config.sweeps or sweep.experiment in config.sweeps]


def arms_without_rate(config: StudyConfig, sweep: Sweep) -> tuple[list[str], list[str]]:
    """The encoders of a sweep, and those of them whose draw is null and that nothing else gives a learning rate."""
    composed = planned(sweep.experiment, *(given for given in config.overrides if key_of(given).startswith(DRAWS)))
    given = {varied_key(override): override.split("=", 1)[-1] for override in config.overrides}
    varied = composed.hydra.sweeper.params
    named = str(given.get("encoder", varied.get("encoder", composed.encoder.name)))
    encoders = [name.strip() for name in named.strip("'\"[]").split(",")]
    if any(given.get(key, "null") not in NULL or key in varied for key in RATES):
        return encoders, []
    draws = composed.optimizer.draws
    return encoders, [arm for arm in encoders if arm in draws and draws[arm] is None]


def check_part(config: StudyConfig, study: Study) -> None:
    """Raise `UserError` where some sweeps are asked for that cannot be run and measured without the others."""
    names = [sweep.experiment for sweep in study.sweeps]
    for given in config.sweeps:
        if config.name == ALL:
            raise UserError(f"sweeps={given}: expected one study with it, name=learnability, say, and not all of them")
        if not study.in_parts:
            raise UserError(f"sweeps={given}: {study.name} measures its sweeps together; leave sweeps out")
        if given not in names:
            raise UserError(f"sweeps={given}: not a sweep of {study.name}; expected some of {', '.join(names)}")
        if not config.run:
            raise UserError(f"sweeps={given}: run=false measures nothing; leave out sweeps, or run=false")


def check_overrides(config: StudyConfig, study: Study) -> None:
    """Refuse overrides of what a sweep varies, since nothing would be left to compare, and any where nothing trains."""
    if config.overrides and not study.sweeps and config.name != ALL:
        raise UserError(f"overrides={config.overrides[0]}: {study.name} trains nothing; leave it out")
    for sweep in sweeps_of(config, study) if config.overrides else ():
        compared = {"experiment", "study", *planned(sweep.experiment).hydra.sweeper.params} - {"seed"}
        for override in config.overrides:
            if key_of(override) in compared:
                raise UserError(f"overrides={override}: {sweep.experiment} compares by this; leave it out")


@cache
def planned(experiment: str, *overrides: str) -> DictConfig:
    """The configuration of an experiment, with Hydra's own part: its sweeper has what the sweep varies."""
    return compose("config", [f"experiment={experiment}", *overrides], return_hydra_config=True)


def key_of(override: str) -> str:
    """The key that an override sets."""
    return override.lstrip("+").split("=")[0]


def varied_key(override: str) -> str:
    """The key that an override sets, of every run or as what the sweep goes through."""
    return key_of(override).removeprefix(SWEEPER)


def run_sweep(config: StudyConfig, sweep: Sweep, protocol: str, encoders: Sequence[str] | None = None) -> None:
    """One Hydra sweep in a process of its own, with this study's store.

    A sweep that chooses learning rates keeps its own seed, so that no rate is chosen with a seed of the study.

    Args:
        protocol: digest of the protocol with which its runs are tagged.
        encoders: those that are run; None for all.
    """
    keys = ("directory", "experiment", "checkpoints")
    tracking = [f"tracking.{key}={quoted(value)}" for key in keys if (value := getattr(config.tracking, key))]
    overrides = [given for given in config.overrides if not (sweep.chooses_rates and varied_key(given) == "seed")]
    if encoders is not None:
        overrides = [given for given in overrides if varied_key(given) != "encoder"]
        overrides.append(f"encoder={','.join(encoders)}")
    train = [sys.executable, "-m", "sentiment_rnn", "train", "-m", f"experiment={sweep.experiment}"]
    train.append("tracking.repeat=false")
    environment = os.environ | {PROTOCOL_VARIABLE: protocol}
    environment.pop(URI_VARIABLE, None)
    if uri := config.tracking.uri:  # an override, so that a job on another machine has it too
        tracking.append(f"tracking.uri={quoted(uri)}")
    with subprocess.Popen([*train, *tracking, *overrides], env=environment) as training:
        try:
            status = training.wait()
        except KeyboardInterrupt:
            training.wait()  # Ctrl-C has reached it as well, and its runs write their checkpoints
            raise
    if status:
        raise UserError(f"experiment={sweep.experiment} did not finish (status {status}); the same command resumes it")
