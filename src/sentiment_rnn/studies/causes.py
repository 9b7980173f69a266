"""What in the LSTM lets it learn to remember? Gates taken away and gradients cut, by experiments/causes/protocol.md."""

from collections.abc import Sequence
from functools import partial
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
from sentiment_rnn.studies.kit.learnt_shares import learns
from sentiment_rnn.studies.kit.scores import Scores
from sentiment_rnn.studies.kit.share_comparisons import EQUIVALENT, Adjusted, Claim, Pair, verdicts_on
from sentiment_rnn.studies.kit.study import Sweep
from sentiment_rnn.studies.kit.verdicts import Verdict

SEARCHES = (20, 100)
"""Distances at which learning rate and clipping were searched, as the protocol has it."""
DISTANCES = (20, 100, 400)
WHOLE, RNN, LEAKY = "lstm_chrono", "rnn", ("rnn_leaky", "rnn_leaky_400")
SEEDS = range(10)
LONG = (100, 400)


def findings(folder: Path) -> Findings:
    """Findings from the files."""
    seeds = read_seeds(folder, SEEDS)
    return seed_findings(folder, seeds, comparisons(seeds.validation), verdicts)


def comparisons(validation: Validation) -> list[Claim]:
    """The protocol's claims, each of the whole LSTM and one that lacks something, or of a leaky RNN."""

    def without(arm: str, *distances: int) -> tuple[Pair, ...]:
        return tuple(Pair(WHOLE, arm, distance) for distance in distances)

    leaky = {distance: best_on_validation(validation, LEAKY, distance) for distance in LONG}
    cut = (*without("lstm_truncated_10", 20), *without("lstm_truncated_50", 100), *without("lstm_truncated_200", 400))
    reached = (*without("lstm_truncated_25", 20), *without("lstm_truncated_110", 100))
    ungated = tuple(Pair(WHOLE, arm, distance) for distance, arm in leaky.items())
    further = tuple(Pair(arm, RNN, distance) for distance, arm in leaky.items())
    needed, enough = partial(Claim, margin=EQUIVALENT), partial(Claim, margin=EQUIVALENT, equal=True)
    return [
        needed(1, "Without a gradient that reaches the clause, an LSTM does not learn it.", cut),
        enough(2, "A gradient that just reaches the clause is enough.", reached),
        needed(3, "The gradient goes along the cell.", without("lstm_detach_cell", *DISTANCES)),
        enough(4, "The gradient along the cell is enough.", without("lstm_detach_hidden", *DISTANCES)),
        enough(5, "A cell without gates is enough.", ungated),
        needed(6, "A cell without gates remembers further than a vanilla RNN.", further),
        needed(7, "The forget gate is needed.", without("lstm_no_forget", *DISTANCES)),
        needed(8, "The input gate is needed.", without("lstm_no_input", *DISTANCES)),
        needed(9, "The output gate is needed.", without("lstm_no_output", *DISTANCES)),
        needed(10, "The gates need the state.", without("lstm_gates_of_input", *DISTANCES)),
        enough(11, "Forget and input gate can be one.", without("lstm_coupled", *DISTANCES)),
    ]


def verdicts(claims: Sequence[Claim], adjusted: Adjusted, scores: Scores, styles: Styles) -> list[Verdict]:
    """By the rules of the protocol: nothing is decided at a distance that the whole LSTM does not learn itself."""
    undecidable = [distance for distance in DISTANCES if not learns(scores, WHOLE, distance)]
    return verdicts_on(claims, adjusted, scores, styles, undecidable)


STUDY = counting_study(
    "causes",
    order=19,
    sweeps=(
        *(Sweep(f"causes_search_{distance}", chooses_rates=True) for distance in SEARCHES),
        *(Sweep(f"causes_search_ungated_{distance}", chooses_rates=True) for distance in SEARCHES),
        *(Sweep(f"{kind}_{distance}") for distance in DISTANCES for kind in ("causes", "causes_ungated")),
    ),
    findings=findings,
)
