"""Write what the studies found as one HTML page, and their verdicts into documents.

python -m sentiment_rnn.report output=report.html
"""

import contextlib
from importlib import import_module
from pathlib import Path

import hydra
from omegaconf import DictConfig

from sentiment_rnn.analysis.tables import markdown, replace_block
from sentiment_rnn.checks import UserError
from sentiment_rnn.command import CONFIGURATION, one_line_errors, run
from sentiment_rnn.config import ReportConfig, checked
from sentiment_rnn.studies.page import build_page, sections_of, verdict_table
from sentiment_rnn.tracking.results import find_sweep
from sentiment_rnn.tracking.store import open_store


@hydra.main(version_base="1.3", config_path=CONFIGURATION, config_name="report")
def main(config: DictConfig) -> None:
    """Write the page."""
    with one_line_errors():
        report(checked(config))


def report(config: ReportConfig) -> None:
    """Write the page, and log it to the parent run of the last study on it."""
    experiments = Path(config.experiments)
    page, sections = build_page(experiments), sections_of(experiments)
    for document in config.documents:
        replace_block(Path(document), "verdicts", markdown([verdict_table(sections)]))
    output = Path(config.output)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(page, encoding="utf-8")
    print(f"written to {output} ({len(page) / 1e6:.1f} MB); open it in a browser")
    # The page is made of what lies in the folder: without a store, or without the study's runs in it, that is all.
    with contextlib.suppress(UserError):
        store = open_store(config.tracking, create=False)
        parent = find_sweep(
            store, import_module(f"sentiment_rnn.studies.{sections[-1].name}").EXPERIMENTS[-1], finished=True
        )
        store.client.log_text(parent.info.run_id, page, "report.html")
        print(f"logged to run {parent.info.run_id} of {store.uri}, as report.html")


if __name__ == "__main__":
    run(main)
