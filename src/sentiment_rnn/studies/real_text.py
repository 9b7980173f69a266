"""What are memory and the order of words worth on IMDb? By experiments/real_text/protocol.md."""

from pathlib import Path

from sentiment_rnn.studies.kit.arm_accuracies import (
    accuracy_findings,
    accuracy_study,
    read_accuracies,
    search_findings,
)
from sentiment_rnn.studies.kit.findings import Findings
from sentiment_rnn.studies.kit.margin_comparisons import ScoreClaim, ScorePair
from sentiment_rnn.studies.kit.measurements import read_styles
from sentiment_rnn.studies.kit.study import Sweep
from sentiment_rnn.tracking.results import RunResult

SEEDS = range(20, 30)
MARGIN = 0.01
"""A difference in accuracy that counts as none."""
NEAR, WHOLE = 20, 400
"""`data.shuffle_span` of the arms that read shuffled words: neighbors, and all."""
NEIGHBORS_SHUFFLED = f"lstm_shuffled_{NEAR}"
"""Arm of an LSTM that reads neighboring words in any order."""
IN_ORDER = ("rnn", "gru", "lstm", "bag")

AGAINST_RNN = ScoreClaim(
    1, "On IMDb an LSTM is better than a vanilla RNN by more than a point.", (ScorePair("lstm", "rnn"),), MARGIN
)
AGAINST_BAG = ScoreClaim(
    2, "On IMDb an LSTM is better than a bag of words by more than a point.", (ScorePair("lstm", "bag"),), MARGIN
)
CLAIMS = (
    AGAINST_RNN,
    AGAINST_BAG,
    ScoreClaim(3, "On IMDb a GRU is as good as an LSTM.", (ScorePair("gru", "lstm"),), MARGIN, equal=True),
    ScoreClaim(
        4, "The order of neighboring words is worth more than a point to an LSTM.",
        (ScorePair("lstm", NEIGHBORS_SHUFFLED),), MARGIN,
    ),
    ScoreClaim(
        5, "Where in a review words stand is worth more than a point to an LSTM.",
        (ScorePair(NEIGHBORS_SHUFFLED, f"lstm_shuffled_{WHOLE}"),), MARGIN,
    ),
)  # fmt: skip


def span_of(run: RunResult) -> int:
    """Tokens of the stretches that a run shuffles; 0 for none."""
    return int(run.config.data.shuffle_span)


def arm_of(run: RunResult) -> str:
    """An encoder, and how far it is from reading words in order."""
    return f"{run.encoder}_shuffled_{span_of(run)}" if span_of(run) else run.encoder


def change_of(run: RunResult) -> str:
    """What the label of an arm says of its words."""
    span = span_of(run)
    return "" if not span else ", all shuffled" if span >= WHOLE else f", shuffled within {span}"


def findings(folder: Path) -> Findings:
    """Findings from the files; where only searches have been run, theirs.

    Raises:
        UserError: a file is missing or damaged.
    """
    styles = read_styles(folder)
    search = search_findings(folder, styles)
    return accuracy_findings(read_accuracies(folder, SEEDS), styles, CLAIMS, SEEDS, plain=IN_ORDER, search=search)


SWEEPS = (
    Sweep("real_text_search", chooses_rates=True),
    Sweep("real_text_search_shuffled", chooses_rates=True),
    Sweep("real_text"),
    Sweep(f"real_text_shuffled_{NEAR}"),
    Sweep(f"real_text_shuffled_{WHOLE}"),
)

STUDY = accuracy_study("real_text", 85, SWEEPS, findings, arm_of, change_of)
