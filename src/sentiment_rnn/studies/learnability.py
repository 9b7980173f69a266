"""Which encoders learn to remember, over what distance? The share of seeds, by experiments/learnability/protocol.md."""

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
from sentiment_rnn.studies.kit.learning_times import span_by_steps_table
from sentiment_rnn.studies.kit.learnt_shares import fails, learns, learnt_share_figure, verdict_on_arms
from sentiment_rnn.studies.kit.scores import Scores
from sentiment_rnn.studies.kit.share_comparisons import EQUIVALENT, Adjusted, Claim, Pair, verdicts_on
from sentiment_rnn.studies.kit.study import Sweep
from sentiment_rnn.studies.kit.verdicts import Verdict

SEARCHES = (20, 100)
"""Distances at which learning rate and clipping were searched, as the protocol has it."""
DISTANCES = (5, 20, 50, 100, 200, 400)
BUDGETS = (450, 900, 1800)
"""Training steps of the table: a quarter, half and all of a run."""
NOT_REACHED = 0
"""Of a net that learns all of them."""
LSTMS = (
    "lstm_forget_0", "lstm", "lstm_forget_3", "lstm_forget_5", "lstm_chrono_50", "lstm_chrono", "lstm_chrono_2000",
)  # fmt: skip
TANH_RNNS = ("rnn_uniform", "rnn", "rnn_gain")
RNNS = (*TANH_RNNS, "rnn_relu")
SEEDS = range(20)


def findings(folder: Path) -> Findings:
    """Findings from the files."""
    seeds = read_seeds(folder, SEEDS)
    return seed_findings(
        folder,
        seeds,
        comparisons(seeds.scores, seeds.validation),
        verdicts,
        learnt_share_figure,
        more=[span_by_steps_table(seeds.times, seeds.styles, BUDGETS)],
    )


def comparisons(scores: Scores, validation: Validation) -> list[Claim]:
    """The protocol's claims of two arms, 3 to 8."""
    return [
        Claim(
            3, "An LSTM with the usual initialization remembers further than a vanilla RNN.",
            (Pair("lstm", "rnn", beyond_the_rnn(scores)),),
        ),
        Claim(
            4, "With the best initialization of each, an LSTM remembers further than a vanilla RNN.",
            tuple(
                Pair(best_on_validation(validation, LSTMS, d), best_on_validation(validation, RNNS, d), d)
                for d in (200, 400)
            ),
        ),
        Claim(
            5, "A GRU does what an LSTM does.",
            tuple(Pair("gru", "lstm", distance) for distance in (50, 100)), EQUIVALENT, equal=True,
        ),
        Claim(
            6, "The initialization decides how far an LSTM remembers.",
            tuple(Pair("lstm_chrono", "lstm", distance) for distance in (200, 400)),
        ),
        Claim(
            7, "Open forget gates alone do not make an LSTM learn.",
            tuple(Pair("lstm_chrono", "lstm_forget_5", distance) for distance in (50, 100)),
        ),
        Claim(
            8, "It is enough that the gradient does not vanish at first.",
            tuple(Pair("rnn_gain", "rnn", distance) for distance in (50, 100)),
        ),
    ]  # fmt: skip


def beyond_the_rnn(scores: Scores) -> int:
    """The shortest distance at which it is not sure that the orthogonal RNN learns, run or not."""
    return next((distance for distance in DISTANCES if not learns(scores, "rnn", distance)), NOT_REACHED)


def verdicts(claims: Sequence[Claim], adjusted: Adjusted, scores: Scores, styles: Styles) -> list[Verdict]:
    """By the rules of the protocol. A part at a distance that has not been run is open."""
    short, long = (5, 20), (100, 200, 400)
    return [
        verdict_on_arms("A vanilla RNN has a good short-term memory.", scores, styles, ("rnn",), short),
        verdict_on_arms("A vanilla RNN has a bad long-term memory.", scores, styles, RNNS, long, fails),
        *verdicts_on(claims, adjusted, scores, styles),
    ]


STUDY = counting_study(
    "learnability",
    order=14,
    sweeps=(
        *(Sweep(f"learn_search_{distance}", chooses_rates=True) for distance in SEARCHES),
        *(Sweep(f"learn_{distance}") for distance in DISTANCES),
    ),
    findings=findings,
)
