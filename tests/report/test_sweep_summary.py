"""Summary of a sweep's runs in its parent run."""

import math

import numpy as np
import pytest
from made_up_runs import made_up_run

from sentiment_rnn.inference.predictions import Predictions
from sentiment_rnn.report.comparison import arms_of
from sentiment_rnn.report.sweep_summary import ROWS, summary_metrics, summary_text
from sentiment_rnn.tracking.results import RunResult

LABELS = np.array([0, 1] * 10, dtype=np.int8)


def run(arm: str, seed: int, right: int, validation: float = 0.8) -> RunResult:
    """A run that has `right` of 20 test reviews right."""
    correct = np.arange(20) < right
    said = Predictions(np.where(correct == (LABELS == 1), 0.9, 0.1), LABELS, np.full(20, 50), np.arange(1, 21))
    return made_up_run(arm, seed, {"test/accuracy": right / 20, "val/best_accuracy": validation}, said)


def sequence_run(arm: str, seed: int, validation: float, test: float) -> RunResult:
    """A run of a task that has a loss alone."""
    metrics = {"val/best_loss": validation, "test/loss": test}
    return made_up_run(arm, seed, metrics, run(arm, seed, 20).predictions)


TWO = [run("lstm", 0, 18, 0.9), run("lstm", 1, 20, 0.95), run("rnn", 0, 9, 0.6), run("rnn", 1, 11, 0.5)]


def test_the_text_has_a_row_for_each_encoder_and_names_the_best() -> None:
    lines = summary_text(arms_of(TWO), jobs=6).splitlines()
    assert lines[0] == "4 of 6 runs finished; best on validation: lstm, seed 1 (95.0 %)"
    assert lines[2] == "| arm | mean test accuracy (95 % interval) | seeds |"
    lstm, rnn = lines[4:6]
    assert lstm.startswith("| lstm | 95.0 % (")
    assert lstm.endswith("| 2 |")
    assert rnn == "| rnn | 50.0 % | 2 |", "two seeds that differ by ten points: the interval would be 0 to 100"


def test_the_metrics_are_the_best_run_the_count_and_a_mean_for_each_encoder() -> None:
    assert summary_metrics(arms_of(TWO)) == pytest.approx(
        {
            "runs/finished": 4, "best/val/accuracy": 0.95, "best/test/accuracy": 1.0,
            "lstm/test/accuracy": 0.95, "rnn/test/accuracy": 0.5,
        }
    )  # fmt: skip


def test_a_sweep_of_language_models_is_summed_up_by_its_loss_on_validation() -> None:
    arms = arms_of([made_up_run("lstm", seed, {"val/best_loss": 4.5}, TWO[0].predictions) for seed in (0, 1)])
    text = summary_text(arms, jobs=2)
    assert "| arm | mean validation loss | seeds |" in text
    assert "| lstm | 4.5000" in text
    assert summary_metrics(arms) == {"runs/finished": 2, "best/val/loss": 4.5, "lstm/val/loss": 4.5}


def test_a_sweep_of_another_task_is_summed_up_by_its_loss() -> None:
    arms = arms_of([sequence_run("rnn", 0, 0.3, 0.4), sequence_run("lstm", 0, 0.1, 0.2)])
    text = summary_text(arms, jobs=2)
    assert "best on validation: lstm, seed 0 (loss 0.1000)" in text
    assert text.index("| lstm | 0.2000 | 1 |") < text.index("| rnn | 0.4000 | 1 |")
    assert summary_metrics(arms) == pytest.approx(
        {"runs/finished": 2, "best/val/loss": 0.1, "best/test/loss": 0.2, "lstm/test/loss": 0.2, "rnn/test/loss": 0.4}
    )


def test_names_of_metrics_are_such_as_mlflow_takes() -> None:
    found = summary_metrics(arms_of([run("lstm, max_tokens=25", 0, 10), run("lstm, max_tokens=100", 0, 20)]))
    assert {"lstm max_tokens 25/test/accuracy", "lstm max_tokens 100/test/accuracy"} <= set(found)


def test_a_metric_that_is_missing_is_left_out_and_many_arms_are_cut() -> None:
    assert not any(map(math.isnan, summary_metrics(arms_of([made_up_run("lstm", 0, {}, TWO[0].predictions)])).values()))
    text = summary_text(arms_of([run(f"e{number}", 0, 10) for number in range(ROWS + 3)]), jobs=99)
    assert "… and 3 more" in text
    assert len(text) < 5000
