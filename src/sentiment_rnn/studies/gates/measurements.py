"""What is measured of the gates, by model, and the file that keeps it."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np

from sentiment_rnn.report.statistics import BySeed
from sentiment_rnn.studies.gates.readers import ALL, SHARES, Reader, half_lives
from sentiment_rnn.studies.kit.measurements import read_rows, reading

COLUMNS = ("corpus", "encoder", "seed", "trained", "measure", "of", "value")
PROBABILITY, RUNNING, SHUT, OPEN, HALF_LIFE, LONGER_HALF_LIFE, DIFFERENCE = (
    "probability", "running accuracy", "share below 0.1", "share above 0.9", "half-life of a cell [tokens]",
    "half-life after one opinion, the longer [tokens]", "largest difference from the module",
)  # fmt: skip
"""Measures in `results.csv`."""
UNITS = {"median": 0.5, "90th-percentile": 0.9, "longest-lived": 1.0}
"""Units of a net, by the quantile of their half-life."""

Values = Mapping[tuple[str, str, bool], Mapping[tuple[str, str], BySeed]]
"""By reviews, encoder, and whether it was trained, then by measure and what it is of."""


def measure_rows(readers: Iterable[Reader]) -> Iterator[tuple[object, ...]]:
    """The rows of `results.csv`."""
    for reader in readers:
        run = (reader.corpus, reader.encoder, reader.seed, int(reader.trained))
        for measure, of, value in measures_of(reader):
            yield *run, measure, of, float(value)


def measures_of(reader: Reader) -> Iterator[tuple[str, str, float]]:
    """What is measured of one model: the measure, what it is of, and its value."""
    for precision, difference in reader.differences.items():
        yield DIFFERENCE, precision, difference
    for name, sentence in reader.sentences.items():
        yield PROBABILITY, name, sentence.unrolled.running[0, -1].sigmoid().item()
    for share, right in zip(SHARES, reader.running, strict=True):
        yield RUNNING, f"{share:g}", right
    for gate, (shut, opened) in reader.saturation.items():
        yield SHUT, gate, shut.mean()
        yield OPEN, gate, opened.mean()
    if reader.decay:
        lives = {name: half_lives(decay) for name, decay in reader.decay.items()}
        longer = np.maximum(lives["positive"], lives["negative"])
        for unit, quantile in UNITS.items():
            yield HALF_LIFE, unit, np.quantile(lives[ALL], quantile)
            yield LONGER_HALF_LIFE, unit, np.quantile(longer, quantile)


@reading
def read_values(folder: Path, seeds: Mapping[str, Collection[int]]) -> Values:
    """The measures of `results.csv`.

    Args:
        seeds: those of the protocol, by reviews. Others do not count.
    """
    values: dict[tuple[str, str, bool], dict[tuple[str, str], dict[int, float]]] = {}
    for row in read_rows(folder):
        if int(row["seed"]) in seeds[row["corpus"]]:
            of_encoder = values.setdefault((row["corpus"], row["encoder"], row["trained"] == "1"), {})
            by_seed = of_encoder.setdefault((row["measure"], row["of"]), {})
            by_seed[int(row["seed"])] = float(row["value"])
    return values
