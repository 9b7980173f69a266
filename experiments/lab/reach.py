"""Estimates how far an encoder reaches, if the draw of rate and clipping is the unit: S(k), the probability that a
search of k draws succeeds, and the window, the share of draws that succeed; with intervals and comparisons.

Every draw has two seeds. In one role, the first seed chooses among the draws of a random subset, and the second seed of
the chosen draw is judged; in the other role the seeds are swapped. The method follows the expected best of k draws
(Dodge et al. 2019, arXiv:1909.03004), but the score comes from the seed that did not choose.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import comb

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from experiments.lab.results import RESULTS, read_results
from experiments.lab.rules import LEARNS
from experiments.lab.statistics import clopper_pearson
from experiments.lab.study import Study, Sweep
from sentiment_rnn.report.statistics import Interval

SEARCHES = 1, 4, 8
"""Numbers of draws k for which S(k) is shown."""
SEARCH = 4
"""Number of draws of the search that claims are about."""
RESAMPLES = 10_000
"""Number of resamples of a bootstrap over draws."""


@dataclass(frozen=True, eq=False)  # hashed by identity, so that its bootstraps can be cached
class DrawnRuns:
    """The runs of an arm at a lag: two seeds for each of N draws, ordered by number."""

    draws: tuple[int, ...]
    accuracy: np.ndarray
    """float [N, 2], validation accuracy at a run's end; NaN if it diverged."""
    steps: np.ndarray
    """int [N, 2], training steps until a run ended; 0 if it diverged."""
    succeeds: np.ndarray
    """bool [N, 2], whether the test accuracy is above `LEARNS`."""

    def order(self, role: int) -> np.ndarray:
        """int [N], indices of the draws, sorted by the seed that chooses in this role: higher accuracy first, then
        fewer steps, then the lower number. Draws that diverged are last."""
        return np.lexsort((self.steps[:, role], -np.nan_to_num(self.accuracy[:, role], nan=-1.0)))

    @property
    def window(self) -> np.ndarray:
        """bool [N], whether both seeds of a draw succeed."""
        return np.asarray(self.succeeds.all(1))


def drawn_runs(table: pd.DataFrame, sweep: Sweep, arm: str) -> DrawnRuns | None:
    """The runs of an arm in a sweep whose draws are the unit, from the rows of `results.csv`; None if planned runs are
    missing."""
    rows = table[(table.sweep == sweep.name) & (table.arm == arm)]
    values = {
        metric: dict(zip(of.seed, of.value, strict=True))
        for metric, of in rows[rows.split != "train"].groupby("metric", sort=False)
    }
    ended = values.get("final_accuracy", {})
    seeds = [[seed for _, seed, of in sorted(sweep.runs) if of == draw] for draw in sweep.draws]
    if not {seed for of_draw in seeds for seed in of_draw} <= ended.keys():
        return None

    def measured(metric: str, missing: float) -> np.ndarray:
        return np.array([[values.get(metric, {}).get(seed, missing) for seed in of_draw] for of_draw in seeds])

    succeeds = measured("accuracy", 0.0) > LEARNS
    return DrawnRuns(sweep.draws, measured("final_accuracy", np.nan), measured("trained_steps", 0), succeeds)


def runs_so_far(study: Study, sweep: str, arm: str) -> DrawnRuns | None:
    """`drawn_runs` from the results of a study. A study with another output folder uses the committed results if it has
    none of its own."""
    for folder in dict.fromkeys([study.output, study.folder]):
        if (folder / RESULTS).is_file() and (runs := drawn_runs(read_results(folder), study.sweep(sweep), arm)):
            return runs
    return None


def search_success(runs: DrawnRuns, k: int) -> float:
    """S(k), the mean over all subsets of k draws and over both roles.

    The draw at position i of an order, from 1 on, is the first of its subset in C(N - i, k - 1) of the C(N, k) subsets.
    """
    N = len(runs.draws)
    chosen = np.array([comb(N - i, k - 1) for i in range(1, N + 1)])
    successes = sum(chosen @ runs.succeeds[runs.order(role), 1 - role] for role in (0, 1))
    return float(successes / (2 * comb(N, k)))


@lru_cache(maxsize=256)
def bootstrapped(runs: DrawnRuns, k: int, seed: int = 0) -> np.ndarray:
    """float [RESAMPLES], S(k) of resampled draws, each with both of its seeds; copies count as separate draws. All arms
    have the same resamples for a `seed`, so that two arms can be compared."""
    copies, N = resamples(len(runs.draws), seed), len(runs.draws)
    subsets = np.array([comb(n, k) for n in range(N + 1)])
    successes = np.zeros(len(copies), int)  # integers, so that equal arms differ by exactly 0, without rounding errors
    for role in (0, 1):
        order = runs.order(role)
        from_here = np.full((len(copies), N + 1), N)  # number of draws at each position and after it
        from_here[:, 1:] -= np.cumsum(copies[:, order], axis=1)
        chosen = -np.diff(subsets[from_here], axis=1)  # number of subsets whose first draw is at a position
        successes += chosen @ runs.succeeds[order, 1 - role]
    return np.asarray(successes / (2 * comb(N, k)))


@lru_cache(maxsize=4)
def resamples(draws: int, seed: int) -> np.ndarray:
    """int [RESAMPLES, draws], how often each resample contains each draw."""
    drawn = np.random.default_rng(seed).integers(0, draws, size=(RESAMPLES, draws))
    return np.stack([(drawn == draw).sum(1) for draw in range(draws)], axis=1)


def success_interval(runs: DrawnRuns, k: int) -> Interval:
    """S(k) with its 95 % interval, from percentiles of the bootstrap.

    If all runs fail, or all succeed, a bootstrap shows no spread; with few draws it may show none either. Then the
    bound is that of k draws, each of which succeeds (or fails) with the largest probability that is compatible with N
    draws without any success (or failure).
    """
    low, high = percentiles(bootstrapped(runs, k))
    possible = 1 - 0.025 ** (1 / len(runs.draws))
    none = (1 - possible) ** k
    if high == 0:
        high = 1 - none
    if low == 1:
        low = none
    return Interval(search_success(runs, k), low, high)


def window_interval(runs: DrawnRuns) -> Interval:
    """Share of draws whose seeds both succeed, with its exact 95 % interval."""
    return clopper_pearson(int(runs.window.sum()), len(runs.draws))


def success_difference(first: DrawnRuns, second: DrawnRuns, again: bool = False) -> Interval:
    """Difference of S(`SEARCH`), first - second, with the 95 % interval of a paired bootstrap.

    Args:
        again: whether the first has draws of its own; it is then resampled separately.
    """
    difference = bootstrapped(first, SEARCH, int(again)) - bootstrapped(second, SEARCH)
    return Interval(search_success(first, SEARCH) - search_success(second, SEARCH), *percentiles(difference))


def success_p(first: DrawnRuns, second: DrawnRuns) -> float:
    """Two-sided p value for no difference in S(`SEARCH`), by the paired bootstrap."""
    difference = bootstrapped(first, SEARCH) - bootstrapped(second, SEARCH)
    tails = [1 + int((difference <= 0).sum()), 1 + int((difference >= 0).sum())]
    return min(1.0, 2 * min(tails) / (RESAMPLES + 1))


def window_p(first: DrawnRuns, second: DrawnRuns) -> float:
    """Two-sided p value for equal windows: the exact sign test over draws that are in the window of only one arm."""
    ahead, behind = (int((one.window & ~other.window).sum()) for one, other in ((first, second), (second, first)))
    return float(binomtest(ahead, ahead + behind).pvalue) if ahead + behind else 1.0


def percentiles(values: np.ndarray) -> tuple[float, float]:
    """The 2.5th and the 97.5th percentile."""
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)


def best_draw(runs: DrawnRuns) -> int:
    """Number of the draw with the best mean `accuracy` over its seeds; a seed that diverged counts as 0. Ties go to
    fewer steps, then to the lower number."""
    mean = np.nan_to_num(runs.accuracy, nan=0.0).mean(1).round(9)  # so that rounding errors do not break ties
    best = np.lexsort((runs.steps.sum(1), -mean))
    return runs.draws[best[0]]
