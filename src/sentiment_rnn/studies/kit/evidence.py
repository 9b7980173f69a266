"""Findings from committed files that are checked first: the protocol and the accuracies behind them."""

from pathlib import Path

from sentiment_rnn.errors import UserError
from sentiment_rnn.studies.kit.correctness import check_accuracies
from sentiment_rnn.studies.kit.findings import Findings
from sentiment_rnn.studies.kit.measurements import ENCODERS, RESULTS, read_rows, read_styles, reading
from sentiment_rnn.studies.kit.protocol import check_protocol
from sentiment_rnn.studies.kit.study import Study


def checked_findings(study: Study, folder: Path) -> Findings:
    """The findings of a study from the files in its folder.

    Raises:
        UserError: a file is missing or damaged. Or the results were measured under another protocol, or are not those
            of the reviews that the runs classified correctly.
    """
    check_evidence(study, folder)
    return study.findings(folder)


def check_evidence(study: Study, folder: Path) -> None:
    """Raise `UserError` where the files of a study do not stand for its results; see `checked_findings`."""
    check_protocol(study, folder)
    check_accuracies(study, folder)
    check_styles(folder)


@reading
def check_styles(folder: Path) -> None:
    """Raise `UserError` where `encoders.csv` lacks an encoder of `results.csv`."""
    styles = read_styles(folder)
    if missing := [row["encoder"] for row in read_rows(folder) if row["encoder"] not in styles]:
        raise UserError(
            f"{folder / ENCODERS}: no encoder {missing[0]}, which {RESULTS} has; put it back, or run sentiment-rnn "
            f"study name={folder.name}"
        )
