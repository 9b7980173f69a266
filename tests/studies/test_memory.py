"""The memory and learning studies on scores made here: spans, verdicts, and what is drawn."""

from pathlib import Path

import numpy as np
import pytest
from made_results import INITIALIZATIONS, STYLES, make_result

from sentiment_rnn.inference.predictions import Predictions
from sentiment_rnn.report.tables import csv_text
from sentiment_rnn.studies import learning, memory
from sentiment_rnn.studies.kit.encoder_groups import EncoderStyle
from sentiment_rnn.studies.kit.measurements import Measurements
from sentiment_rnn.studies.kit.memory_spans import (
    COLUMNS,
    Score,
    Scores,
    accuracy_by_distance_table,
    accuracy_rows,
    held,
    learnt,
    read_scores,
    span,
    spans,
)
from sentiment_rnn.studies.kit.verdicts import FAILS, HOLDS, IN_PART, UNDECIDED

DISTANCES = (2, 5, 10, 20, 50, 100, 200, 400)


def score(accuracy: float, seeds: int = 3) -> Score:
    """So accurate with every seed."""
    return Score(np.full(seeds, accuracy), tuple(range(seeds)))


def reaching(last: int) -> dict[int, Score]:
    """Right in 99 of 100 up to a distance, at chance beyond it."""
    return {distance: score(0.99 if distance <= last else 0.5) for distance in DISTANCES}


def by_seed(*last: int) -> dict[int, Score]:
    """As `reaching`, with a distance for each seed."""
    return {
        distance: Score(np.array([0.99 if distance <= one else 0.5 for one in last]), tuple(range(len(last))))
        for distance in DISTANCES
    }


def build(**reach: int) -> Scores:
    """Every encoder but the bag up to 20 tokens, unless given otherwise."""
    return {name: reaching(reach.get(name, 20)) for name in INITIALIZATIONS if name != "bag"}


@pytest.mark.parametrize(
    ("accuracies", "expected"),
    [
        ({2: 0.99, 5: 0.95, 10: 0.91}, 10),
        ({2: 0.99, 5: 0.9, 10: 0.99}, 2),  # a distance in between that is forgotten ends the span
        ({2: 0.5, 5: 1.0}, 0),
    ],
)
def test_the_span_is_the_longest_distance_up_to_which_it_remembers(accuracies: dict[int, float], expected: int) -> None:
    assert span(accuracies) == expected


def test_spans_are_of_the_mean_and_of_each_seed() -> None:
    assert spans({2: Score(np.array([1.0, 0.8]), (0, 1)), 5: score(0.5, seeds=2)}) == (0, [2, 0])


def judged(hold: Scores, learn: Scores) -> list[str]:
    return [verdict.verdict for verdict in memory.verdicts(hold | {"bag": reaching(0)}, learn, STYLES)]


FAR = {name: 400 for name in INITIALIZATIONS if name.startswith("lstm")}


def test_the_lesson_as_it_is_told_would_hold_everywhere() -> None:
    assert judged(build(**FAR), build(**FAR)) == [HOLDS] * 3


def test_an_rnn_that_holds_what_it_cannot_learn_to_hold_is_bad_in_part() -> None:
    assert judged(build(rnn=400, lstm=400), build(lstm=50))[1:] == [IN_PART, FAILS]


def test_an_rnn_that_remembers_everything_refutes_its_bad_memory_and_leaves_nothing_to_cure() -> None:
    assert judged(build(rnn=400, lstm=400), build(rnn=400, lstm=400))[1:] == [FAILS, UNDECIDED]


def test_an_lstm_that_forgets_as_soon_cures_nothing() -> None:
    assert judged(build(), build())[2] == FAILS


def test_an_rnn_that_fails_near_the_end_has_no_good_short_term_memory_there() -> None:
    assert judged(build(rnn=2, rnn_uniform=2), build(rnn=2, rnn_uniform=2))[0] == FAILS
    assert judged(build(rnn_uniform=2), build())[0] == IN_PART
    assert judged(build(), build(rnn_uniform=2))[0] == IN_PART


def test_three_seeds_that_differ_by_much_decide_nothing() -> None:
    lottery = {name: by_seed(400, 400, 0) for name in ("rnn", "rnn_uniform", "lstm")}
    assert judged(build() | lottery, build() | lottery) == [UNDECIDED] * 3


def test_another_lstm_that_learns_what_the_usual_one_does_not_cures_in_part() -> None:
    assert judged(build(rnn=400, lstm=400), build(lstm_chrono=400))[2] == IN_PART


def test_the_best_lstm_cures_in_part_where_its_lead_over_the_rnn_is_clear() -> None:
    best = reaching(400)
    best[400] = Score(np.array([1, 0.85, 1]), (0, 1, 2))
    assert judged(build(rnn=400, lstm=400), build() | {"lstm_chrono": best})[2] == IN_PART
    best[400] = Score(np.array([1, 0.5, 1]), (0, 1, 2))
    assert judged(build(rnn=400, lstm=400), build() | {"lstm_chrono": best})[2] == UNDECIDED


def test_an_lstm_that_remembers_in_one_setting_of_two_cures_in_part() -> None:
    assert judged(build(lstm=400), build(lstm=50))[2] == IN_PART


@pytest.mark.parametrize(
    ("learn", "expected"),
    [
        (build(rnn=20, **FAR), [HOLDS, HOLDS]),
        (build(rnn=20, lstm=50, lstm_forget_0=400, lstm_forget_5=400, lstm_chrono=400), [HOLDS, FAILS]),
        (build(rnn=20, lstm=50, lstm_chrono=400), [HOLDS, FAILS]),
        (build(rnn=20, rnn_identity=400, lstm=50), [IN_PART, FAILS]),
        (build(rnn=50, lstm=50, lstm_chrono=400), [IN_PART, FAILS]),
        (build(rnn=100, lstm=50), [FAILS, FAILS]),
        # One seed of three reaches further: that is no longer span, and not the same span either.
        (build(rnn=50) | {"lstm": by_seed(50, 100, 50)}, [UNDECIDED, FAILS]),
        (build(rnn=50, lstm_chrono=400) | {"lstm": by_seed(50, 100, 50)}, [IN_PART, FAILS]),
        (build(rnn=20, **(FAR | {"lstm_chrono": 200})) | {"lstm": by_seed(400, 400, 200)}, [HOLDS, FAILS]),
        (build(rnn=20, **FAR) | {"lstm_chrono": by_seed(400, 400, 200)}, [HOLDS, UNDECIDED]),
    ],
)
def test_what_is_learnt_is_judged_by_the_usual_initializations_and_the_best(learn: Scores, expected: list[str]) -> None:
    assert [verdict.verdict for verdict in learning.verdicts(learn, STYLES)] == expected


@pytest.fixture
def hold() -> Scores:
    return build(lstm=400) | {"bag": reaching(0)}


def test_tables_have_a_row_an_encoder_and_leave_the_bag_out_where_it_was_not_trained(hold: Scores) -> None:
    learn = build(lstm=50)
    cells = {row[0]: row[1:] for row in memory.held_span_table(hold, learn, STYLES).rows}
    assert cells["LSTM, forget bias 1"] == ("400", "400, 400, 400", "50", "50, 50, 50")
    assert cells["bag of words"] == ("0", "0, 0, 0", "", "")
    assert len(learning.learnt_span_table(learn, STYLES).rows) == 8
    table = accuracy_by_distance_table("held", hold, STYLES)
    assert len(table.rows) == 9
    assert all(len(row) == len(table.columns) == 9 for row in table.rows)


def test_the_figures_have_a_line_an_encoder(hold: Scores) -> None:
    learn = build(lstm=50)
    panels = [*memory.memory_figure(hold, learn, STYLES).axes, *learning.learning_figure(learn, STYLES).axes]
    labels = {style.label for style in STYLES.values()}
    lines = [{line.get_label() for line in axes.get_lines()} & labels for axes in panels]
    assert lines == [labels, labels - {"bag of words"}, labels - {"bag of words"}]


def test_an_encoder_of_one_sweep_alone_is_in_tables_and_legend(hold: Scores) -> None:
    styles = STYLES | {"gru": EncoderStyle("GRU", "#CC79A7")}
    learn = build() | {"gru": {20: score(0.99)}}
    assert memory.held_span_table(hold, learn, styles).rows[-1][0] == "GRU"
    assert accuracy_by_distance_table("learnt", learn, styles).rows[-1][4:6] == ("99.0 ± 0.0", "")
    legend = memory.memory_figure(hold, learn, styles).legends[0]
    assert [text.get_text() for text in legend.get_texts()] == [style.label for style in styles.values()]


def predictions(correct: list[int], distances: list[int]) -> Predictions:
    probabilities = np.where(correct, 0.9, 0.1)
    return Predictions(probabilities, np.ones(len(correct), np.int8), np.array(distances), np.array(distances))


def test_held_scores_are_divided_by_the_distance_of_each_review() -> None:
    runs = [
        make_result(seed=1, predictions=predictions([1, 0, 0], [2, 5, 5])),
        make_result(seed=0, predictions=predictions([0, 1, 0], [2, 5, 5])),
    ]
    scores = held(runs)["lstm"]
    assert {distance: found.accuracies.tolist() for distance, found in scores.items()} == {2: [0, 1], 5: [0.5, 0]}
    assert scores[2].seeds == (0, 1)


def test_learnt_scores_are_divided_by_the_distance_of_each_run() -> None:
    runs = [
        make_result("rnn", seed=seed, predictions=predictions([1, seed], [distance] * 2), max_distance=distance)
        for distance in (5, 2)
        for seed in (1, 0)
    ]
    scores = learnt(runs)["rnn"]
    assert list(scores) == [2, 5]
    assert scores[5].accuracies.tolist() == [0.5, 1]


def test_scores_come_back_from_the_results_of_their_setting(tmp_path: Path) -> None:
    hold, learn = build(lstm=400) | {"bag": reaching(0)}, {"gru": {20: score(0.75, seeds=2)}}
    text = csv_text(COLUMNS, accuracy_rows("hold", hold) + accuracy_rows("learn", learn))
    Measurements({"results.csv": text}).write(tmp_path)
    assert read_scores(tmp_path, "learn")["gru"][20].accuracies.tolist() == [0.75, 0.75]
    found = read_scores(tmp_path, "hold")
    assert list(found) == list(hold)
    assert memory.held_span_table(found, {}, STYLES) == memory.held_span_table(hold, {}, STYLES)
