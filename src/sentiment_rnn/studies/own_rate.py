"""What do encoders learn over 50 tokens where their rate is searched there? By experiments/own_rate/protocol.md."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from sentiment_rnn.studies import learnability, long_range, mid_range
from sentiment_rnn.studies.kit.counted_seeds import (
    Validation,
    best_on_validation,
    counting_study,
    read_seeds,
    seed_findings,
)
from sentiment_rnn.studies.kit.encoder_groups import Styles
from sentiment_rnn.studies.kit.findings import Findings
from sentiment_rnn.studies.kit.learnt_shares import learnt_share_lines, verdict_on_arms
from sentiment_rnn.studies.kit.measurements import RESULTS
from sentiment_rnn.studies.kit.scores import Scores
from sentiment_rnn.studies.kit.share_comparisons import EQUIVALENT, Adjusted, Claim, Pair, verdicts_on
from sentiment_rnn.studies.kit.study import Sweep
from sentiment_rnn.studies.kit.verdicts import Verdict

DISTANCE = 50
SEEDS = range(20, 40)
LEADING = ("rnn", "rnn_relu", "gru", "lstm", "lstm_chrono", "lstm_chrono_2000")
"""Arms of the leading figure."""
BESIDE = {"learnability": learnability.SEEDS, "mid_range": mid_range.SEEDS, "long_range": long_range.SEEDS}
"""Studies of other distances that it has beside those of this one, and their seeds."""
SEARCHED_TO = 100
"""Tokens beyond which learnability searched no rate."""


def findings(folder: Path) -> Findings:
    """Findings from the files."""
    seeds = read_seeds(folder, SEEDS)
    found = seed_findings(folder, seeds, comparisons(seeds.validation), verdicts)
    if not seeds.scores:
        return found
    leading = learnt_share_lines(searched_where_run(folder, seeds.scores), seeds.styles, LEADING)
    return replace(found, figures={"answer": leading, **found.figures})


def searched_where_run(folder: Path, own: Scores) -> Scores:
    """Scores at distances at which rates were searched, and below the first, of what has run beside this study.

    Learnability searched at 20 and 100 tokens, and has run at other distances with these rates. Over 50 the runs of
    this study replace its, and over 100 those of mid_range, of the arms that this has. Over 400 there are those of
    long_range, and between there are none.
    """
    near, mid, far = (scores_beside(folder, name, seeds) for name, seeds in BESIDE.items())
    near = {arm: {d: score for d, score in found.items() if d <= SEARCHED_TO} for arm, found in near.items()}
    parts = (near, own, mid, far)
    return {
        arm: {distance: score for part in parts for distance, score in part.get(arm, {}).items()}
        for arm in dict.fromkeys(arm for part in parts for arm in part)
    }


def scores_beside(folder: Path, study: str, seeds: Collection[int]) -> Scores:
    """The scores of another study in the folder beside a study's; none where it has not run."""
    beside = folder.parent / study
    return read_seeds(beside, seeds).scores if (beside / RESULTS).is_file() else {}


def comparisons(validation: Validation) -> list[Claim]:
    """The protocol's claims of two arms, 2 to 7."""

    def pair(first: str, second: str) -> tuple[Pair, ...]:
        return (Pair(first, second, DISTANCE),)

    compared = (learnability.LSTMS, learnability.TANH_RNNS)
    lstm, rnn = (best_on_validation(validation, arms, DISTANCE) for arms in compared)
    return [
        Claim(
            2, "Over 50 tokens a vanilla RNN learns as often as an LSTM with the usual initialization.",
            pair("rnn", "lstm"), EQUIVALENT, equal=True,
        ),
        Claim(
            3, "With the best initialization of each, an LSTM learns 50 tokens more often than a tanh RNN.",
            pair(lstm, rnn),
        ),
        Claim(4, "A GRU does what an LSTM does.", pair("gru", "lstm"), EQUIVALENT, equal=True),
        Claim(5, "Open forget gates alone do not make an LSTM learn.", pair("lstm_chrono", "lstm_forget_5")),
        Claim(6, "The initialization decides whether a vanilla RNN learns.", pair("rnn", "rnn_uniform")),
        Claim(7, "It is enough that the gradient does not vanish at first.", pair("rnn_gain", "rnn")),
    ]  # fmt: skip


def verdicts(claims: Sequence[Claim], adjusted: Adjusted, scores: Scores, styles: Styles) -> list[Verdict]:
    """By the rules of the protocol."""
    return [
        verdict_on_arms(
            "With its rate searched there, a vanilla RNN learns 50 tokens.", scores, styles, ("rnn",), (DISTANCE,)
        ),
        *verdicts_on(claims, adjusted, scores, styles),
    ]


STUDY = counting_study(
    "own_rate",
    order=17,
    sweeps=(Sweep("own_rate_search_50", chooses_rates=True), Sweep("own_rate_50")),
    findings=findings,
)
