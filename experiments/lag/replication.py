"""Do the shares of seeds repeat with other seeds? By `protocols/2026-11-27_replication.md`."""

from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import binom

from experiments.lab.findings import Findings, searched_where_run
from experiments.lab.rules import Evidence, Numbers, Verdict, judged, tally
from experiments.lab.statistics import clopper_pearson
from sentiment_rnn.report.tables import Table

FIRST = {"learnability": (5, 20), "own_rate": (50,)}
"""Protocols of the first runs, at the rate of each lag."""
QUANTILE = 0.025
Count = tuple[int, int]
"""Number of seeds that succeed, and number of all."""


class Repeated(NamedTuple):
    """Numbers of an arm's seeds that succeed at a lag, in the first runs and in the second."""

    arm: str
    lag: str
    first: Count
    second: Count

    @property
    def mixed(self) -> bool:
        """Whether some of its seeds succeed and some fail."""
        (k, n), (j, m) = self.first, self.second
        return 0 < k + j < n + m

    @property
    def contained(self) -> bool:
        """Whether the first interval contains the second share."""
        learn, seeds = self.second
        return _contains(self.first, learn / seeds)

    @property
    def probability(self) -> float:
        """Probability that it does if both counts are drawn with their common share."""
        (k, n), (j, m) = self.first, self.second
        share = (k + j) / (n + m)
        of_first, of_second = binom.pmf(np.arange(n + 1), n, share), binom.pmf(np.arange(m + 1), m, share)
        held = np.array([[_contains((first, n), second / m) for second in range(m + 1)] for first in range(n + 1)])
        return float(of_first @ held @ of_second)


_interval = cache(clopper_pearson)
"""Exact interval, cached: `probability` asks for the same 21 again and again."""


def _contains(first: Count, share: float) -> bool:
    _, low, high = _interval(*first)
    return low <= share <= high


def findings(evidence: Evidence, table: pd.DataFrame) -> Findings:
    """Both shares of each arm and lag, first of those whose seeds disagree, and the verdict on their intervals, which
    speaks of all three lags."""
    first = searched_where_run(evidence.study, table, FIRST)
    pairs = [
        Repeated(arm, lag, first[arm][int(lag)], evidence.learn(arm, lag))
        for arm in evidence.arms for lag in evidence.conditions
        if evidence.whole(arm, lag) and int(lag) in first.get(arm, {})
    ]  # fmt: skip
    rows = {
        pair: (
            evidence.label(pair.arm), pair.lag, tally(*pair.first), tally(*pair.second),
            "yes" if pair.contained else "no", f"{pair.probability:.2f}",
        )
        for pair in pairs
    }  # fmt: skip
    columns = ("arm", "lag", "first", "other seeds", "contained", "probability")
    title = "Seeds that succeed, and whether the first exact 95 % interval [%] contains the second share"
    mixed = Table(f"{title}, where seeds disagree", columns, [row for pair, row in rows.items() if pair.mixed])
    tables = {"mixed": mixed, "pairs": Table(title, columns, list(rows.values()))}
    planned = sum(len(sweep.arms) for sweep in evidence.protocol.sweeps if sweep.compared)
    return Findings(tables, {"intervals": verdict(pairs, planned)} if pairs else {})


def verdict(pairs: list[Repeated], planned: int) -> Verdict:
    """Verdict by the rule of the protocol; nothing is decided before every arm was run at all three lags.

    Args:
        planned: pairs of an arm and a lag.
    """
    complete = len(pairs) == planned
    contained, distribution = sum(pair.contained for pair in pairs), number_contained(pairs)
    least = int(np.searchsorted(np.cumsum(distribution), QUANTILE))
    expected = float(distribution @ np.arange(len(distribution)))
    rows = (
        Numbers("contain the share of the other seeds", number=f"{contained} of {len(pairs)} intervals"),
        Numbers("expected", number=f"{expected:.1f}"),
        Numbers("least, with 97.5 % probability", number=f"{least}"),
    )
    return Verdict(judged(contained >= least if complete else None), rows)


def number_contained(pairs: Iterable[Repeated]) -> np.ndarray:
    """float [N + 1], the probability of each number of intervals that contain the second share."""
    distribution = np.ones(1)
    for pair in pairs:
        distribution = np.convolve(distribution, [1 - pair.probability, pair.probability])
    return distribution
