"""Scores by encoder and distance: made of runs, written, and read back."""

from pathlib import Path

import numpy as np

from made_results import make_result
from sentiment_rnn.inference.predictions import Predictions
from sentiment_rnn.report.tables import csv_text
from sentiment_rnn.studies.kit.measurements import Measurements
from sentiment_rnn.studies.kit.scores import COLUMNS, Score, accuracy_rows, held, learnt, read_scores


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
    hold = {"lstm": {2: Score(np.array([0.99, 0.5]), (0, 1)), 400: Score(np.array([0.75]), (1,))}}
    learn = {"gru": {20: Score(np.array([0.75, 0.75]), (3, 4))}}
    text = csv_text(COLUMNS, accuracy_rows("hold", hold) + accuracy_rows("learn", learn))
    Measurements({"results.csv": text}).write(tmp_path)
    for setting, scores in (("hold", hold), ("learn", learn)):
        found = read_scores(tmp_path, setting)
        assert {
            (encoder, distance, *one.accuracies, *one.seeds)
            for encoder, by_distance in found.items() for distance, one in by_distance.items()
        } == {
            (encoder, distance, *one.accuracies, *one.seeds)
            for encoder, by_distance in scores.items() for distance, one in by_distance.items()
        }  # fmt: skip
    assert read_scores(tmp_path, "hold", seeds=[1])["lstm"][2].seeds == (1,)
