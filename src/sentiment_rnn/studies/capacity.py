"""Is it memory or parameters? Wider, deeper and two-way encoders on IMDb."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from sentiment_rnn.report.figures import new_figure, styled
from sentiment_rnn.report.statistics import accuracy_difference, points, spread
from sentiment_rnn.report.tables import Table
from sentiment_rnn.studies.kit.encoder_groups import EncoderStyle, Styles, plain_styles_of, styles_of
from sentiment_rnn.studies.kit.findings import Findings, mean_of
from sentiment_rnn.studies.kit.measurements import Measurements, read_rows, read_styles
from sentiment_rnn.studies.kit.study import Study, Sweep
from sentiment_rnn.studies.kit.verdicts import Verdict, above, judged
from sentiment_rnn.studies.length.pooled import tokens_of
from sentiment_rnn.tracking.names import BEST_ACCURACY, EPOCH_SECONDS, PARAMETERS
from sentiment_rnn.tracking.results import RunResult, results_of_sweeps
from sentiment_rnn.tracking.store import Store

SWEEPS = ("capacity_depth", "capacity_direction", "capacity_width")
TOKENS = 400
"""`max_tokens` of every run."""
SHORT_LABELS = {"rnn": "RNN", "lstm": "LSTM"}
"""Labels of the usual encoders, without their initializations, which are not compared here."""
ENLARGES = {"rnn_wide": "rnn"}
"""Encoders that are a larger version of another."""
MEASURES = (PARAMETERS, EPOCH_SECONDS, BEST_ACCURACY, "test/accuracy")
NOTHING = 0.01
"""A difference in accuracy that counts as none."""


class Variant(NamedTuple):
    """An encoder of some size, and its pooling."""

    encoder: str
    pooling: str
    layers: int = 1
    bidirectional: bool = False

    @property
    def everywhere(self) -> bool:
        """Whether a recurrent encoder is pooled over all its states."""
        return self.pooling == "mean_max"

    @property
    def plain(self) -> "Variant":
        """The variant of one layer and one direction, of the LSTM's width, that this one enlarges."""
        return Variant(ENLARGES.get(self.encoder, self.encoder), self.pooling)

    @property
    def lstm(self) -> "Variant":
        """The plain LSTM of the same pooling; of the last state, for a pooling that the LSTM does not have."""
        return Variant("lstm", "mean_max" if self.everywhere else "last")

    def label(self, styles: Styles) -> str:
        """Its name in tables and figures, without the pooling."""
        layers = f", {self.layers} layers" if self.layers > 1 else ""
        return styles[self.encoder].label + layers + (", two directions" if self.bidirectional else "")


LARGER = {
    "as many weights as the LSTM": Variant("rnn_wide", "last"),
    "two layers": Variant("rnn", "last", layers=2),
    "two directions": Variant("rnn", "mean_max", bidirectional=True),
}
"""The RNNs that might make up for the gates."""


class Runs(NamedTuple):
    """The runs of a variant, one entry per seed."""

    hidden_size: str
    """H; empty for an encoder that has none."""
    seeds: tuple[int, ...]
    parameters: int
    seconds: list[float]
    """Of an epoch."""
    accuracies: list[float]
    """On test."""


def measure(store: Store) -> Measurements:
    """Size, time and accuracy in these sweeps and of the runs of the length study that read as many tokens."""
    results = [result for result in results_of_sweeps(store, "length_tokens", *SWEEPS) if tokens_of(result) == TOKENS]
    rows = [
        (*variant, hidden_size_of(run), run.seed, int(run.metrics[PARAMETERS]),
         *(run.metrics[name] for name in MEASURES[1:]))
        for variant, runs in by_variant(results).items() for run in runs
    ]  # fmt: skip
    return Measurements.of_rows((*Variant._fields, "hidden_size", "seed", *MEASURES), rows, short_styles_of(results))


def findings(folder: Path) -> Findings:
    """Findings from the sizes, times and accuracies."""
    variants, styles = read_variants(folder), read_styles(folder)
    return Findings(
        tables=[score_table(variants, styles)],
        verdicts=verdicts({variant: runs.accuracies for variant, runs in variants.items()}),
        figures={"capacity": capacity_figure(variants, styles)},
    )


def read_variants(folder: Path) -> dict[Variant, Runs]:
    """The runs of each variant, from `results.csv`."""
    groups: dict[Variant, list[dict[str, str]]] = {}
    for row in read_rows(folder):
        variant = Variant(row["encoder"], row["pooling"], int(row["layers"]), row["bidirectional"] == "True")
        groups.setdefault(variant, []).append(row)
    return {
        variant: Runs(
            rows[0]["hidden_size"],
            tuple(int(row["seed"]) for row in rows),
            int(rows[0][PARAMETERS]),
            [float(row[EPOCH_SECONDS]) for row in rows],
            [float(row["test/accuracy"]) for row in rows],
        )
        for variant, rows in groups.items()
    }


def short_styles_of(results: Sequence[RunResult]) -> dict[str, EncoderStyle]:
    """Each encoder's label, the usual ones' without the initialization, and its colour."""
    colors = plain_styles_of(results)
    return {
        encoder: EncoderStyle(SHORT_LABELS.get(encoder, style.label), colors[encoder].color)
        for encoder, style in styles_of(results).items()
    }


def by_variant(results: Sequence[RunResult]) -> dict[Variant, list[RunResult]]:
    """The runs of each variant, sorted by seed.

    Variants that pool over all states come last. Both groups are sorted by the encoder that they enlarge,
    then by encoder (as they first occur), by layers and by directions.
    """
    places: dict[str, int] = {}
    for result in results:
        places.setdefault(variant_of(result).plain.encoder, len(places))
        places.setdefault(result.encoder, len(places))

    def place(result: RunResult) -> tuple[bool, int, int, int, bool, int]:
        variant = variant_of(result)
        return (
            variant.everywhere, places[variant.plain.encoder], places[variant.encoder], variant.layers,
            variant.bidirectional, result.seed,
        )  # fmt: skip

    variants: dict[Variant, list[RunResult]] = {}
    for result in sorted(results, key=place):
        variants.setdefault(variant_of(result), []).append(result)
    return variants


def variant_of(result: RunResult) -> Variant:
    """Which variant a run is of."""
    encoder = result.config.encoder
    return Variant(result.encoder, result.config.pooling.name, encoder.layers or 1, bool(encoder.bidirectional))


def hidden_size_of(result: RunResult) -> int | str:
    """H of a run's encoder; empty for one that has none."""
    size = result.config.encoder.hidden_size
    return "" if size is None else int(size)


def score_table(variants: Mapping[Variant, Runs], styles: Styles) -> Table:
    """Accuracy, size and time of every variant; how far it is ahead of the plain one, and behind the LSTM of the same
    pooling."""
    rows = []
    for variant, runs in variants.items():
        lstm, plain = variants[variant.lstm], variants.get(variant.plain)
        behind = "" if variant == variant.lstm else points(accuracy_difference(lstm.accuracies, runs.accuracies))
        gain = ""
        if plain and variant != variant.plain:
            gain = points(accuracy_difference(runs.accuracies, plain.accuracies))
        rows.append((
            variant.label(styles), variant.pooling, runs.hidden_size, f"{runs.parameters:,}",
            f"{np.mean(runs.seconds):.1f}", mean_of([100 * value for value in runs.accuracies]), gain, behind,
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
        "Mean ± standard deviation over the seeds; differences with 95 % intervals (Welch). The plain one has one "
        "layer, one direction and the LSTM's width",
        columns,
        rows,
    )


@styled
def capacity_figure(variants: Mapping[Variant, Runs], styles: Styles) -> Figure:
    """Test accuracy of every variant, one dot per seed; mean and max pooling on the right, any other on the left."""
    figure, panels = new_figure(2, width=6.2, height=4.4)
    for axes, title, everywhere in (
        (panels[0], "Pooling at the last state (bag: mean)", False),
        (panels[1], "Mean and max pooling", True),
    ):
        shown = {variant: runs for variant, runs in variants.items() if variant.everywhere == everywhere}
        for row, (variant, runs) in enumerate(shown.items()):
            accuracies = runs.accuracies
            color = styles[variant.plain.encoder if variant.plain in variants else variant.encoder].color
            axes.errorbar(
                np.mean(accuracies), row, xerr=spread(accuracies).deviation, color=color, capsize=4, linewidth=2
            )
            axes.scatter(accuracies, [row] * len(accuracies), color=color, s=30, zorder=3, edgecolor="white")
        axes.set_yticks(range(len(shown)), [variant.label(styles) for variant in shown])
        axes.invert_yaxis()
        axes.set(title=title, xlabel="test accuracy (one dot per seed, mean ± sd)", xlim=(0.48, 0.96))
    return figure


def verdicts(accuracies: Mapping[Variant, Sequence[float]]) -> list[Verdict]:
    """Whether a larger RNN makes up for the gates, and whether the LSTM is better than a bag of words on IMDb."""
    behind, gains = {}, {}
    for what, variant in LARGER.items():
        behind[what] = accuracy_difference(accuracies[variant.lstm], accuracies[variant])
        gains[what] = accuracy_difference(accuracies[variant], accuracies[variant.plain])
    bag = accuracy_difference(accuracies[Variant("lstm", "last")], accuracies[Variant("bag", "mean")])
    return [
        Verdict(
            "More weights, a second layer or a second direction do not make up for the gates.",
            judged(*(above(difference, 0) for difference in behind.values())),
            "What an RNN gains, and by what an LSTM of one layer and direction still leads it: "
            + "; ".join(f"{what} {points(gains[what])}, {points(behind[what])} points" for what in LARGER)
            + ".",
        ),
        Verdict(
            "On IMDb this LSTM, which reads in order, is better than a bag of words.",
            judged(above(bag, NOTHING)),
            f"The LSTM leads the bag of words, which knows no order, by {points(bag)} points; it counts as better from "
            f"{100 * NOTHING:.0f} point on.",
        ),
    ]


STUDY = Study(
    name="capacity",
    order=80,
    sweeps=tuple(map(Sweep, SWEEPS)),
    measure=measure,
    findings=findings,
    needs={"length": ("length_tokens",)},
)
