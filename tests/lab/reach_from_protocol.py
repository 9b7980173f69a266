"""The numbers and verdicts of the study `reach`, computed from its protocol's text and the rows of results.csv alone.

Nothing of the lab is imported. Where the protocol leaves a choice, "Reading:" names the one made here.
Shares are fractions of whole numbers, so that two equal ones are equal.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import comb

import numpy as np
import pandas as pd
from scipy.stats import binomtest

SIZES = (1, 4, 8)
FIRST_DRAWS, NEW_DRAWS = range(100, 132), range(200, 232)
SLOW_PAIRS = [("lstm_chrono", "lstm"), ("gru_chrono", "gru"), ("slstm_chrono", "slstm"), ("min_gru_chrono", "min_gru")]

# Claim: rule, pairs or arms, lags. In the protocol's order and numbers.
CLAIMS = {
    1: ("further", [("lstm", "rnn")], [50, 100]),
    2: ("further", SLOW_PAIRS, [100, 200]),
    3: ("alike", [("gru_chrono", "lstm_chrono"), ("slstm_chrono", "lstm_chrono")], [100, 200]),
    4: ("alike", [("lru", "lstm_chrono"), ("lru", "gru_chrono")], [100, 200]),
    5: ("wider", [("lstm", "rnn")], [50]),
    6: ("further", [("rnn_orthogonal", "rnn")], [50, 100]),
    7: ("further", [("lstm_layers_2", "lstm")], [100]),
    8: ("further", [("gru", "lstm")], [100]),
    9: ("fails", ["rnn", "rnn_orthogonal", "rnn_relu"], [200]),
    10: ("agrees", ["lstm", "gru"], [100]),
}


@dataclass(frozen=True)
class Arm:
    """The 64 runs of one arm at one lag, `[role or seed, draw]`, the draws in the order of their numbers."""

    final_accuracy: np.ndarray  # float [2, 32], nan where the run diverged
    trained_steps: np.ndarray  # float [2, 32], nan where the run diverged
    succeeds: np.ndarray  # bool [2, 32]
    passed_at: np.ndarray  # float [2, 32], steps at the first validation with 90 %, infinite without one
    at_lag: dict[int, np.ndarray]  # lag -> accuracy float [2, 32]

    @property
    def both_succeed(self) -> np.ndarray:
        return self.succeeds.all(axis=0)

    def passed_by(self, step: int) -> Fraction:
        return Fraction(int((self.passed_at <= step).sum()), self.passed_at.size)

    def above_90_at(self, lag: int) -> int:
        """Of the runs that succeed, how many are above 90 % at this lag."""
        return int((self.succeeds & (self.at_lag[lag] > 0.9)).sum())

    def best_draw(self) -> int:
        """Its place among the draws. Reading: a run that diverged has no trained steps, and counts as the latest."""
        mean = np.nan_to_num(self.final_accuracy, nan=0.0).sum(axis=0)
        steps = np.nan_to_num(self.trained_steps, nan=np.inf).sum(axis=0)
        return min(range(mean.size), key=lambda draw: (-mean[draw], steps[draw], draw))


@dataclass
class Part:
    """One arm or pair of a claim at one lag, open for want of runs where it has no `difference`, `interval` and `p`."""

    claim: int
    rule: str
    arms: tuple[str, ...]
    lag: int
    difference: Fraction | None = None
    interval: tuple[float, float] | None = None
    p: float | None = None
    corrected: float | None = None
    true: bool | None = None  # None: open


def read_arm(results: pd.DataFrame, prefix: str, arm: str, lag: int) -> Arm | None:
    """The runs of the sweep `<prefix>_<arm>_<lag>`, or None unless all 64 are there.

    Reading: a run is there if it has `final_accuracy` and, unless that is nan, `accuracy` on test.
    """
    draws = NEW_DRAWS if prefix == "again" else FIRST_DRAWS
    rows = results[results.sweep == f"{prefix}_{arm}_{lag}"].to_dict("records")
    values = {
        (*name.split("/"), int(run["draw"]), int(run["seed"])): float(text)
        for run in rows
        for name, text in run.items()
        if "/" in name and text
    }

    def column(split: str, metric: str) -> np.ndarray:
        return np.array([[values.get((split, metric, d, 10 * d + seed), np.nan) for d in draws] for seed in (0, 1)])

    for draw in draws:
        for seed in (10 * draw, 10 * draw + 1):
            final = values.get(("validation", "final_accuracy", draw, seed))
            if final is None or (not np.isnan(final) and ("test", "accuracy", draw, seed) not in values):
                return None
    return Arm(
        final_accuracy=column("validation", "final_accuracy"),
        trained_steps=column("validation", "trained_steps"),
        succeeds=column("test", "accuracy") > 0.9,  # nan, of a run that diverged, is not above
        passed_at=np.where(column("validation", "learned") == 1, column("validation", "steps"), np.inf),
        at_lag={at: column("test", f"accuracy_at_{at}") for at in (lag * 8 // 10, lag, lag * 12 // 10)},
    )


def order(arm: Arm, role: int) -> list[int]:
    """Places of the draws, best first, by the run that chooses in this role."""
    chooser, steps = arm.final_accuracy[role], arm.trained_steps[role]
    diverged = np.isnan(chooser)
    return sorted(
        range(chooser.size),
        key=lambda d: (diverged[d], 0 if diverged[d] else -chooser[d], 0 if diverged[d] else steps[d], d),
    )


def chosen_successes(arm: Arm, k: int, draws: np.ndarray) -> np.ndarray:
    """int [resamples], 2 C(n, k) S(k) for each row of `draws` [resamples, n], places of draws, repeated or not."""
    n = draws.shape[1]
    subsets = np.array([comb(n - i, k - 1) for i in range(1, n + 1)], dtype=np.int64)
    total = np.zeros(len(draws), dtype=np.int64)
    for role in (0, 1):
        ranked = order(arm, role)
        rank = np.argsort(ranked)
        judged = arm.succeeds[1 - role][ranked]
        total += judged[np.sort(rank[draws], axis=1)].astype(np.int64) @ subsets
    return total


def search_success(arm: Arm, k: int) -> Fraction:
    """S(k)."""
    n = arm.succeeds.shape[1]
    return Fraction(int(chosen_successes(arm, k, np.arange(n)[None])[0]), 2 * comb(n, k))


@lru_cache
def resamples(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 32, size=(10_000, 32))


def percentiles(numerators: np.ndarray, k: int) -> tuple[float, float]:
    low, high = np.quantile(numerators / (2 * comb(32, k)), [0.025, 0.975])
    return float(low), float(high)


def interval(arm: Arm, k: int) -> tuple[float, float]:
    """The 95 % interval of S(k). Reading: new draws too have the resamples of seed 0; those of seed 1 serve D alone."""
    none_fails = (0.025 ** (1 / 32)) ** k  # (1 - u)^k
    low, high = percentiles(chosen_successes(arm, k, resamples(0)), k)
    if high == 0:  # this and the next by the deviation of 2026-12-03
        return low, 1 - none_fails
    if low == 1:
        return none_fails, high
    return low, high


def window(arm: Arm) -> tuple[int, float, float]:
    """Draws in which both seeds succeed, and the exact interval of their share."""
    count = int(arm.both_succeed.sum())
    bounds = binomtest(count, 32).proportion_ci(0.95, method="exact")
    return count, bounds.low, bounds.high


def compare(part: Part, first: Arm, second: Arm) -> None:
    """D = S(4) of the first minus S(4) of the second. Reading: it is resampled even where all runs of an arm fail."""
    first_values, second_values = (chosen_successes(arm, 4, resamples(0)) for arm in (first, second))
    differences = first_values - second_values
    part.difference = search_success(first, 4) - search_success(second, 4)
    part.interval = percentiles(differences, 4)
    part.p = min(1.0, 2 * min(1 + int((differences <= 0).sum()), 1 + int((differences >= 0).sum())) / 10_001)


def compare_windows(part: Part, first: Arm, second: Arm) -> None:
    more, fewer = (int((a.both_succeed & ~b.both_succeed).sum()) for a, b in ((first, second), (second, first)))
    part.difference = Fraction(more - fewer, 32)
    part.p = binomtest(more, more + fewer, 0.5).pvalue if more + fewer else 1.0


def replicate(part: Part, results: pd.DataFrame) -> None:
    (arm,) = part.arms
    first, new = read_arm(results, "reach", arm, part.lag), read_arm(results, "again", arm, part.lag)
    if first is None or new is None:
        return
    differences = chosen_successes(new, 4, resamples(1)) - chosen_successes(first, 4, resamples(0))
    part.difference = search_success(new, 4) - search_success(first, 4)
    low, high = part.interval = percentiles(differences, 4)
    if not low <= 0 <= high:
        part.true = False
    elif abs(part.difference) <= Fraction(3, 10):
        part.true = True


def correct(parts: list[Part]) -> None:
    """Holm's method over the 15 tests, those that were not run with p = 1."""
    smallest_first = sorted(parts, key=lambda part: 1.0 if part.p is None else part.p)
    corrected = 0.0
    for place, part in enumerate(smallest_first):
        p = 1.0 if part.p is None else part.p
        corrected = max(corrected, min(1.0, (len(parts) - place) * p))
        part.corrected = corrected


def judge_parts(results: pd.DataFrame) -> list[Part]:
    parts = [
        Part(number, rule, (arms,) if isinstance(arms, str) else arms, lag)
        for number, (rule, members, lags) in CLAIMS.items()
        for arms in members
        for lag in lags
    ]
    for part in parts:
        if part.rule == "agrees":
            replicate(part, results)
            continue
        arms = [read_arm(results, "reach", arm, part.lag) for arm in part.arms]
        if None in arms:
            continue
        if part.rule == "fails":
            low, high = part.interval = interval(arms[0], 4)
            part.true = True if high < 0.5 else False if low > 0.5 else None
        elif part.rule == "wider":
            compare_windows(part, *arms)
        else:
            compare(part, *arms)
    tests = [part for part in parts if part.rule in ("further", "wider")]
    correct(tests)
    for part in tests:
        if part.difference is not None and part.corrected <= 0.05 and part.difference != 0:
            part.true = part.difference > 0
    for part in parts:
        if part.rule == "alike" and part.interval is not None:
            low, high = part.interval
            # Reading: a bound that equals the margin is within it.
            part.true = True if low >= -0.25 and high <= 0.25 else False if low > 0.25 or high < -0.25 else None
    return parts


def verdict(parts: list[Part]) -> str:
    decisions = [part.true for part in parts]
    if all(decisions):
        return "holds"
    if any(decisions):
        return "in part"
    return "inconclusive" if None in decisions else "does not hold"


def verdicts(parts: list[Part]) -> dict[int, str]:
    return {number: verdict([part for part in parts if part.claim == number]) for number in CLAIMS}


def slow_gates_and_not_the_cell(parts: list[Part]) -> bool:
    return verdicts(parts)[3] == "holds" and all(
        part.true for part in parts if part.claim == 2 and part.arms == ("lstm_chrono", "lstm")
    )
