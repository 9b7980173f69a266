"""What is learned over 400 tokens where the rate is searched there? By experiments/long_range/protocol.md."""

from collections.abc import Sequence
from pathlib import Path

from sentiment_rnn.studies.kit.counted_seeds import (
    Validation,
    best_on_validation,
    counting_study,
    read_seeds,
    seed_findings,
)
from sentiment_rnn.studies.kit.encoder_groups import Styles
from sentiment_rnn.studies.kit.findings import Findings
from sentiment_rnn.studies.kit.learning_times import learning_time_table
from sentiment_rnn.studies.kit.learnt_shares import fails, verdict_on_arms
from sentiment_rnn.studies.kit.scores import Scores
from sentiment_rnn.studies.kit.share_comparisons import Adjusted, Claim, Pair, verdicts_on
from sentiment_rnn.studies.kit.study import Sweep
from sentiment_rnn.studies.kit.verdicts import Verdict
from sentiment_rnn.studies.learnability import BUDGETS

DISTANCE = 400
SEEDS = range(40, 50)
CHRONO = ("lstm_chrono", "lstm_chrono_2000")
RNNS = ("rnn", "rnn_relu")
SHORT = ("gru", "lstm")
"""Gated arms that start with a short memory."""
RNNS_FAIL = "Most seeds of a vanilla RNN fail over 400 tokens."
BEST_AGAINST_BEST = "The best of these LSTMs learns 400 tokens more often than the best of these vanilla RNNs."
CHRONO_HELPS = "Chrono initialization helps an LSTM learn 400 tokens."


def findings(folder: Path) -> Findings:
    """Findings from the files; where only the search has been run, its."""
    seeds = read_seeds(folder, SEEDS)
    return seed_findings(
        folder,
        seeds,
        comparisons(seeds.validation),
        verdicts,
        more=[learning_time_table(seeds.times, seeds.styles, BUDGETS)],
        searched_epochs="8",
    )


def comparisons(validation: Validation) -> list[Claim]:
    """The protocol's claims of two arms, 4 to 6."""
    lstm, rnn = (best_on_validation(validation, arms, DISTANCE) for arms in (("lstm", *CHRONO), RNNS))
    return [
        Claim(4, BEST_AGAINST_BEST, (Pair(lstm, rnn, DISTANCE),)),
        Claim(5, CHRONO_HELPS, (Pair("lstm_chrono", "lstm", DISTANCE),)),
        Claim(
            6, "Chrono for 2,000 steps helps more than for 400.", (Pair("lstm_chrono_2000", "lstm_chrono", DISTANCE),)
        ),
    ]


def verdicts(claims: Sequence[Claim], adjusted: Adjusted, scores: Scores, styles: Styles) -> list[Verdict]:
    """By the rules of the protocol."""
    there = (DISTANCE,)
    return [
        verdict_on_arms("LSTMs with chrono initialization learn 400 tokens.", scores, styles, CHRONO, there),
        verdict_on_arms(RNNS_FAIL, scores, styles, RNNS, there, fails),
        verdict_on_arms(
            "Most seeds of a gated encoder that starts with a short memory fail over 400 tokens.",
            scores, styles, SHORT, there, fails,
        ),
        *verdicts_on(claims, adjusted, scores, styles),
    ]  # fmt: skip


STUDY = counting_study(
    "long_range",
    order=16,
    sweeps=(
        Sweep("long_range_search", chooses_rates=True),
        Sweep("long_range_search_usual", chooses_rates=True),
        Sweep("long_range"),
        Sweep("long_range_usual"),
    ),
    findings=findings,
)
