"""What is learned over 100 tokens where the rate is searched there? By experiments/mid_range/protocol.md."""

from collections.abc import Sequence
from pathlib import Path

from sentiment_rnn.studies.kit.counted_seeds import counting_study, read_seeds, seed_findings
from sentiment_rnn.studies.kit.encoder_groups import Styles
from sentiment_rnn.studies.kit.findings import Findings
from sentiment_rnn.studies.kit.learning_times import learning_time_table
from sentiment_rnn.studies.kit.learnt_shares import fails, learns, verdict_on_arms
from sentiment_rnn.studies.kit.scores import Scores
from sentiment_rnn.studies.kit.share_comparisons import Adjusted, Claim, Pair, verdicts_on
from sentiment_rnn.studies.kit.study import Sweep
from sentiment_rnn.studies.kit.verdicts import Verdict
from sentiment_rnn.studies.learnability import BUDGETS

DISTANCE = 100
SEEDS = range(60, 80)
RNN, LSTM, CHRONO = "rnn", "lstm", "lstm_chrono"
RNN_FAILS = "Most seeds of a vanilla RNN fail over 100 tokens."
USUAL_AGAINST_RNN = "With the usual initialization an LSTM learns 100 tokens more often than a vanilla RNN."
AGAINST_RNN = (
    Claim(4, USUAL_AGAINST_RNN, (Pair(LSTM, RNN, DISTANCE),)),
    Claim(
        5, "With chrono initialization an LSTM learns 100 tokens more often than a vanilla RNN.",
        (Pair(CHRONO, RNN, DISTANCE),),
    ),
)  # fmt: skip
WITHOUT_INPUT_GATE = Claim(
    6, "At the rate of the whole LSTM, one without input gate learns 100 tokens less often.",
    (Pair(CHRONO, "lstm_no_input", DISTANCE),),
)  # fmt: skip
WITHOUT_CELL_GRADIENT = Claim(
    7, "At the rate of the whole LSTM, one without a gradient along its cell learns 100 tokens less often.",
    (Pair(CHRONO, "lstm_detach_cell", DISTANCE),),
)  # fmt: skip
TAKEN_APART = (WITHOUT_INPUT_GATE, WITHOUT_CELL_GRADIENT)


def findings(folder: Path) -> Findings:
    """Findings from the files; where only the search has been run, its."""
    seeds = read_seeds(folder, SEEDS)
    return seed_findings(
        folder,
        seeds,
        [*AGAINST_RNN, *TAKEN_APART],
        verdicts,
        more=[learning_time_table(seeds.times, seeds.styles, BUDGETS)],
        searched_epochs="8",
    )


def verdicts(_: Sequence[Claim], adjusted: Adjusted, scores: Scores, styles: Styles) -> list[Verdict]:
    """By the rules of the protocol: where the whole LSTM does not learn, nothing is decided of one taken apart."""
    there = (DISTANCE,)
    return [
        verdict_on_arms(RNN_FAILS, scores, styles, (RNN,), there, fails),
        verdict_on_arms("An LSTM with the usual initialization learns 100 tokens.", scores, styles, (LSTM,), there),
        verdict_on_arms("An LSTM with chrono initialization learns 100 tokens.", scores, styles, (CHRONO,), there),
        *verdicts_on(AGAINST_RNN, adjusted, scores, styles),
        *verdicts_on(TAKEN_APART, adjusted, scores, styles, () if learns(scores, CHRONO, DISTANCE) else there),
    ]


STUDY = counting_study(
    "mid_range",
    order=15,
    sweeps=(Sweep("mid_range_search", chooses_rates=True), Sweep("mid_range"), Sweep("mid_range_apart")),
    findings=findings,
)
