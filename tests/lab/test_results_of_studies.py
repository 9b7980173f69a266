"""Results come back as they were written, and a number that does not fit its bits is refused."""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

from experiments.lab.results import (
    COLUMNS,
    Correct,
    check_correct,
    correct_file,
    read_correct,
    read_results,
    results_csv,
    rows_of,
)
from experiments.lab.study import Study, all_studies
from sentiment_rnn.errors import UserError

NAMES = st.sampled_from(["lstm", "rnn, wide", 'a "quoted" one', "nan", "100"])
RUNS_OF_ROWS = st.tuples(
    NAMES, NAMES, NAMES, st.sampled_from(["", "50", "generated, before training"]), st.integers(0, 200),
    st.none() | st.integers(0, 20),
)  # fmt: skip
METRICS = st.tuples(st.sampled_from(["train", "test"]), NAMES)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False, width=32)
ROWS = st.dictionaries(RUNS_OF_ROWS, st.dictionaries(METRICS, NUMBERS, min_size=1), max_size=5).map(
    lambda runs: [(*run, *metric, number) for run, found in runs.items() for metric, number in sorted(found.items())]
)


@given(rows=ROWS)
@settings(deadline=None, max_examples=30)
def test_results_come_back_from_their_file(rows: list[tuple[object, ...]], tmp_path_factory: object) -> None:
    folder = tmp_path_factory.mktemp("study")  # type: ignore[attr-defined]
    table = rows_of("made", rows)
    (folder / "results.csv").write_text(results_csv(table))
    found = read_results(folder)
    assert list(found.columns) == COLUMNS
    pd.testing.assert_frame_equal(found, table, check_dtype=False, rtol=1e-5)
    assert results_csv(found) == results_csv(table), "in six digits"


@pytest.mark.parametrize("study", all_studies(), ids=lambda study: study.name)
def test_committed_results_are_written_as_they_are_read(study: Study) -> None:
    if not (study.folder / "results.csv").is_file():
        pytest.skip("nothing of it was measured yet")
    assert (study.folder / "results.csv").read_text() == results_csv(read_results(study.folder))
    if correct := read_correct(study.folder):
        assert (study.folder / "correct.npz").read_bytes() == correct_file(correct)


RUNS = {
    ("learn", "lstm", "50", 0): Correct(np.array([True, False, True]), "a"),
    ("learn", "lstm", "50", 1): Correct(np.array([True] * 2 + [False]), "a"),
}
ROW = ("learn", "first", "lstm", "50")
TESTED = [(*ROW, seed, None, "test", "accuracy", 2 / 3) for seed in (0, 1)]
VALIDATED = [(*ROW, seed, None, "validation", "best_accuracy", 0.7) for seed in (0, 1)]


def test_a_draw_that_diverged_has_no_score_and_a_run_that_is_compared_has_one(tmp_path: Path) -> None:
    (tmp_path / "results.csv").write_text(results_csv(rows_of("made", [(*ROW, 0, 3, "validation", "score", np.nan)])))
    assert (tmp_path / "results.csv").read_text().endswith(",draw,validation/score\nmade,learn,first,lstm,50,0,3,nan\n")
    assert np.isnan(read_results(tmp_path).value[0])
    (tmp_path / "results.csv").write_text(results_csv(rows_of("made", [(*ROW, 0, None, "test", "loss", np.nan)])))
    with pytest.raises(UserError, match=r"results\.csv: damaged \(loss of lstm, seed 0, is no number\)"):
        read_results(tmp_path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text.replace("sweep", "sweeps"),
        lambda text: text.replace("0.666667", "0.6b"),
        lambda text: text.replace("test/accuracy", "accuracy"),
        lambda text: text.removesuffix(",0.666667\n"),
        lambda text: text.replace(",0,,", ",0,1.5,"),
        lambda text: text + "<<<<<<< HEAD\n",
        lambda text: "",
    ],
)
def test_damaged_results_are_one_line(tmp_path: Path, damage: Callable[[str], str]) -> None:
    (tmp_path / "results.csv").write_text(damage(results_csv(rows_of("made", TESTED))))
    with pytest.raises(UserError, match=r"results\.csv: damaged \(.*\); put the committed file back") as refused:
        read_results(tmp_path)
    assert "\n" not in str(refused.value)


def test_results_that_are_not_there_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"lag/results\.csv: not there; run make study NAME=lag"):
        read_results(tmp_path / "lag")
    assert read_correct(tmp_path) == {}, "a study of sums keeps none"


@given(correct=st.lists(st.lists(st.booleans(), min_size=1, max_size=40).map(np.array), min_size=1, max_size=5))
@settings(deadline=None, max_examples=30)
def test_every_bit_comes_back(correct: list[np.ndarray], tmp_path_factory: object) -> None:
    folder = tmp_path_factory.mktemp("study")  # type: ignore[attr-defined]
    runs = {("learn", "lstm", "50", seed): Correct(bits, "ab"[seed % 2] * 64) for seed, bits in enumerate(correct)}
    (folder / "correct.npz").write_bytes(correct_file(runs))
    found = read_correct(folder)
    assert list(found) == list(runs)
    assert all(one.right.tolist() == runs[key].right.tolist() for key, one in found.items())
    assert [one.reviews for one in found.values()] == [one.reviews for one in runs.values()]


LAST = list(RUNS)[1]


@pytest.mark.parametrize(
    ("rows", "runs", "said"),
    [
        ([TESTED[0], (*TESTED[1][:-1], 0.7)], RUNS, "results.csv says 0.7 and correct.npz says 0.666667"),
        ([TESTED[0]], RUNS, "results.csv says nothing and correct.npz says 0.666667"),
        (TESTED, {key: run for key, run in RUNS.items() if key != LAST}, "says 0.666667 and correct.npz says nothing"),
        ([*TESTED, *VALIDATED], {}, "says 0.666667 and correct.npz says nothing"),
        (TESTED, RUNS | {LAST: Correct(RUNS[LAST].right, "b")}, "learn, lstm, seed 1 read other test reviews than"),
    ],
)  # fmt: skip
def test_a_number_that_was_changed_a_lost_run_and_other_reviews_are_refused(
    tmp_path: Path, rows: list[tuple[object, ...]], runs: dict[tuple[str, str, str, int], Correct], said: str
) -> None:
    with pytest.raises(UserError) as refused:
        check_correct(rows_of("made", rows), runs, tmp_path)
    assert said in str(refused.value)
    assert str(refused.value).startswith(f"{tmp_path}: ")


@pytest.mark.parametrize(("protocol", "refused"), [("first", True), ("second", False)])
def test_all_sweeps_of_a_protocol_read_the_same_reviews_at_a_condition(
    tmp_path: Path, protocol: str, refused: bool
) -> None:
    more = ("more", protocol, "gru", "50", 0, None, "test", "accuracy", 2 / 3)
    runs = RUNS | {("more", "gru", "50", 0): Correct(RUNS[LAST].right, "b")}
    with pytest.raises(UserError, match="more, gru, seed 0 read other test") if refused else nullcontext():
        check_correct(rows_of("made", [*TESTED, more]), runs, tmp_path)


def test_damaged_bits_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "correct.npz").write_bytes(correct_file(RUNS)[:-40])
    with pytest.raises(UserError, match=r"correct\.npz: damaged \(.*\); put the committed file back"):
        read_correct(tmp_path)
