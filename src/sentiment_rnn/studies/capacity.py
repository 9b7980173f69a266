"""Is it memory or parameters? Wider, deeper and two-way encoders on IMDb."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from mlflow.entities import Run

from sentiment_rnn.analysis.figures import color_of, new_figure, styled
from sentiment_rnn.analysis.predictions import correct_by_seed
from sentiment_rnn.analysis.statistics import bootstrap_difference, spread
from sentiment_rnn.analysis.tables import Table
from sentiment_rnn.studies.findings import Findings, Verdict, csv_text, judged, mean_of, points
from sentiment_rnn.studies.length import tokens_of
from sentiment_rnn.studies.starts import seed_of
from sentiment_rnn.tracking.results import predictions_of, runs_of
from sentiment_rnn.tracking.store import Store

EXPERIMENTS = ("capacity_depth", "capacity_direction", "capacity_width")
NEEDS = {"length": ("length_tokens",)}
TOKENS = 400
"""`max_tokens` of every arm."""
NAMES = {
    "rnn": "RNN",
    "rnn_wide": "RNN, as large as the LSTM",
    "lstm": "LSTM",
    "bag": "bag of words",
}
MEASURES = ("parameters", "train/epoch_seconds", "val/best_accuracy", "test/accuracy")
NOTHING = 0.01
"""A difference in accuracy that counts as none."""
Arm = tuple[str, str]
"""A name, and how it was read out."""
LARGER: dict[str, Arm] = {
    "as many weights as the LSTM": (NAMES["rnn_wide"], "last"),
    "two layers": ("RNN, 2 layers", "last"),
    "two directions": ("RNN, two directions", "mean_max"),
}
"""The RNNs that might make up for the gates."""


def findings(store: Store) -> Findings:
    """What the sweeps say."""
    arms: dict[Arm, list[Run]] = {}
    runs = [run for run in runs_of(store, "length_tokens", *EXPERIMENTS) if tokens_of(run) == TOKENS]
    for run in sorted(runs, key=place_of):
        arms.setdefault(arm_of(run), []).append(run)
    correct = {arm: correct_by_seed([predictions_of(store, run) for run in runs]) for arm, runs in arms.items()}
    rows = [
        (*arm, run.data.params["encoder.hidden_size"], seed_of(run), int(run.data.metrics["parameters"]),
         *(float(run.data.metrics[name]) for name in MEASURES[1:]))
        for arm, runs in arms.items() for run in runs
    ]  # fmt: skip
    return Findings(
        tables=[
            score_table(arms, correct),
        ],
        figures={"capacity": capacity_figure(arms)},
        results=csv_text(("encoder", "pooling", "hidden_size", "seed", *MEASURES), rows),
        verdicts=verdicts(correct),
    )


def place_of(run: Run) -> tuple[bool, int, str, str, int]:
    """Where a run stands in tables and figures: by read-out, encoder, layers, directions and seed."""
    settings = run.data.params
    encoder = list(NAMES).index(settings["encoder.name"])
    everywhere = settings["pooling.name"] == "mean_max"
    return everywhere, encoder, settings["encoder.layers"], settings["encoder.bidirectional"], seed_of(run)


def arm_of(run: Run) -> Arm:
    """What a run is called here."""
    name = NAMES[run.data.params["encoder.name"]]
    if run.data.params["encoder.layers"] != "1":
        name += f", {run.data.params['encoder.layers']} layers"
    if run.data.params["encoder.bidirectional"] == "True":
        name += ", two directions"
    return name, run.data.params["pooling.name"]


def score_table(arms: Mapping[Arm, Sequence[Run]], correct: Mapping[Arm, np.ndarray]) -> Table:
    """Accuracy, size and time of every arm, and what it is ahead of a plain one and behind the LSTM, read out alike."""
    rows = []
    for arm, runs in arms.items():
        accuracy = mean_of([100 * run.data.metrics["test/accuracy"] for run in runs])
        reference = ("LSTM", "mean_max" if arm[1] == "mean_max" else "last")
        behind = "" if arm == reference else points(bootstrap_difference(correct[reference], correct[arm], 2000))
        plain = plain_of(arm)
        gain = "" if arm == plain else points(bootstrap_difference(correct[arm], correct[plain], 2000))
        seconds = float(np.mean([run.data.metrics["train/epoch_seconds"] for run in runs]))
        rows.append((
            *arm, runs[0].data.params["encoder.hidden_size"], f"{runs[0].data.metrics['parameters']:,.0f}",
            f"{seconds:.1f}", accuracy, gain, behind,
        ))  # fmt: skip
    columns = (
        "encoder",
        "pooling",
        "H",
        "parameters",
        "s / epoch",
        "test accuracy [%]",
        "it minus the plain one [points]",
        "LSTM minus it [points]",
    )
    return Table(
        "Mean ± standard deviation over the seeds; differences with 95 % intervals. The plain one has one layer, one "
        "direction and the LSTM's width",
        columns,
        rows,
    )


def plain_of(arm: Arm) -> Arm:
    """The arm of one layer and one direction, of the LSTM's width, that an arm enlarges."""
    name = arm[0].split(",")[0]
    return name, arm[1]


@styled
def capacity_figure(arms: Mapping[Arm, Sequence[Run]]) -> Figure:
    """Test accuracy of every arm, a dot a seed; last state on the left, all states on the right."""
    figure, panels = new_figure(2, width=6.2, height=4.4)
    for axes, title, poolings in (
        (panels[0], "Read out at the last state (bag: mean)", ("last", "mean")),
        (panels[1], "Over all states", ("mean_max",)),
    ):
        chosen = {arm: runs for arm, runs in arms.items() if arm[1] in poolings}
        for row, (arm, runs) in enumerate(chosen.items()):
            accuracies = [run.data.metrics["test/accuracy"] for run in runs]
            color = color_of("bag" if arm[0].startswith("bag") else arm[0][:4].strip(" ,").lower(), 0)
            axes.errorbar(
                np.mean(accuracies), row, xerr=spread(accuracies).deviation, color=color, capsize=4, linewidth=2
            )
            axes.scatter(accuracies, [row] * len(accuracies), color=color, s=30, zorder=3, edgecolor="white")
        axes.set_yticks(range(len(chosen)), [arm[0] for arm in chosen])
        axes.invert_yaxis()
        axes.set(title=title, xlabel="test accuracy (a dot a seed, mean ± sd)", xlim=(0.48, 0.96))
    return figure


def verdicts(correct: Mapping[Arm, np.ndarray]) -> list[Verdict]:
    """Whether a larger RNN makes up for the gates, and whether order adds anything on IMDb."""
    behind, gains = {}, {}
    for what, arm in LARGER.items():
        behind[what] = bootstrap_difference(correct["LSTM", arm[1]], correct[arm], 2000)
        gains[what] = bootstrap_difference(correct[arm], correct[plain_of(arm)], 2000)
    trails = all(found.low > 0 for found in behind.values())
    bag = bootstrap_difference(correct["LSTM", "last"], correct["bag of words", "mean"], 2000)
    return [
        Verdict(
            "More weights, a second layer or a second direction do not make up for the gates.",
            judged(trails and all(gain.high < NOTHING for gain in gains.values()), trails),
            "What an RNN gains, and by what an LSTM of one layer and direction still leads it: "
            + "; ".join(f"{what} {points(gains[what])}, {points(behind[what])} points" for what in LARGER)
            + ".",
        ),
        Verdict(
            "The sentiment of real reviews needs order and context.",
            judged(bag.low > NOTHING, bag.low > 0),
            f"On IMDb the LSTM leads a bag of words, which knows no order, by {points(bag)} points.",
        ),
    ]
