"""Write the findings of all studies as one HTML page, from the files in their folders.

sentiment-rnn report output=report.html
"""

from pathlib import Path

import hydra
from omegaconf import DictConfig

from sentiment_rnn.cli.errors import one_line_errors
from sentiment_rnn.config.commands import ReportConfig
from sentiment_rnn.config.folders import CONFIGURATION
from sentiment_rnn.config.loading import checked
from sentiment_rnn.errors import UserError
from sentiment_rnn.studies import find_study
from sentiment_rnn.studies.page import build_page, sections_of
from sentiment_rnn.tracking.results import find_sweep
from sentiment_rnn.tracking.store import open_store
from sentiment_rnn.tracking.sweep_reports import log_page


@hydra.main(version_base="1.3", config_path=CONFIGURATION, config_name="report")
def main(config: DictConfig) -> None:
    """Write the page."""
    with one_line_errors():
        report(checked(config))


def report(config: ReportConfig) -> None:
    """Write the page, and log it to the parent run of the last study on it."""
    experiments = Path(config.experiments)
    page, sections = build_page(experiments), sections_of(experiments)
    output = Path(config.output)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(page, encoding="utf-8")
    print(f"written to {output} ({len(page) / 1e6:.1f} MB); open it in a browser")
    # The page is made from the folder alone: it is complete without a store, or without the study's runs in it.
    try:
        store = open_store(config.tracking, create=False)
        parent = find_sweep(store, find_study(sections[-1].name).last_sweep, finished=True)
    except UserError as error:
        if config.tracking.uri:
            print(f"not logged: {error}")
        return
    log_page(store, parent, page)
    print(f"logged to run {parent.info.run_id} of {store.uri}, as report.html")
