"""When runs learn, and the share of seeds that have, by steps."""

from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from made_results import STYLES, make_result
from sentiment_rnn.studies.kit.learning_times import (
    LearningTime,
    Times,
    learning_time,
    learning_time_figure,
    learning_time_table,
    learning_times_csv,
    learnt_within,
    read_learning_times,
    share_by_steps,
    span_by_steps_table,
    span_within,
)
from sentiment_rnn.tracking.results import Curve, RunResult

BUDGET = 1800


def seeds(*learnt_at: int, of: int = 20, budget: int = BUDGET) -> list[LearningTime]:
    """Seeds that learn at these steps; the others are censored at their budget."""
    return [LearningTime(steps, True) for steps in learnt_at] + [LearningTime(budget, False)] * (of - len(learnt_at))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.5, 0.95, 0.6, 0.99], LearningTime(450, True)),
        ([0.5, 0.8999999, 0.5, 0.5], LearningTime(450, True)),  # 0.9 as float32 has it
        ([0.5, 0.8994, 0.5, 0.5], LearningTime(900, False)),
        ([0.99], LearningTime(225, True)),
    ],
)
def test_a_run_learns_at_its_first_validation_that_reaches_the_threshold(
    values: list[float], expected: LearningTime
) -> None:
    curve = ([225 * (epoch + 1) - 1 for epoch in range(len(values))], values)
    assert learning_time(curve) == expected


def test_times_come_back_from_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def curve(result: RunResult, _: str) -> Curve:
        return [99, 199], [0.5, 0.95 if result.seed else 0.6]

    monkeypatch.setattr(RunResult, "curve", curve)
    runs = [make_result("rnn", seed=seed, max_distance=distance) for distance in (50, 20) for seed in (1, 0)]
    (tmp_path / "learning_steps.csv").write_text(learning_times_csv(runs))
    expected = [LearningTime(200, False), LearningTime(200, True)]
    assert read_learning_times(tmp_path) == {"rnn": {20: expected, 50: expected}}


seed_times = st.tuples(st.integers(1, 9), st.booleans()).map(lambda time: LearningTime(*time))


@given(times=st.lists(seed_times, min_size=1, max_size=12))
@settings(deadline=None)
def test_the_curve_is_kaplan_and_meiers(times: list[LearningTime]) -> None:
    steps, shares = share_by_steps(times)
    left = 1.0
    for step in range(1, 10):
        at_risk = sum(time.steps >= step for time in times)
        left *= 1 - sum(time.learnt and time.steps == step for time in times) / at_risk if at_risk else 1
        known = shares[steps <= step]
        assert (known[-1] if len(known) else 0.0) == pytest.approx(1 - left)


def test_with_one_budget_the_curve_counts_the_seeds() -> None:
    steps, shares = share_by_steps(seeds(225, 225, 900))
    assert (steps.tolist(), shares.tolist()) == ([225, 900, BUDGET], pytest.approx([0.1, 0.15, 0.15]))
    assert [learnt_within(seeds(225, 225, 900), steps) for steps in (224, 225, BUDGET)] == [(0, 20), (2, 20), (3, 20)]


def test_the_span_grows_with_the_steps() -> None:
    by_distance = {20: seeds(*[225] * 20), 50: seeds(*[900] * 15), 100: seeds(*[1800] * 14)}
    assert [span_within(by_distance, steps) for steps in (200, 225, 900, 1800)] == [0, 20, 50, 50]
    table = span_by_steps_table({"lstm": by_distance, "rnn": {20: seeds(*[225] * 20)}}, STYLES, (225, 1800))
    assert table.columns == ("encoder", "225 steps", "1,800 steps", "seeds beyond it")
    assert table.rows == [
        ("LSTM, forget bias 1", "20", "50", "14/20 (46 to 88 %) at 100"), ("RNN, orthogonal", "20", "20", ""),
    ]  # fmt: skip


def test_the_table_counts_the_seeds_within_each_number_of_steps() -> None:
    table = learning_time_table({"lstm": {50: seeds(of=20), 20: seeds(225, 450, 900)}}, STYLES, (225, BUDGET))
    assert table.columns == ("encoder", "tokens", "225 steps", f"{BUDGET:,} steps", "median")
    assert table.rows == [
        ("LSTM, forget bias 1", "20", "1/20 (0 to 25 %)", "3/20 (3 to 38 %)", "450"),
        ("LSTM, forget bias 1", "50", "0/20 (0 to 17 %)", "0/20 (0 to 17 %)", ""),
    ]


def test_the_figure_has_a_panel_for_each_arm_and_a_line_for_each_distance() -> None:
    found: Times = {
        "rnn": {20: seeds(225, 450, of=2), 50: seeds(of=2)},
        "lstm": {20: seeds(225, of=2), 50: seeds(1800, of=2)},
    }
    figure = learning_time_figure(found, STYLES)
    assert [axes.get_title("left") for axes in figure.axes] == ["RNN, orthogonal", "LSTM, forget bias 1"]
    lines = [line for line in figure.axes[1].get_lines() if line.get_drawstyle() == "steps-post"]
    assert len(lines) == 2
    assert lines[1].get_ydata()[np.searchsorted(lines[1].get_xdata(), 1800)] == 0.5
    censored = [line.get_xydata().tolist() for line in figure.axes[0].get_lines() if line.get_marker() == "|"]
    assert censored == [[], [[1800, 0]]]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["20 tokens", "50 tokens"]
