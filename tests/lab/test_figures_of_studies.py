"""Each figure of a study draws what its results say."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_studies import evidence, learners, make_study, table_of
from matplotlib.figure import Figure

from experiments.lab import figures
from experiments.lab.findings import FIGURES, Found
from experiments.lab.rules import Evidence, evidence_of
from experiments.lab.run import results_so_far
from experiments.lab.study import Study, all_studies
from experiments.lab.table import rows_of
from sentiment_rnn.report.plotting import save_figure
from sentiment_rnn.report.statistics import Interval

TWO = {
    ("lstm", "20"): learners(20), ("lstm", "50"): learners(16), ("rnn", "20"): learners(18), ("rnn", "50"): learners(0)
}  # fmt: skip


@pytest.fixture
def two(tmp_path: Path) -> Evidence:
    """Two arms at two lags."""
    return evidence(make_study(tmp_path), TWO)


def titles(figure: Figure) -> list[str]:
    return [axes.get_title("left") for axes in figure.axes if axes.get_visible()]


def test_shares_have_a_panel_for_each_arm_with_the_lags_that_were_tried(two: Evidence) -> None:
    figure = figures.share_panels({arm: two.shares_by_lag(arm) for arm in two.arms}, two.study.arms)
    assert titles(figure) == ["RNN, orthogonal", "LSTM, forget bias 1"]
    (own,) = [line for line in figure.axes[1].get_lines() if line.get_marker() == "o"]
    assert np.array(own.get_xydata()).tolist() == [[20, 100.0], [50, 80.0]]
    assert own.get_color() == two.study.arms["lstm"].color


def test_shares_have_a_row_for_each_arm_and_a_panel_for_each_condition(two: Evidence) -> None:
    figure = figures.share_rows(two)
    assert titles(figure) == ["lag 20", "lag 50"]
    labels = [[label.get_text() for label in axes.get_yticklabels()] for axes in figure.axes]
    assert labels == [["RNN, orthogonal", "LSTM, forget bias 1"], ["", ""]]
    dots = [line.get_xdata()[0] for line in figure.axes[1].get_lines() if line.get_marker() in "o^"]  # type: ignore[index]
    assert dots == [0.0, 80.0]


def test_shares_of_many_named_conditions_are_rows_for_they_have_no_lags(tmp_path: Path) -> None:
    named = [f"copying {pairs}" for pairs in range(4)]
    study = replace(make_study(tmp_path), unit="")
    scores = {("lstm", one): dict.fromkeys(range(20), 1.0) for one in named}
    sweeps = tuple(replace(study.sweep("learn_20"), condition=one) for one in named)
    protocol = replace(study.protocol("first"), sweeps=sweeps)
    found = Evidence(study, protocol, table_of(study, {}), scores, scores, {})
    assert titles(figures.shares(found)) == named


def test_steps_are_curves_of_kaplan_and_meier_that_end_where_runs_did(two: Evidence) -> None:
    assert two.steps_of("lstm", "50") == ([225] * 16, [1800] * 4)
    figure = figures.steps(two)
    near, far = (line for line in figure.axes[1].get_lines() if line.get_marker() != "|")
    assert (near.get_ydata()[-1], far.get_ydata()[-1]) == (100, 80)  # type: ignore[index]
    assert figure.axes[0].get_xlim() == (0, 1.05 * 1800)


def test_accuracies_are_a_dot_for_each_seed_and_a_bag_of_words_is_a_line(tmp_path: Path) -> None:
    sweep = {"name": "learn", "arms": ["rnn", "bag"], "seeds": "0-3"}
    study = make_study(tmp_path, {"sweeps": [sweep]}, arms={"rnn": None, "bag": None}, unit="")
    (axes,) = figures.accuracy(evidence(study, {("rnn", ""): [0.8, 0.9, 0.7, 0.8], ("bag", ""): [0.85] * 4})).axes
    (dots,) = axes.collections
    assert sorted(x for x, _ in dots.get_offsets().tolist()) == pytest.approx([70, 80, 80, 90])
    assert [label.get_text() for label in axes.get_yticklabels()] == ["RNN, orthogonal"]
    assert [text.get_text() for text in axes.texts] == ["bag of words 85.0 %"]


def test_lines_are_labelled_at_their_ends_and_no_two_labels_overlap(two: Evidence) -> None:
    at_the_end = {50: Interval(0.0, 0.0, 0.2)}
    shares = dict.fromkeys(("rnn", "lstm"), at_the_end)
    figure = figures.share_lines(shares, two.study.arms)
    figure.draw_without_rendering()
    labels = [text for text in figure.axes[0].texts if text.get_text() in ("RNN, orthogonal", "LSTM, forget bias 1")]
    below, above = sorted((text.get_window_extent() for text in labels), key=lambda box: box.y0)
    assert below.y1 <= above.y0


def test_what_is_carried_shades_the_lags_of_training_also_where_an_arm_learns_none(tmp_path: Path) -> None:
    scores = TWO | {("rnn", "20"): learners(0)}
    found = evidence(make_study(tmp_path, {"among": [20]}), scores)
    figure = figures.carried(found)
    assert figure.axes[0].get_title("left").startswith("Seeds that succeed where they were trained")
    assert "20" in [label.get_text() for label in figure.axes[0].get_xticklabels()]


TASKS = ("copying 1 symbol over 27 steps", "copying 8 symbols over 20 steps", "adding over 50 steps")


def textbook(root: Path, tasks: tuple[str, ...]) -> Evidence:
    """Evidence of an RNN that keeps half of each task, and an LSTM that was run on the first task alone."""
    sweep = {"name": "task_{at}", "at": list(TASKS), "arms": ["rnn", "lstm"], "seeds": "0-2"}
    study = make_study(root, {"sweeps": [sweep]}, score="kept", unit="", vary=None)
    rows = [
        ("task", "first", arm, at, seed, None, "test", metric, value)
        for at in tasks for arm in (("rnn", "lstm") if at == tasks[0] else ("rnn",))
        for seed in range(3) for metric, value in (("loss", 0.1), ("baseline", 0.2))
    ]  # fmt: skip
    return evidence_of(study, study.protocols["first"], rows_of("made", rows))


def test_bits_are_those_of_the_copying_tasks_of_arms_that_ran_each(tmp_path: Path) -> None:
    (axes,) = figures.bits(textbook(tmp_path, TASKS)).axes
    (curve,) = (line for line in axes.get_lines() if line.get_marker() == "o")
    assert np.asarray(curve.get_ydata()).tolist() == [0.5, 4.0]


@pytest.mark.parametrize("tasks", [TASKS, TASKS[:1], TASKS[2:]])
@pytest.mark.parametrize("draw", [figures.bits, figures.kept])
def test_a_part_of_the_tasks_is_drawn_as_well(
    tmp_path: Path, draw: Callable[[Evidence], Figure], tasks: tuple[str, ...]
) -> None:
    save_figure(draw(textbook(tmp_path, tasks)), tmp_path / "drawn.png")
    assert (tmp_path / "drawn.png").stat().st_size > 5_000


@pytest.mark.parametrize("study", all_studies(), ids=lambda study: study.name)
def test_figures_of_committed_results_name_every_arm(study: Study) -> None:
    table = results_so_far(study)
    for protocol in map(study.protocol, table.protocol.unique()):
        for name in protocol.figures:
            found = evidence_of(study, protocol, table)
            figure = FIGURES[name](found)
            texts = [label.get_text() for axes in figure.axes for label in axes.get_yticklabels()]
            texts += [text.get_text() for axes in figure.axes for text in axes.texts]
            said = " ".join([*texts, *titles(figure)]).replace("\n", " ")
            assert {arm for arm in found.arms if found.label(arm) not in said} == set(), f"{protocol.name}, {name}"


def test_the_committed_figures_are_those_that_are_drawn(committed: list[Found]) -> None:
    for study, found in committed:
        drawn = {f"{name}.png" for one in found.values() for name in one.figures}
        leading = {f"{study.name}_leading.png"} if study.leading else set()
        assert {path.name for path in study.folder.glob("figures/*")} == drawn | leading, study.name
