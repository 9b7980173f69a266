"""What is measured with filler, the file that keeps it, and what share a seed keeps of what it knew."""

from collections.abc import Collection, Mapping
from pathlib import Path

from scipy.special import ndtri

from sentiment_rnn.report.statistics import BySeed
from sentiment_rnn.studies.filler.reading import BEHIND, IN_FRONT, SENTENCES, STOPS, Setting
from sentiment_rnn.studies.kit.measurements import read_rows, reading

AMOUNTS = (25, 50, 100, 200, 400)
"""Neutral tokens behind a review."""
MOST = AMOUNTS[-1]
"""As many are in front of it."""
NOTHING = Setting(SENTENCES, BEHIND, 0)
SETTINGS = (
    NOTHING,
    *(Setting(SENTENCES, BEHIND, amount) for amount in AMOUNTS),
    Setting(SENTENCES, IN_FRONT, MOST),
    Setting(STOPS, BEHIND, MOST),
    Setting(STOPS, IN_FRONT, MOST),
)
ANSWER, STATE = "answer", "state"
MEASURES = (ANSWER, STATE)
"""Of which an area is measured: `reading.Areas`."""
COLUMNS = ("encoder", "seed", *Setting._fields, *MEASURES)
KNOWS = 0.7
"""Area without filler above which a seed knows something that it can forget."""
CERTAIN = 1e-6
"""No area counts as closer to 0 or 1 than this: its z would have no bounds."""

Measured = Mapping[str, Mapping[str, Mapping[Setting, BySeed]]]
"""Areas by measure, arm, setting and seed."""
Kept = Mapping[Setting, BySeed]
"""The share that each seed of an arm keeps of what it knew."""


@reading
def read_measured(folder: Path, seeds: Collection[int]) -> Measured:
    """The areas of `results.csv`, of these seeds; raises `UserError` where the file is missing or damaged."""
    found: dict[str, dict[str, dict[Setting, dict[int, float]]]] = {measure: {} for measure in MEASURES}
    for row in read_rows(folder):
        if int(row["seed"]) in seeds:
            setting = Setting(row["filler"], row["place"], int(row["amount"]))
            for measure in MEASURES:
                of_arm = found[measure].setdefault(row["encoder"], {})
                of_arm.setdefault(setting, {})[int(row["seed"])] = float(row[measure])
    return found


def what_is_kept(measured: Measured, arm: str, measure: str) -> Kept:
    """z of the area with filler by z of the area without it, for each seed of an arm that knows something.

    √2 z is the distance d' of the two classes in standard deviations (Green & Swets 1966).
    """
    of_arm = measured[measure][arm]
    known = {seed for seed, area in of_arm[NOTHING].items() if area > KNOWS}
    return {
        setting: {seed: z(area) / z(of_arm[NOTHING][seed]) for seed, area in by_seed.items() if seed in known}
        for setting, by_seed in of_arm.items()
    }


def z(area: float) -> float:
    """The quantile of the normal distribution at an area."""
    return float(ndtri(min(max(area, CERTAIN), 1 - CERTAIN)))
