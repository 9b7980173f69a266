"""Train one encoder, or a sweep of them, and score it on the test data."""

import logging
import math
import os
import re
import sys
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from sentiment_rnn.cli.errors import fail
from sentiment_rnn.config import CONFIGURATION
from sentiment_rnn.config.loading import checked
from sentiment_rnn.config.messages import quoted
from sentiment_rnn.config.store import check_choice, register_schema
from sentiment_rnn.environment import quiet_libraries
from sentiment_rnn.errors import UserError
from sentiment_rnn.sweeps.launch import Refused

log = logging.getLogger("sentiment_rnn")

DRY_RUN = "--dry-run"
"""Flag: say what would be trained, and train nothing."""


def main() -> None:
    """Run one job, or the jobs of a sweep."""
    from sentiment_rnn.engine.interruption import Interruption

    register_schema()
    # Hydra prints an error itself, over many lines, unless this asks it to raise it.
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    for argument in sys.argv[1:]:  # first: Hydra would refuse a choice in words of its own, or merge several choices
        check_choice(argument)
    if DRY_RUN in sys.argv:
        sys.argv[sys.argv.index(DRY_RUN)] = "hydra.callbacks.prepare.dry_run=true"
    sys.argv[1:] = flags_first([as_hydra_reads_it(argument) for argument in sys.argv[1:]])
    with Interruption():  # handles a signal before the first run, between two runs, or after the last
        try:
            job()
        except Refused as refused:
            raise refused.error from None


def flags_first(arguments: list[str]) -> list[str]:
    """Hydra's flags before the overrides: its parser refuses an override before `-m` and another behind it."""
    return sorted(arguments, key=lambda a: ("=" in a and not a.startswith("-")) or a.startswith("~"))


def as_hydra_reads_it(argument: str) -> str:
    """An override, changed so that Hydra reads it as meant. Ids of runs are quoted, since Hydra would read 816769e9 as
    a number. A ~ in the folder of all runs is expanded, since Hydra writes to that folder too."""
    key, _, value = argument.partition("=")
    folder = value.strip("'\"")
    if key.lstrip("+") == "tracking.directory" and re.match("~(/|$)", folder):
        return f"{key}={quoted(str(Path(folder).expanduser()))}"
    of_runs = argument.lstrip("+").startswith("pretrained=")
    return re.sub(r"(?<=[=,])\d+e\d+(?=,|$)", r"'\g<0>'", argument) if of_runs else argument


@hydra.main(version_base="1.3", config_path=CONFIGURATION, config_name="config")
def job(config: DictConfig) -> float | None:
    """One job; returns its best validation score, for sweepers that search.

    A draw of a random search whose loss becomes NaN or infinite counts as the worst of its encoder; the sweep goes on.
    """
    from sentiment_rnn import runtime
    from sentiment_rnn.engine.train import train
    from sentiment_rnn.tracking.run import DivergedError
    from sentiment_rnn.tracking.sweeps import SET_BY_SWEEP

    runtime.end_with_launcher()
    quiet_libraries()
    hydra_config = HydraConfig.get()
    single = hydra_config.mode == RunMode.RUN
    if single:
        sys.argv.insert(1, "train")  # Lightning starts a run's other processes with this line
    try:
        run = checked(config)
        overrides = [
            override
            for override in hydra_config.overrides.task
            if single or override.partition("=")[0] not in SET_BY_SWEEP
        ]
        return train(run, overrides, in_sweep=not single)
    except UserError as error:
        if single:
            fail(str(error))
        if isinstance(error, DivergedError) and run.optimizer.draw is not None and run.tracking.search_trial is None:
            log.info("%s, draw %d: diverged; it has no score", run.encoder.name, run.optimizer.draw)
            return math.nan
        raise
