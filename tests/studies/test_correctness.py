"""Whether each review was classified correctly comes back bit by bit, and accuracies with it."""

from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from made_results import make_result, predictions_of
from sentiment_rnn.errors import UserError
from sentiment_rnn.inference.predictions import Predictions
from sentiment_rnn.studies import find_study
from sentiment_rnn.studies.kit.correctness import (
    COLUMNS,
    Correct,
    check_accuracies,
    correct_at_one_distance,
    correct_by_distance,
    correct_file,
    read_correct,
)

STUDY = find_study("learnability")
RUNS = [
    Correct(("learn", "lstm", "50", "0"), np.array([True, False, True]), "a"),
    Correct(("learn", "lstm", "50", "1"), np.array([False] * 9 + [True]), "b"),
]


@given(correct=st.lists(st.lists(st.booleans(), min_size=1, max_size=40).map(np.array), min_size=1, max_size=5))
@settings(deadline=None)
def test_every_bit_comes_back(correct: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> None:
    runs = [Correct(("learn", "lstm", "50", str(seed)), bits, "ab"[seed % 2] * 64) for seed, bits in enumerate(correct)]
    folder = tmp_path_factory.mktemp("study")
    (folder / "correct.npz").write_bytes(correct_file(runs))
    columns, found = read_correct(folder)
    assert columns == COLUMNS
    for one, other in zip(runs, found, strict=True):
        assert (one.key, one.digest, one.correct.tolist()) == (other.key, other.digest, other.correct.tolist())


def test_the_same_runs_make_the_same_bytes() -> None:
    first = correct_file(RUNS)
    assert first == correct_file(RUNS)
    assert b"\x00\x00\x21\x00" in first[:30], "dated 1 January 1980, as ZIP has it"


def test_anyone_recomputes_an_accuracy_with_numpy_alone(tmp_path: Path) -> None:
    (tmp_path / "correct.npz").write_bytes(correct_file(RUNS))
    file = np.load(tmp_path / "correct.npz")
    start = -(-file["reviews"][0] // 8)
    assert file["keys"][1].tolist() == [b"learn", b"lstm", b"50", b"1"]
    assert np.unpackbits(file["bits"][start:], count=file["reviews"][1]).mean() == 0.1


def test_twenty_seeds_of_twelve_arms_take_half_a_megabyte() -> None:
    random = np.random.default_rng(0)
    runs = [
        Correct(("learn", f"lstm_forget_{arm}", str(distance), str(seed)), random.random(2000) < 0.9, f"{distance:064}")
        for arm in range(12) for distance in (10, 20, 50, 100, 200, 400) for seed in range(20)
    ]  # fmt: skip
    assert 360_000 < len(correct_file(runs)) < 500_000


def test_accuracies_of_both_settings_are_those_of_the_results(tmp_path: Path) -> None:
    at_one = [
        make_result(seed=seed, predictions=predictions_of([1, seed, 0], distance), max_distance=distance)
        for distance in (5, 20) for seed in (0, 1)
    ]  # fmt: skip
    distances = np.array([2, 5, 5], np.int32)
    mixed = [
        make_result(seed=seed, predictions=Predictions(np.array([0.9, 0.1, 0.2 + seed / 2]), np.ones(3, np.int8),
                    np.arange(3), distances))
        for seed in (0, 1)
    ]  # fmt: skip
    (tmp_path / "results.csv").write_text(
        "setting,encoder,distance,seed,test/accuracy\n"
        "learn,lstm,5,0,0.333333\nlearn,lstm,5,1,0.666667\nlearn,lstm,20,0,0.333333\nlearn,lstm,20,1,0.666667\n"
        "hold,lstm,2,0,1\nhold,lstm,2,1,1\nhold,lstm,5,0,0\nhold,lstm,5,1,0.5\n"
    )
    runs = [*correct_at_one_distance("learn", at_one), *correct_by_distance("hold", mixed)]
    (tmp_path / "correct.npz").write_bytes(correct_file(runs))
    assert len(runs) == 8
    check_accuracies(STUDY, tmp_path)
    assert len({run.digest for run in runs if run.key[:3] == ("hold", "lstm", "5")}) == 1
    assert len({run.digest for run in runs}) == 4, "two distances at one distance each, two in mixed reviews"


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ("learn,lstm,50,0,0.666667\nlearn,lstm,50,1,0.2\n", r"50, 1, results\.csv says 0\.2 and correct\.npz 0\.1;"),
        ("learn,lstm,50,0,0.666667\n", r"50, 1, results\.csv says nothing and correct\.npz 0\.1;"),
        (
            "learn,lstm,50,0,0.666667\nlearn,lstm,50,1,0.1\nlearn,lstm,50,2,0.1\n",
            r"50, 2, results\.csv says 0\.1 and correct\.npz nothing;",
        ),
    ],
)
def test_results_that_differ_are_refused(tmp_path: Path, results: str, message: str) -> None:
    (tmp_path / "correct.npz").write_bytes(correct_file(RUNS))
    (tmp_path / "results.csv").write_text(f"setting,encoder,distance,seed,test/accuracy\n{results}")
    with pytest.raises(UserError, match=message):
        check_accuracies(STUDY, tmp_path)


def test_a_file_that_is_gone_or_damaged_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"correct\.npz: not there; run the study"):
        check_accuracies(STUDY, tmp_path)
    (tmp_path / "correct.npz").write_bytes(correct_file(RUNS)[:-40])
    with pytest.raises(UserError, match=r"correct\.npz: damaged \("):
        check_accuracies(STUDY, tmp_path)
