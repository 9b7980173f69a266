"""A reader of a study's figure sees what its results say, and every figure of a page is drawn from them."""

from pathlib import Path

import pytest
from made_studies import evidence, learners, make_study
from matplotlib.figure import Figure

from experiments.lab import figures
from experiments.lab.findings import FIGURES, Found
from experiments.lab.rules import evidence_of
from experiments.lab.run import results_so_far
from experiments.lab.study import Study, all_studies

TWO = {
    ("lstm", "20"): learners(20), ("lstm", "50"): learners(16), ("rnn", "20"): learners(18), ("rnn", "50"): learners(0)
}  # fmt: skip


def titles(figure: Figure) -> list[str]:
    return [axes.get_title("left") for axes in figure.axes if axes.get_visible()]


def test_accuracies_are_a_dot_for_each_seed_and_a_bag_of_words_is_a_line(tmp_path: Path) -> None:
    sweep = {"name": "learn", "arms": ["rnn", "bag"], "seeds": "0-3"}
    study = make_study(tmp_path, {"sweeps": [sweep]}, arms={"rnn": None, "bag": None}, unit="")
    (axes,) = figures.accuracy(evidence(study, {("rnn", ""): [0.8, 0.9, 0.7, 0.8], ("bag", ""): [0.85] * 4})).axes
    (dots,) = axes.collections
    assert sorted(x for x, _ in dots.get_offsets().tolist()) == pytest.approx([70, 80, 80, 90])
    assert [label.get_text() for label in axes.get_yticklabels()] == ["RNN, orthogonal"]
    assert [text.get_text() for text in axes.texts] == ["bag of words 85.0 %"]


def test_lines_are_labelled_at_their_ends_and_no_two_labels_overlap(tmp_path: Path) -> None:
    study = make_study(tmp_path, {"among": [20]})
    scores = {(arm, at): learners(learn) for arm in ("rnn", "lstm") for at, learn in (("20", 20), ("50", 0))}
    figure = figures.carried(evidence(study, scores))
    figure.draw_without_rendering()
    labels = [text for text in figure.axes[0].texts if text.get_text() in ("RNN, orthogonal", "LSTM, forget bias 1")]
    below, above = sorted((text.get_window_extent() for text in labels), key=lambda box: box.y0)
    assert below.y1 <= above.y0


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
        assert {path.name for path in study.folder.glob("figures/*")} == drawn, study.name
