"""How learning rates were chosen, in a table."""

from typing import Any

from mlflow.entities import Metric, Param, Run, RunData, RunInfo

from sentiment_rnn.studies.rates import rate_table, validation_accuracy


def run_of(encoder: str, rate: str, accuracy: float = 0.0, distance: str = "20") -> Run:
    """A finished run as MLflow gives it."""
    parameters = {"encoder.name": encoder, "optimizer.learning_rate": rate, "data.max_distance": distance}
    info: Any = RunInfo("id", "1", "me", "FINISHED", 0, 1, "active")
    metrics = [Metric("val/best_accuracy", accuracy, 0, 0)]
    return Run(info, RunData(metrics, [Param(k, v) for k, v in parameters.items()], []))


TRIED = [
    run_of("rnn", "0.001", 0.8), run_of("rnn", "0.01", 0.6), run_of("lstm", "0.001", 0.7), run_of("lstm", "0.01", 0.9),
    run_of("lstm", "0.01", 0.95),
]  # fmt: skip


def test_the_best_rate_is_bold_and_the_one_used_beside_it() -> None:
    table = rate_table("Rates", TRIED, [run_of("rnn", "0.001"), run_of("lstm", "0.001")], validation_accuracy)
    assert table.columns == ("encoder", "0.001", "0.01", "used")
    assert table.rows == [("rnn", "**80**", "60", "0.001"), ("lstm", "70", "**92.5**", "0.001")]


def test_a_loss_is_best_where_it_is_lowest() -> None:
    table = rate_table("Rates", TRIED[:2], [], lambda run: run.data.metrics["val/best_accuracy"], lowest=True)
    assert table.rows == [("rnn", "0.8", "**0.6**", "")]


def test_a_choice_for_each_part_has_a_row_of_its_own() -> None:
    tried = [run_of("rnn", rate, accuracy, at) for rate, accuracy, at in (("0.1", 0.5, "20"), ("0.1", 0.6, "50"))]
    used = [run_of("rnn", "0.1", distance="20"), run_of("rnn", "0.2", distance="50")]
    table = rate_table("Rates", tried, used, validation_accuracy, lambda run: run.data.params["data.max_distance"])
    assert table.columns == ("encoder", "for", "0.1", "used")
    assert table.rows == [("rnn", "20", "**50**", "0.1"), ("rnn", "50", "**60**", "0.2")]
