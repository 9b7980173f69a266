"""Run studies: their sweeps, then their findings, into `experiments/<name>` and the last sweep's parent run.

    sentiment-rnn study name=memory
    sentiment-rnn study name=memory run=false     # take the sweeps as they are; write tables and figures anew
    sentiment-rnn study name=all                  # every study, in order

An interrupted sweep resumes; a finished one is not run again.
"""

import subprocess
import sys
from pathlib import Path

import hydra
from hydra import compose
from omegaconf import DictConfig

from sentiment_rnn.cli.errors import one_line_errors
from sentiment_rnn.config.commands import StudyConfig
from sentiment_rnn.config.folders import CONFIGURATION
from sentiment_rnn.config.loading import checked
from sentiment_rnn.errors import UserError
from sentiment_rnn.report.tables import find_block, new_console, show
from sentiment_rnn.studies import all_studies, find_study
from sentiment_rnn.studies.kit.study import Study, Sweep
from sentiment_rnn.tracking.results import find_sweep, log_findings
from sentiment_rnn.tracking.store import open_store, store_uri

ALL = "all"
SEEDS = ("seed", "hydra.sweeper.params.seed")
"""Overrides that set the seeds."""


@hydra.main(version_base="1.3", config_path=CONFIGURATION, config_name="study")
def main(config: DictConfig) -> None:
    """Run one study, or all."""
    with one_line_errors():
        run_studies(checked(config))


def run_studies(config: StudyConfig) -> None:
    """Check everything that can be checked before a sweep starts; then run the studies one after another."""
    studies = list(all_studies()) if config.name == ALL else [find_study(config.name)]
    for study in studies:
        check_page(folder_of(config, study) / "README.md", study.name)
        check_overrides(config, study)
    for study in studies:
        run_study(config, study)


def check_page(readme: Path, name: str) -> None:
    """Refuse a study whose README is missing, or has no place for its tables."""
    if not readme.is_file():
        raise UserError(
            f"name={name}: no {readme} here, where its tables go; run it in a clone of the repository, or give "
            "output=FOLDER of a README.md"
        )
    find_block(readme, name)


def folder_of(config: StudyConfig, study: Study) -> Path:
    """The folder with a study's README.

    With `name=all`, each study has its own folder in `output`; the default `experiments/all` means `experiments`.
    """
    output = Path(config.output)
    if config.name != ALL:
        return output
    return (output.parent if output.name == ALL else output) / study.name


def run_study(config: StudyConfig, study: Study) -> None:
    """Train what the study compares, then write and log its findings."""
    check_needed(config, study)
    if config.run:
        for sweep in study.sweeps:
            run_sweep(config, sweep)
    store = open_store(config.tracking, create=False)
    findings = study.findings(store)
    console = new_console()
    for table in findings.tables:
        show(console, table)
    for verdict in findings.verdicts:
        console.print(f"[bold]{verdict.verdict}[/]: {verdict.claim} {verdict.evidence}", soft_wrap=True)
    folder = folder_of(config, study)
    findings.write(folder, study.name)
    parent = find_sweep(store, study.sweeps[-1].experiment, finished=True)
    log_findings(store, parent, study.name, findings.texts(), findings.figures)
    console.print(
        f"written to {folder}, and logged to run {parent.info.run_id} of {store.uri}, under study/{study.name}",
        soft_wrap=True,
    )


def check_overrides(config: StudyConfig, study: Study) -> None:
    """Refuse overrides of what a sweep varies: there would be nothing left to compare."""
    for sweep in study.sweeps if config.overrides else ():
        composed = compose("config", [f"experiment={sweep.experiment}"], return_hydra_config=True)
        compared = {"experiment", "study", *composed.hydra.sweeper.params} - {"seed"}
        for override in config.overrides:
            if key_of(override) in compared:
                raise UserError(f"overrides={override}: {sweep.experiment} compares by this; leave it out")


def key_of(override: str) -> str:
    """The key that an override sets."""
    return override.lstrip("+").split("=")[0]


def check_needed(config: StudyConfig, study: Study) -> None:
    """Refuse a study before anything is trained where the sweeps of another study are missing."""
    for needed, sweeps in study.needs.items():
        try:
            store = open_store(config.tracking, create=False)
            for name in sweeps:
                find_sweep(store, name, finished=True)
        except UserError as error:
            raise UserError(
                f"name={study.name} needs the runs of {needed}: run sentiment-rnn study name={needed} first ({error})"
            ) from error


def run_sweep(config: StudyConfig, sweep: Sweep) -> None:
    """One Hydra sweep in a process of its own, with this study's store.

    A sweep that chooses learning rates keeps its own seed, so that no rate is chosen with a seed of the study.
    """
    tracking = [f"tracking.directory={config.tracking.directory}", f"tracking.experiment={config.tracking.experiment}"]
    tracking += [f"tracking.uri={store_uri(config.tracking)}"] if config.tracking.uri else []
    overrides = [given for given in config.overrides if not (sweep.chooses_rates and key_of(given) in SEEDS)]
    train = [sys.executable, "-m", "sentiment_rnn", "train", f"experiment={sweep.experiment}", "tracking.repeat=false"]
    if status := subprocess.run([*train, *tracking, *overrides]).returncode:
        raise UserError(f"experiment={sweep.experiment} did not finish (status {status}); the same command resumes it")
