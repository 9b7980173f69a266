"""How many seeds learn, by distance, and the span that follows."""

import numpy as np
import pytest

from made_results import STYLES, score_of
from sentiment_rnn.report.shares import share_interval
from sentiment_rnn.report.statistics import Interval
from sentiment_rnn.studies.kit.learnt_shares import (
    learnt_share_figure,
    learnt_share_rows,
    learnt_share_table,
    learnt_span,
    seeds_above,
    share_above,
)
from sentiment_rnn.studies.kit.scores import Score, Scores

SCORES: Scores = {
    "rnn": {20: score_of(20, range(20)), 50: score_of(14, range(20)), 100: score_of(0, range(20))},
    "lstm": {100: score_of(18, range(20)), 20: score_of(20, range(20)), 50: score_of(19, range(20))},
}


def test_a_seed_learns_above_the_threshold_and_not_at_it() -> None:
    score = Score(np.array([0.9, 0.901, 0.5]), (0, 1, 2))
    assert seeds_above(score) == (1, 3)
    assert share_above(score) == share_interval(1, 3)


@pytest.mark.parametrize(
    ("learnt", "span"),
    [
        ({10: 20, 20: 15, 50: 14}, 20),  # 15 of 20 is the fewest whose lower bound (50.9 %) is above one half
        ({10: 20, 20: 14, 50: 20}, 10),  # a distance in between that is not learnt ends the span
        ({10: 14}, 0),
    ],
)
def test_the_span_ends_where_it_is_not_sure_that_more_than_half_learn(learnt: dict[int, int], span: int) -> None:
    assert learnt_span({distance: share_interval(seeds, 20) for distance, seeds in learnt.items()}) == span


def test_a_lower_bound_at_one_half_is_not_above_it() -> None:
    assert learnt_span({10: Interval(0.7, 0.5, 0.9)}) == 0


def test_the_table_counts_seeds_and_states_the_span() -> None:
    table = learnt_share_table(SCORES, STYLES)
    assert table.columns == ("encoder", "20", "50", "100", "span")
    assert table.rows == [
        ("RNN, orthogonal", "20/20 (83 to 100 %)", "14/20 (46 to 88 %)", "0/20 (0 to 17 %)", "20"),
        ("LSTM, forget bias 1", "20/20 (83 to 100 %)", "19/20 (75 to 100 %)", "18/20 (68 to 99 %)", "100"),
    ]


def test_a_table_of_two_distances_states_no_span() -> None:
    table = learnt_share_table({"rnn": {20: score_of(20, range(20)), 100: score_of(0, range(20))}}, STYLES)
    assert table.columns == ("encoder", "20", "100")
    assert table.rows == [("RNN, orthogonal", "20/20 (83 to 100 %)", "0/20 (0 to 17 %)")]
    assert "span" not in table.title


def test_the_figure_has_a_panel_for_each_arm_with_its_exact_band() -> None:
    figure = learnt_share_figure(SCORES, STYLES)
    assert [axes.get_title("left") for axes in figure.axes] == ["RNN, orthogonal", "LSTM, forget bias 1"]
    lstm = figure.axes[1]
    (line,) = [line for line in lstm.get_lines() if line.get_marker() == "o"]
    assert line.get_xydata().tolist() == [[20, 1], [50, 0.95], [100, 0.9]]
    (band,) = lstm.collections
    bounds = {tuple(point) for point in band.get_paths()[0].vertices.tolist()}
    assert {(100.0, share_interval(18, 20).low), (100.0, share_interval(18, 20).high)} <= bounds


def test_rows_have_a_dot_and_an_exact_interval_for_each_arm_and_distance() -> None:
    figure = learnt_share_rows(SCORES | {"bag": {20: score_of(0, range(20))}}, STYLES)
    assert [axes.get_title("left") for axes in figure.axes] == ["20 tokens", "50 tokens", "100 tokens"]
    first, last = figure.axes[0], figure.axes[2]
    labels = [label.get_text() for label in first.get_yticklabels()]
    assert labels == ["RNN, orthogonal", "LSTM, forget bias 1", "bag of words"]
    interval, dot = last.get_lines()[2:4]
    assert interval.get_xydata().tolist() == [[share_interval(18, 20).low, 1], [share_interval(18, 20).high, 1]]
    assert dot.get_xydata().tolist() == [[0.9, 1]]
    assert len(first.get_lines()) == len(last.get_lines()) + 2  # the bag was run at 20 tokens alone


def test_an_arm_that_was_not_tried_at_a_distance_has_no_cell_there() -> None:
    scores = SCORES | {"bag": {20: score_of(0, range(20))}}
    assert learnt_share_table(scores, STYLES).rows[-1] == ("bag of words", "0/20 (0 to 17 %)", "", "", "0")
    assert len(learnt_share_figure(scores, STYLES).axes) == 3
