"""The learning rates in `conf/` are those that the committed results chose."""

import csv
import statistics
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
CHOSEN = {
    ("demo", "rnn"): "learning_rate_demo",
    ("demo", "lstm"): "learning_rate_demo",
    ("demo", "bag"): "learning_rate_demo",
    ("rnn_vs_lstm", "lstm"): "learning_rate",
    ("rnn_vs_lstm", "bag"): "learning_rate",
}
"""Experiment and encoder, and the sweep whose `results.csv` chose. Not here: the RNN of rnn_vs_lstm,
for which its README gives more than one sweep as the reason."""


def best_rate(sweep: str, encoder: str) -> float:
    """The rate of the best mean validation accuracy; ties go to the smaller."""
    scores: dict[float, list[float]] = {}
    with (REPOSITORY / "experiments" / "illustrations" / sweep / "results.csv").open() as file:
        for row in csv.DictReader(file):
            if row["arm"].split(",")[0] == encoder:
                scores.setdefault(float(row["learning_rate"]), []).append(float(row["val/best_accuracy"]))
    return max(sorted(scores), key=lambda rate: round(statistics.mean(scores[rate]), 9))


@pytest.mark.parametrize(("experiment", "encoder"), CHOSEN)
def test_a_learning_rate_is_the_one_that_its_sweep_chose(experiment: str, encoder: str) -> None:
    settings = yaml.safe_load((REPOSITORY / "conf" / "experiment" / f"{experiment}.yaml").read_text())
    assert settings["optimizer"]["learning_rates"][encoder] == best_rate(CHOSEN[experiment, encoder], encoder)
