"""Run studies: their sweeps, then their findings, into `experiments/<name>` and the last sweep's parent run.

    sentiment-rnn study name=learnability
    sentiment-rnn study name=learnability run=false     # from the results in its folder alone; no run is needed
    sentiment-rnn study name=all                        # every study, in order
    sentiment-rnn study name=learnability "sweeps=[learn_50]"   # one sweep, added to what its folder has

An interrupted sweep resumes; a finished one is not run again. A study does not start without its protocol, and makes no
findings of results that were measured under another. A sweep whose learning rates no search has chosen yet
(`optimizer.draws` has a null) is left out, and a line says so.
"""

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import hydra
from hydra import compose
from omegaconf import DictConfig, OmegaConf

from sentiment_rnn.cli.errors import one_line_errors
from sentiment_rnn.config.commands import StudyConfig
from sentiment_rnn.config.folders import CONFIGURATION
from sentiment_rnn.config.loading import checked
from sentiment_rnn.errors import UserError
from sentiment_rnn.report.figures import write_folder
from sentiment_rnn.report.tables import new_console
from sentiment_rnn.studies import all_studies, find_study
from sentiment_rnn.studies.kit.evidence import checked_findings
from sentiment_rnn.studies.kit.measurements import RESULTS
from sentiment_rnn.studies.kit.parts import added_to
from sentiment_rnn.studies.kit.protocol import (
    PROVENANCE,
    check_started_under,
    measured_parts,
    protocol_digest,
    provenance_json,
)
from sentiment_rnn.studies.kit.study import Study, Sweep
from sentiment_rnn.tracking.names import PROTOCOL_VARIABLE, URI_VARIABLE
from sentiment_rnn.tracking.results import find_sweep
from sentiment_rnn.tracking.store import open_store
from sentiment_rnn.tracking.sweep_reports import log_findings

ALL = "all"
SEEDS = ("seed", "hydra.sweeper.params.seed")
"""Overrides that set the seeds."""
ENCODERS = ("encoder", "hydra.sweeper.params.encoder")
"""Overrides that set the encoders."""
RATES = ("optimizer.draw", "optimizer.learning_rate")
"""Keys of which each sets a learning rate, whatever `optimizer.draws` says."""


@hydra.main(version_base="1.3", config_path=CONFIGURATION, config_name="study")
def main(config: DictConfig) -> None:
    """Run one study, or all."""
    with one_line_errors():
        run_studies(checked(config))


def run_studies(config: StudyConfig) -> None:
    """Check everything that can be checked before a sweep starts; then run the studies one after another."""
    studies = list(all_studies()) if config.name == ALL else [find_study(config.name)]
    for study in studies:
        check_part(config, study)
    if config.run:
        for study in studies:
            sweeps_of(config, study)
            check_overrides(config, study)
            protocol_digest(study, folder_of(config, study))
    elif config.overrides:
        raise UserError(f"overrides={config.overrides[0]}: run=false trains nothing; leave out overrides, or run=false")
    for study in studies:
        run_study(config, study)


def folder_of(config: StudyConfig, study: Study) -> Path:
    """The folder of a study.

    With `name=all`, each study has its own folder in `output`; the default `experiments/all` means `experiments`.
    """
    output = Path(config.output)
    if config.name != ALL:
        return output
    return (output.parent if output.name == ALL else output) / study.name


def run_study(config: StudyConfig, study: Study) -> None:
    """Train and measure what the study compares; then write its findings, and log everything to its last sweep.

    With `sweeps`, what the folder has of the other sweeps stays.
    """
    folder = folder_of(config, study)
    if not config.run:
        report_findings(study, folder)
        return
    check_needed(config, study)
    protocol = protocol_digest(study, folder)
    sweeps, left_out = sweeps_of(config, study)
    in_part = bool(config.sweeps or left_out)
    kept = measured_parts(study, folder) if in_part else ()
    for line in left_out:
        new_console().print(line, soft_wrap=True)
    for sweep in sweeps:
        run_sweep(config, sweep, protocol)
        check_started_under(protocol, open_store(config.tracking, create=False), sweep.experiment)
    store = open_store(config.tracking, create=False)
    measurements = study.measure(store, sweeps)
    if in_part:
        measurements = added_to(folder, measurements)
    measured = measurements.files | {PROVENANCE: provenance_json(study, sweeps, store, protocol, kept)}
    written = write_folder(folder, measured, measurements.figures) + report_findings(study, folder)
    parent = find_sweep(store, sweeps[-1].experiment if sweeps else study.last_sweep, finished=True)
    log_findings(store, parent, study.name, written)
    new_console().print(
        f"logged to run {parent.info.run_id} of {store.address}, under study/{study.name}", soft_wrap=True
    )


def report_findings(study: Study, folder: Path) -> list[Path]:
    """Make the findings from the results in the folder, print them, and write them there; what was written."""
    findings = checked_findings(study, folder)
    console = new_console()
    findings.show(console)
    written = findings.write(folder)
    console.print(f"written to {folder}", soft_wrap=True)
    return written


def sweeps_of(config: StudyConfig, study: Study) -> tuple[list[Sweep], list[str]]:
    """The sweeps that are run, in the order of the study, and a line for each that is left out: no search has chosen
    its learning rates yet.

    Raises:
        UserError: such a sweep is asked for by its name, or it cannot be left out.
    """
    asked = [sweep for sweep in study.sweeps if not config.sweeps or sweep.experiment in config.sweeps]
    waiting = {sweep.experiment: arms for sweep in asked if (arms := arms_without_rate(config, sweep))}
    lines = [
        f"{experiment}: optimizer.draws has null for {', '.join(arms)}, since no search has chosen a draw yet; run its "
        f"search, and put the best draw into conf/experiment/{experiment}.yaml"
        for experiment, arms in waiting.items()
    ]
    if waiting and (config.sweeps or not study.in_parts):
        raise UserError(lines[0])
    return [sweep for sweep in asked if sweep.experiment not in waiting], [f"left out: {line}" for line in lines]


def arms_without_rate(config: StudyConfig, sweep: Sweep) -> list[str]:
    """The encoders of a sweep whose draw is null in `optimizer.draws`, and that nothing else gives a learning rate."""
    composed = planned(sweep.experiment)
    varied, given = composed.hydra.sweeper.params, {key_of(override): override for override in config.overrides}
    if any(key in varied or key in given or OmegaConf.select(composed, key) is not None for key in RATES):
        return []
    encoders = next((given[key].split("=", 1)[1] for key in ENCODERS if key in given), None)
    encoders = str(varied.get("encoder", composed.encoder.name)) if encoders is None else encoders
    draws = composed.optimizer.draws
    return [arm for arm in encoders.strip("'\"").split(",") if arm in draws and draws[arm] is None]


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
    for sweep in sweeps_of(config, study)[0] if config.overrides else ():
        compared = {"experiment", "study", *planned(sweep.experiment).hydra.sweeper.params} - {"seed"}
        for override in config.overrides:
            if key_of(override) in compared:
                raise UserError(f"overrides={override}: {sweep.experiment} compares by this; leave it out")


@cache
def planned(experiment: str) -> DictConfig:
    """The configuration of an experiment, with Hydra's own part: its sweeper has what the sweep varies."""
    return compose("config", [f"experiment={experiment}"], return_hydra_config=True)


def key_of(override: str) -> str:
    """The key that an override sets."""
    return override.lstrip("+").split("=")[0]


def check_needed(config: StudyConfig, study: Study) -> None:
    """Refuse a study before anything is trained where the sweeps or the results of another study are missing."""
    beside = folder_of(config, study).parent
    for read in study.reads:
        if not (beside / read / RESULTS).is_file():
            raise UserError(
                f"name={study.name} reads the results of {read}, and {beside / read} has none: run sentiment-rnn study "
                f"name={read} first"
            )
    for needed, sweep in study.needs.items():
        try:
            find_sweep(open_store(config.tracking, create=False), sweep, finished=True)
        except UserError as error:
            raise UserError(
                f"name={study.name} needs the runs of {needed}: run sentiment-rnn study name={needed} first ({error})"
            ) from error


def quoted(value: str) -> str:
    """A text as a value on Hydra's command line: one with a comma is no sweep."""
    return "'" + value.replace("'", "\\'") + "'"


def run_sweep(config: StudyConfig, sweep: Sweep, protocol: str) -> None:
    """One Hydra sweep in a process of its own, with this study's store.

    A sweep that chooses learning rates keeps its own seed, so that no rate is chosen with a seed of the study.

    Args:
        protocol: digest of the protocol with which its runs are tagged.
    """
    keys = ("directory", "experiment", "checkpoints")
    tracking = [f"tracking.{key}={quoted(value)}" for key in keys if (value := getattr(config.tracking, key))]
    overrides = [given for given in config.overrides if not (sweep.chooses_rates and key_of(given) in SEEDS)]
    train = [sys.executable, "-m", "sentiment_rnn", "train", "-m", f"experiment={sweep.experiment}"]
    train.append("tracking.repeat=false")
    environment = os.environ | {PROTOCOL_VARIABLE: protocol}
    if (
        config.tracking.uri
    ):  # not on the command line, which everybody on this machine can read: a password can be in it
        environment[URI_VARIABLE] = config.tracking.uri
    if status := subprocess.run([*train, *tracking, *overrides], env=environment).returncode:
        raise UserError(f"experiment={sweep.experiment} did not finish (status {status}); the same command resumes it")
