"""p values as they are documented elsewhere, and Holm's correction with what it is short for."""

import math
from itertools import combinations

import hypothesis.strategies as st
import pytest
from hypothesis import given
from scipy.stats import mannwhitneyu, ttest_ind
from scipy.stats import t as student_t

from experiments.lab.p_values import fisher_p, holm, probability_of_superiority, rank_p, sign_p, spread_p


@given(p_values=st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_is_bonferroni_on_every_set_of_comparisons_that_holds_one(p_values: list[float]) -> None:
    # The closure of Bonferroni's test: the largest p value over all sets (Marcus, Peritz & Gabriel 1976).
    adjusted = holm(dict(enumerate(p_values)))
    everything = range(len(p_values))
    for name in everything:
        sets = [s for size in range(1, len(p_values) + 1) for s in combinations(everything, size) if name in s]
        expected = max(min(1.0, len(s) * min(p_values[i] for i in s)) for s in sets)
        assert adjusted[name] == pytest.approx(expected)


def test_holm_keeps_the_order_of_the_comparisons() -> None:
    # R: p.adjust(c(0.04, 0.01, 0.03), "holm").
    assert list(holm({"c": 0.04, "a": 0.01, "b": 0.03}).items()) == [
        ("c", pytest.approx(0.06)), ("a", pytest.approx(0.03)), ("b", pytest.approx(0.06)),
    ]  # fmt: skip
    assert holm({}) == {}


def test_the_sign_test_counts_the_outcomes_that_are_as_far_from_a_half() -> None:
    assert sign_p(10, 10) == sign_p(0, 10) == pytest.approx(2 / 2**10)
    assert sign_p(9, 10) == pytest.approx(2 * (1 + 10) / 2**10)
    assert sign_p(5, 10) == 1.0


def test_the_p_value_of_two_shares_is_fishers() -> None:
    # The lady tasting tea: 3 of 4 cups each way, as R documents fisher.test on it, two-sided.
    assert fisher_p(3, 4, 1, 4) == pytest.approx(0.4857, abs=1e-4)
    assert fisher_p(20, 20, 20, 20) == 1.0


def test_pairs_are_made_within_their_group() -> None:
    assert probability_of_superiority([([3, 4], [1, 2]), ([10], [20, 30])]) == pytest.approx(4 / 6)
    assert probability_of_superiority([([1, 2], [1])]) == pytest.approx(3 / 4), "equal values count as half"


def test_the_rank_test_of_one_group_is_wilcoxons() -> None:
    first, second = [1.1, 2.2, 3.3, 4.4, 9.9], [0.5, 1.0, 2.0, 5.0]
    exact = float(mannwhitneyu(first, second, method="exact").pvalue)
    assert rank_p([(first, second)]) == pytest.approx(exact, abs=0.005)
    assert rank_p([(second, first)]) == pytest.approx(exact, abs=0.005)


def test_the_rank_test_compares_within_groups() -> None:
    # In each group the first is higher; thrown together, it is mostly lower.
    groups = [([1.1] * 8, [1.0] * 2), ([9.1] * 2, [9.0] * 8)]
    assert probability_of_superiority(groups) == 1
    assert rank_p(groups) == pytest.approx(1 / 45**2, abs=2e-4)
    assert rank_p([([1.0, 1.0], [1.0])]) == 1.0


def test_a_value_that_is_no_number_has_no_rank() -> None:
    with pytest.raises(ValueError, match="no number"):
        rank_p([([1.0, math.nan], [0.5])])


def test_a_difference_is_tested_by_the_pooled_spread_of_seeds() -> None:
    one, other = [92.57, 92.84, 92.69], [91.44, 91.66, 91.65]
    assert spread_p(one, other) == pytest.approx(ttest_ind(one, other).pvalue)
    assert spread_p(one, other, 1.0) == pytest.approx(ttest_ind([value - 1 for value in one], other).pvalue)


def test_a_single_seed_has_the_spread_of_the_others_and_two_single_ones_tell_nothing() -> None:
    # A prediction interval: mean ± t(0.975, 2) · s · √(1 + 1/3).
    assert spread_p([0.0], [1.0, 2.0, 3.0]) == pytest.approx(2 * student_t.sf(2 / math.sqrt(1 + 1 / 3), 2))
    assert spread_p([0.0], [1.0]) == 1
    assert (spread_p([0.0], [1.0, 1.0]), spread_p([1.0], [1.0, 1.0])) == (0, 1)
