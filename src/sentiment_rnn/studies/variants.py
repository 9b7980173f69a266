"""Is it memory, or weights, layers, directions, and what is read? By experiments/variants/protocol.md."""

from pathlib import Path

from sentiment_rnn.studies import real_text
from sentiment_rnn.studies.kit.arm_accuracies import (
    accuracy_findings,
    accuracy_study,
    read_accuracies,
    search_findings,
    whole_arms,
)
from sentiment_rnn.studies.kit.findings import Findings
from sentiment_rnn.studies.kit.margin_comparisons import ScoreClaim, ScorePair
from sentiment_rnn.studies.kit.measurements import read_styles
from sentiment_rnn.studies.kit.study import Sweep
from sentiment_rnn.tracking.results import RunResult

SEEDS = real_text.SEEDS
MARGIN = real_text.MARGIN
PLAIN = ("rnn", "lstm", "bag")
"""Arms of real_text, in which nothing is changed."""
TOKENS = 400
"""That they read."""
CHANGES = ("wide", "layers", "pooling", "directions", "100", "first_100")
"""What the names of its sweeps end with."""
RNN_LENGTH = "To a vanilla RNN, 400 tokens are worth more than a point over 100."
RNN_PLACE = "To a vanilla RNN's last state, the last 100 tokens are worth more than a point over the first 100."
WIDE_RNN = "A vanilla RNN with as many weights stays more than a point behind an LSTM."
DEEP_RNN = "A vanilla RNN with two layers stays more than a point behind an LSTM."
COMPARED = (
    ("Pooled over all its states, a vanilla RNN is better by more than a point.", "rnn_mean_max", "rnn"),
    ("So pooled, a vanilla RNN is as good as an LSTM, within a point.", "rnn_mean_max", "lstm_mean_max"),
    ("An LSTM is as good at its last state as pooled over all its states, within a point.", "lstm", "lstm_mean_max"),
    (WIDE_RNN, "lstm", "rnn_wide"),
    (DEEP_RNN, "lstm", "rnn_layers_2"),
    (
        "So pooled, a vanilla RNN with two directions stays more than a point behind an LSTM.",
        "lstm_mean_max", "rnn_mean_max_two_way",
    ),
    ("A second layer is worth more than a point to an LSTM.", "lstm_layers_2", "lstm"),
    (
        "A second direction is worth more than a point to an LSTM that is pooled over all its states.",
        "lstm_mean_max_two_way", "lstm_mean_max",
    ),
    ("To an LSTM, 400 tokens are worth more than a point over 100.", "lstm", "lstm_100"),
    (RNN_LENGTH, "rnn", "rnn_100"),
    (
        "To an LSTM's last state, the last 100 tokens are worth more than a point over the first 100.",
        "lstm_100", "lstm_first_100",
    ),
    (RNN_PLACE, "rnn_100", "rnn_first_100"),
)  # fmt: skip
"""Claims in the order of the protocol, each with its two arms."""
AS_GOOD = (2, 3)
"""Claims that both are as good; by the others the first is better."""
CLAIMS = tuple(
    ScoreClaim(number, text, (ScorePair(first, second),), MARGIN, equal=number in AS_GOOD)
    for number, (text, first, second) in enumerate(COMPARED, 1)
)


def changes_of(run: RunResult) -> dict[str, str]:
    """What is changed in a run beside its encoder, as an arm's name has it, and as its label says it."""
    encoder, data = run.config.encoder, run.config.data
    tokens, first = int(data.max_tokens), data.keep == "head"
    found = {
        f"layers_{encoder.layers}": ((encoder.layers or 1) > 1, f"{encoder.layers} layers"),
        "mean_max": (run.config.pooling.name == "mean_max", "mean and max"),
        "two_way": (bool(encoder.bidirectional), "two directions"),
        f"first_{tokens}": (tokens < TOKENS and first, f"first {tokens} tokens"),
        f"{tokens}": (tokens < TOKENS and not first, f"last {tokens} tokens"),
    }
    return {name: said for name, (is_so, said) in found.items() if is_so}


def arm_of(run: RunResult) -> str:
    """An encoder, and what is changed."""
    return "_".join([run.encoder, *changes_of(run)])


def change_of(run: RunResult) -> str:
    """What the label of an arm says of the change."""
    return "".join(f", {said}" for said in changes_of(run).values())


def place_of(arm: str) -> int:
    """The place of an arm in tables: beside the plain arm of its cell; one of another encoder comes last."""
    cell = arm.split("_")[0]
    return PLAIN.index(cell) if cell in PLAIN else len(PLAIN)


def findings(folder: Path) -> Findings:
    """Findings from the files, and from those of real_text in the folder beside this one.

    Raises:
        UserError: a file is missing or damaged, of this study or of real_text.
    """
    beside, own = folder.parent / real_text.STUDY.name, read_accuracies(folder, SEEDS)
    plain = {arm: by_seed for arm, by_seed in read_accuracies(beside, SEEDS).items() if arm in PLAIN}
    accuracies = whole_arms(plain | own) if own else {}
    ordered = {arm: accuracies[arm] for arm in sorted(accuracies, key=place_of)}
    styles = read_styles(beside) | read_styles(folder)
    search = search_findings(folder, styles)
    return accuracy_findings(ordered, styles, CLAIMS, SEEDS, plain=PLAIN, search=search)


SWEEPS = (
    *(Sweep(f"variants_search_{change}", chooses_rates=True) for change in CHANGES),
    *(Sweep(f"variants_{change}") for change in CHANGES),
)

STUDY = accuracy_study("variants", 86, SWEEPS, findings, arm_of, change_of, reads=(real_text.STUDY.name,))
