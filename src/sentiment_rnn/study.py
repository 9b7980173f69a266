"""Run a study: its sweeps, then what they say of its claims, into experiments/<name> and the sweep's parent run.

python -m sentiment_rnn.study name=memory
python -m sentiment_rnn.study name=memory run=false        # the sweeps as they are; tables and figures anew

A sweep that was stopped goes on where it was; one that has finished stays as it is.
"""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import hydra
from hydra import compose
from omegaconf import DictConfig

from sentiment_rnn.analysis.tables import find_block, new_console, show
from sentiment_rnn.checks import UserError
from sentiment_rnn.command import CONFIGURATION, one_line_errors, run
from sentiment_rnn.config import StudyConfig, checked
from sentiment_rnn.studies import STUDIES
from sentiment_rnn.tracking.results import find_sweep, log_findings
from sentiment_rnn.tracking.store import open_store, store_uri

SEEDS = ("seed", "hydra.sweeper.params.seed")
"""What an override of the seeds sets."""


@hydra.main(version_base="1.3", config_path=CONFIGURATION, config_name="study")
def main(config: DictConfig) -> None:
    """Run one study."""
    with one_line_errors():
        study(checked(config))


def study(config: StudyConfig) -> None:
    """Train what the study compares, then write and log what was found."""
    if config.name not in STUDIES:
        raise UserError(f"name={config.name}: expected one of {', '.join(STUDIES)}")
    folder = Path(config.output)
    find_block(folder / "README.md", config.name)
    module = import_module(f"sentiment_rnn.studies.{config.name}")
    command = getattr(module, "COMMAND", "train")
    check_overrides(config, command, module.EXPERIMENTS)
    if needed := getattr(module, "NEEDS", {}):
        check_needed(config, needed)
    if config.run:
        for experiment in module.EXPERIMENTS:
            sweep(command, experiment, config)
    store = open_store(config.tracking, create=False)
    findings = module.findings(store)
    console = new_console()
    for table in findings.tables:
        show(console, table)
    for verdict in findings.verdicts:
        console.print(f"[bold]{verdict.verdict}[/]: {verdict.claim} {verdict.evidence}", soft_wrap=True)
    findings.write(folder, config.name)
    parent = find_sweep(store, module.EXPERIMENTS[-1], finished=True)
    log_findings(store, parent, config.name, findings.texts(), findings.figures)
    console.print(
        f"written to {folder}, and logged to run {parent.info.run_id} of {store.uri}, under study/{config.name}",
        soft_wrap=True,
    )


def check_overrides(config: StudyConfig, command: str, experiments: tuple[str, ...]) -> None:
    """Refuse to fix what a sweep varies: there would be nothing left to compare."""
    for experiment in experiments if config.overrides else ():
        composed = compose("textbook" if command == "textbook" else "config", [f"experiment={experiment}"], True)
        compared = {"experiment", "study", *composed.hydra.sweeper.params} - {"seed"}
        for override in config.overrides:
            if key_of(override) in compared:
                raise UserError(f"overrides={override}: {experiment} compares by this; leave it out")


def key_of(override: str) -> str:
    """What an override sets."""
    return override.lstrip("+").split("=")[0]


def check_needed(config: StudyConfig, needed: dict[str, tuple[str, ...]]) -> None:
    """Refuse before anything is trained where the sweeps of another study are missing."""
    for other, sweeps in needed.items():
        try:
            store = open_store(config.tracking, create=False)
            for name in sweeps:
                find_sweep(store, name, finished=True)
        except UserError as error:
            raise UserError(
                f"name={config.name} needs the runs of {other}: make study NAME={other} first ({error})"
            ) from error


def sweep(command: str, experiment: str, config: StudyConfig) -> None:
    """One Hydra sweep, in a process of its own, with this study's store."""
    tracking = [f"tracking.directory={config.tracking.directory}", f"tracking.experiment={config.tracking.experiment}"]
    tracking += [f"tracking.uri={store_uri(config.tracking)}"] if config.tracking.uri else []
    # A learning rate is chosen by a seed that is none of the study's, whatever those are.
    overrides = [o for o in config.overrides if not (experiment.endswith("_rate") and key_of(o) in SEEDS)]
    started = [sys.executable, "-m", f"sentiment_rnn.{command}", f"experiment={experiment}", "tracking.repeat=false"]
    if status := subprocess.run([*started, *tracking, *overrides]).returncode:
        raise UserError(f"experiment={experiment} did not finish (status {status}); the same command takes it up")


if __name__ == "__main__":
    run(main)
