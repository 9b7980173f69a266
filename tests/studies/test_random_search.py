"""The best score to be expected of so many draws, against all the ways to draw them."""

from dataclasses import replace
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from made_results import STYLES, make_result
from sentiment_rnn.studies.kit.arm_accuracies import best_accuracy
from sentiment_rnn.studies.kit.random_search import (
    Draw,
    best_draw,
    expected_best,
    read_search,
    search_csv,
    search_figure,
    search_table,
)
from sentiment_rnn.tracking.results import RunResult

scores = st.lists(st.integers(0, 5).map(float), min_size=1, max_size=5)


@given(scores=scores)
@settings(deadline=None)
def test_the_expected_best_is_the_mean_over_all_ways_to_draw(scores: list[float]) -> None:
    for count, found in enumerate(expected_best(scores), 1):
        assert found == pytest.approx(np.mean([max(drawn) for drawn in product(scores, repeat=count)]))


def run(encoder: str, rate: float, clip: float, accuracy: float) -> RunResult:
    result = make_result(encoder, learning_rate=rate, metrics={"val/best_accuracy": accuracy})
    result.config.optimizer = SimpleNamespace(learning_rate=rate, gradient_clip_norm=clip)
    return result


@pytest.fixture
def draws(tmp_path: Path) -> dict[str, list[Draw]]:
    """Of two arms, by way of the file."""
    runs = [run("rnn", 0.001, 1.0, 0.5), run("lstm", 0.01, 0.25, 0.9), run("rnn", 0.003, 0.5, 0.7)]
    (tmp_path / "search.csv").write_text(search_csv(runs, best_accuracy))
    return read_search(tmp_path, "search.csv")


def test_a_draw_that_diverged_has_no_score_in_the_file_and_counts_as_the_worst_of_its_arm(tmp_path: Path) -> None:
    nan = replace(run("rnn", 0.03, 9.0, 0.9), tags={"sentiment_rnn.diverged": "the loss is nan"})
    runs = [nan, run("rnn", 0.001, 1.0, 0.5), run("rnn", 0.003, 0.5, 0.7), run("lstm", 0.01, 0.25, 0.4)]
    text = search_csv(runs, best_accuracy)
    assert text.splitlines()[1] == "rnn,0.03,9,nan"
    (tmp_path / "search.csv").write_text(text)
    draws = read_search(tmp_path, "search.csv")
    assert [draw.score for draw in draws["rnn"]] == [50, 50, 70]
    assert best_draw(draws["rnn"]) == Draw(0.003, 0.5, 70)


def test_draws_come_back_from_the_file(draws: dict[str, list[Draw]]) -> None:
    assert draws == {"rnn": [Draw(0.001, 1.0, 50), Draw(0.003, 0.5, 70)], "lstm": [Draw(0.01, 0.25, 90)]}


def test_the_table_has_what_so_many_draws_give_and_the_best_of_them(draws: dict[str, list[Draw]]) -> None:
    table = search_table(draws, STYLES)
    assert table.columns == ("encoder", "1", "2", "draws", "best", "learning rate", "clip")
    assert table.rows == [
        ("RNN, orthogonal", "60", "65", "2", "70", "0.003", "0.5"),
        ("LSTM, forget bias 1", "90", "", "1", "90", "0.01", "0.25"),
    ]


def test_the_figure_has_a_panel_for_each_arm(draws: dict[str, list[Draw]]) -> None:
    panels = search_figure(draws, STYLES).axes
    (own,) = [line for line in panels[0].get_lines() if line.get_marker() == "o"]
    assert own.get_xydata().tolist() == [[1, 60], [2, 65]]
    assert [axes.get_title("left") for axes in panels] == ["RNN, orthogonal", "LSTM, forget bias 1"]
