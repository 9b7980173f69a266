"""Do the shares of seeds repeat with other seeds? By experiments/replication/protocol.md."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.stats import binom

from sentiment_rnn.report.shares import counted, share_interval
from sentiment_rnn.report.tables import Table
from sentiment_rnn.studies import learnability, own_rate
from sentiment_rnn.studies.kit.counted_seeds import SeedCounts, counting_study, read_seeds, seed_findings
from sentiment_rnn.studies.kit.findings import Findings
from sentiment_rnn.studies.kit.learnt_shares import seeds_above
from sentiment_rnn.studies.kit.scores import Scores
from sentiment_rnn.studies.kit.study import Sweep
from sentiment_rnn.studies.kit.verdicts import Verdict, judged

DISTANCES = (5, 20, 50)
SEEDS = range(40)
"""20 to 39 where the first runs have 0 to 19, and the other way round."""
QUANTILE = 0.025


class Repeated(NamedTuple):
    """How many seeds of an arm learn a distance, in the first runs and in the second."""

    arm: str
    distance: int
    first: tuple[int, int]
    """Seeds that learn, and of how many."""
    second: tuple[int, int]

    @property
    def contained(self) -> bool:
        """Whether the first interval contains the second share."""
        learn, seeds = self.second
        return _contains(self.first, learn / seeds)

    @property
    def probability(self) -> float:
        """That it does, where both have the share of both together."""
        (k, n), (j, m) = self.first, self.second
        share = (k + j) / (n + m)
        of_first, of_second = binom.pmf(np.arange(n + 1), n, share), binom.pmf(np.arange(m + 1), m, share)
        held = np.array([[_contains((first, n), second / m) for second in range(m + 1)] for first in range(n + 1)])
        return float(of_first @ held @ of_second)


_interval = cache(share_interval)
"""Remembered: `probability` asks for the same 21 again and again."""


def _contains(first: tuple[int, int], share: float) -> bool:
    _, low, high = _interval(*first)
    return low <= share <= high


def findings(folder: Path) -> Findings:
    """Findings from the files, and from those of learnability and own_rate in the folders beside this one.

    Raises:
        UserError: a file is missing, of this study or of own_rate.
    """
    seeds = read_seeds(folder, SEEDS, at_each=len(SEEDS) // 2)
    beside = folder.parent / own_rate.STUDY.name
    first = own_rate.searched_where_run(beside, read_seeds(beside, own_rate.SEEDS).scores)
    pairs = repeated(first, seeds.scores)
    return seed_findings(
        folder,
        seeds,
        [],
        lambda *_: [verdict(pairs)],
        more=[repeated_table(pairs, seeds)],
    )


def repeated(first: Scores, second: Scores) -> list[Repeated]:
    """Every arm and distance of both."""
    return [
        Repeated(arm, distance, seeds_above(first[arm][distance]), seeds_above(score))
        for arm, by_distance in second.items()
        for distance, score in by_distance.items()
        if distance in first.get(arm, {})
    ]


def number_contained(pairs: Iterable[Repeated]) -> np.ndarray:
    """float [N + 1], the probability of each number of intervals that contain the second share."""
    distribution = np.ones(1)
    for pair in pairs:
        distribution = np.convolve(distribution, [1 - pair.probability, pair.probability])
    return distribution


def verdict(pairs: list[Repeated]) -> Verdict:
    """By the rule of the protocol, which speaks of all three distances: before they were run, nothing is decided."""
    claim = "The intervals of shares hold for other seeds."
    if not pairs:
        return Verdict(claim, judged(), "")
    complete = {pair.distance for pair in pairs} == set(DISTANCES)
    contained, distribution = sum(pair.contained for pair in pairs), number_contained(pairs)
    least = int(np.searchsorted(np.cumsum(distribution), QUANTILE))
    expected = float(distribution @ np.arange(len(distribution)))
    return Verdict(
        claim,
        judged(contained >= least if complete else None),
        f"Of {len(pairs)} intervals {contained} contain the share of the other seeds; {expected:.1f} should, and "
        f"{least} or more do with 97.5 % probability.",
    )


def repeated_table(pairs: Iterable[Repeated], seeds: SeedCounts) -> Table:
    """Both shares of each arm and distance."""
    rows = [
        (
            seeds.styles[pair.arm].label, str(pair.distance), counted(*pair.first), counted(*pair.second),
            "yes" if pair.contained else "no", f"{pair.probability:.2f}",
        )
        for pair in pairs
    ]  # fmt: skip
    columns = ("encoder", "tokens", "first", "other seeds", "contained", "probability")
    return Table("Seeds that learn, and whether the first interval contains the second share", columns, rows)


STUDY = counting_study(
    "replication",
    order=21,
    sweeps=tuple(Sweep(f"again_{distance}") for distance in DISTANCES),
    findings=findings,
    reads=(learnability.STUDY.name, own_rate.STUDY.name),
)
