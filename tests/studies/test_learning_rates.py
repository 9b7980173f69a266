"""How learning rates were chosen, in a table."""

from made_results import make_result

from sentiment_rnn.studies.kit.learning_rates import learning_rate_table, validation_accuracy
from sentiment_rnn.tracking.results import RunResult


def run(encoder: str, rate: float, accuracy: float = 0.0, distance: int = 20) -> RunResult:
    metrics = {"val/best_accuracy": accuracy}
    return make_result(encoder, learning_rate=rate, metrics=metrics, max_distance=distance, label=encoder.upper())


TRIED = [run("rnn", 0.001, 0.8), run("rnn", 0.01, 0.6), run("lstm", 0.001, 0.7), run("lstm", 0.01, 0.9),
         run("lstm", 0.01, 0.95)]  # fmt: skip


def test_the_best_rate_is_bold_and_the_one_used_beside_it() -> None:
    table = learning_rate_table("Rates", TRIED, [run("rnn", 0.001), run("lstm", 0.001)], validation_accuracy)
    assert table.columns == ("encoder", "0.001", "0.01", "used")
    assert table.rows == [("RNN", "**80**", "60", "0.001"), ("LSTM", "70", "**92.5**", "0.001")]


def test_a_loss_is_best_where_it_is_lowest() -> None:
    table = learning_rate_table("Rates", TRIED[:2], [], lambda result: result.metrics["val/best_accuracy"], lowest=True)
    assert table.rows == [("RNN", "0.8", "**0.6**", "")]


def test_each_condition_has_a_row_of_its_own() -> None:
    tried = [run("rnn", 0.1, 0.5, 20), run("rnn", 0.1, 0.6, 50)]
    used = [run("rnn", 0.1, distance=20), run("rnn", 0.2, distance=50)]
    table = learning_rate_table("Rates", tried, used, validation_accuracy, lambda r: str(r.config.data.max_distance))
    assert table.columns == ("encoder", "for", "0.1", "used")
    assert table.rows == [("RNN", "20", "**50**", "0.1"), ("RNN", "50", "**60**", "0.2")]
