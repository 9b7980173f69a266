"""Run studies: their sweeps, then their findings, into `experiments/<name>` and the last sweep's parent run.

    sentiment-rnn study name=learnability
    sentiment-rnn study name=learnability run=false     # from the results in its folder alone; no run is needed
    sentiment-rnn study name=all                        # every study, in order
    sentiment-rnn study name=learnability "sweeps=[learn_50]"   # one sweep, added to what its folder has

An interrupted sweep resumes; a finished one is not run again. A study does not start without its protocol, and makes no
findings of results that were measured under another. `optimizer.draws` can have a null: no search has chosen a learning
rate yet. Then that encoder is left out of its sweep, and a line says so.
"""

from pathlib import Path

import hydra
from omegaconf import DictConfig

from sentiment_rnn.cli.errors import one_line_errors
from sentiment_rnn.cli.study_sweeps import ALL, check_overrides, check_part, planned_sweeps, run_sweep
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
from sentiment_rnn.studies.kit.study import Study
from sentiment_rnn.tracking.results import find_sweep
from sentiment_rnn.tracking.store import check_store, open_store
from sentiment_rnn.tracking.sweep_reports import log_findings


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
        check_store(config.tracking)
        for study in studies:
            planned_sweeps(config, study)
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
    kept = measured_parts(study, folder) if config.sweeps else ()
    planned = planned_sweeps(config, study)
    for one in planned:
        if one.left_out:
            new_console().print(f"left out: {one.left_out}", soft_wrap=True)
    running = [one for one in planned if one.runs]
    for one in running:
        run_sweep(config, one.sweep, protocol, one.encoders)
        check_started_under(protocol, open_store(config.tracking, create=False), one.sweep.experiment)
    sweeps = [one.sweep for one in running]
    store = open_store(config.tracking, create=False)
    measurements = study.measure(store, sweeps)
    if config.sweeps:
        measurements = added_to(folder, measurements)
    measured = measurements.files | {PROVENANCE: provenance_json(study, sweeps, store, protocol, kept)}
    written = write_folder(folder, measured, measurements.figures) + report_findings(study, folder)
    parent = find_sweep(store, sweeps[-1].experiment if sweeps else study.last_sweep, finished=True)
    log_findings(store, parent, study.name, written)
    new_console().print(f"logged to run {parent.info.run_id} of {store.uri}, under study/{study.name}", soft_wrap=True)


def report_findings(study: Study, folder: Path) -> list[Path]:
    """Make the findings from the results in the folder, print them, and write them there; what was written."""
    findings = checked_findings(study, folder)
    console = new_console()
    findings.show(console)
    written = findings.write(folder)
    console.print(f"written to {folder}", soft_wrap=True)
    return written


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
