"""Do the arms that fail learn with ten times the steps? By experiments/budget/protocol.md."""

from collections.abc import Sequence
from pathlib import Path

from sentiment_rnn.studies.kit.counted_seeds import counting_study, read_seeds, seed_findings
from sentiment_rnn.studies.kit.encoder_groups import Styles
from sentiment_rnn.studies.kit.findings import Findings
from sentiment_rnn.studies.kit.learning_times import learning_time_table
from sentiment_rnn.studies.kit.learnt_shares import verdict_on_arms
from sentiment_rnn.studies.kit.scores import Scores
from sentiment_rnn.studies.kit.share_comparisons import Adjusted, Claim, Pair, verdicts_on
from sentiment_rnn.studies.kit.study import Sweep
from sentiment_rnn.studies.kit.verdicts import Verdict
from sentiment_rnn.studies.learnability import TANH_RNNS

DISTANCES = (20, 50, 100)
SEEDS = range(50, 60)
BUDGETS = (1800, 4500, 9000, 18000)
"""Training steps of the table: a whole run of learnability, and a quarter, half and all of a run."""
OPEN_GATES = ("lstm_forget_3", "lstm_forget_5")
"""Forget gates that start near 1, and input gates that start at one half."""
FAILED = ("rnn_uniform", *OPEN_GATES)
"""Arms that learned 20 and 50 tokens in few seeds of learnability and own_rate, or in none."""
LEARNING: dict[str, tuple[tuple[str, ...], int]] = {
    "With ten times the steps, initializations that fail over 20 tokens learn them.": (FAILED, 20),
    "With ten times the steps, initializations that fail over 50 tokens learn them.": (FAILED, 50),
    "With ten times the steps, a tanh RNN learns 100 tokens.": (TANH_RNNS, 100),
    "With ten times the steps, an LSTM with open forget gates learns 100 tokens.": (OPEN_GATES, 100),
    "With ten times the steps, an LSTM with the usual initialization learns 100 tokens.": (
        ("lstm_forget_0", "lstm"), 100,
    ),
}  # fmt: skip
"""Claims 1 to 5: arms, and the distance that each is to learn."""
COMPARISONS = (
    Claim(
        6, "With ten times the steps, an LSTM learns 100 tokens more often than a vanilla RNN.",
        (Pair("lstm", "rnn", 100),),
    ),
)  # fmt: skip


def findings(folder: Path) -> Findings:
    """Findings from the files."""
    seeds = read_seeds(folder, SEEDS)
    return seed_findings(
        folder,
        seeds,
        COMPARISONS,
        verdicts,
        more=[learning_time_table(seeds.times, seeds.styles, BUDGETS)],
        searched_epochs="80",
    )


def verdicts(claims: Sequence[Claim], adjusted: Adjusted, scores: Scores, styles: Styles) -> list[Verdict]:
    """By the rules of the protocol."""
    return [
        *(verdict_on_arms(claim, scores, styles, arms, (distance,)) for claim, (arms, distance) in LEARNING.items()),
        *verdicts_on(claims, adjusted, scores, styles),
    ]


STUDY = counting_study(
    "budget",
    order=18,
    sweeps=(
        *(Sweep(f"budget_search_{distance}", chooses_rates=True) for distance in DISTANCES),
        *(Sweep(f"budget_{distance}") for distance in DISTANCES),
    ),
    findings=findings,
)
