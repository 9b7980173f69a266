"""How learning rates were chosen, in a table."""

from collections.abc import Callable, Sequence
from pathlib import Path

from made_results import make_result

from sentiment_rnn.report.tables import Table
from sentiment_rnn.studies.kit.encoder_groups import EncoderStyle
from sentiment_rnn.studies.kit.learning_rates import learning_rate_table, learning_rates_csv, validation_accuracy
from sentiment_rnn.tracking.results import RunResult


def run(encoder: str, rate: float, accuracy: float = 0.0, distance: int = 20) -> RunResult:
    metrics = {"val/best_accuracy": accuracy}
    return make_result(encoder, learning_rate=rate, metrics=metrics, max_distance=distance, label=encoder.upper())


TRIED = [run("rnn", 0.001, 0.8), run("rnn", 0.01, 0.6), run("lstm", 0.001, 0.7), run("lstm", 0.01, 0.9),
         run("lstm", 0.01, 0.95)]  # fmt: skip


STYLES = {name: EncoderStyle(name.upper(), "#000000") for name in ("rnn", "lstm")}


def table(
    folder: Path,
    tried: Sequence[RunResult],
    used: Sequence[RunResult],
    score: Callable[[RunResult], float] = validation_accuracy,
    condition: Callable[[RunResult], str] = lambda _: "",
    lowest: bool = False,
) -> Table:
    """The table, by way of the file."""
    (folder / "learning_rates.csv").write_text(learning_rates_csv(tried, used, score, condition))
    return learning_rate_table("Rates", folder, STYLES, lowest)


def test_the_best_rate_is_bold_and_the_one_used_beside_it(tmp_path: Path) -> None:
    found = table(tmp_path, TRIED, [run("rnn", 0.001), run("rnn", 0.01), run("lstm", 0.001)])
    assert found.columns == ("encoder", "0.001", "0.01", "used")
    assert found.rows == [("RNN", "**80**", "60", "0.001, 0.01"), ("LSTM", "70", "**92.5**", "0.001")]


def test_a_loss_is_best_where_it_is_lowest(tmp_path: Path) -> None:
    found = table(tmp_path, TRIED[:2], [], lambda result: result.metrics["val/best_accuracy"], lowest=True)
    assert found.rows == [("RNN", "0.8", "**0.6**", "")]


def test_each_condition_has_a_row_of_its_own(tmp_path: Path) -> None:
    tried = [run("rnn", 0.1, 0.5, 20), run("rnn", 0.1, 0.6, 50)]
    used = [run("rnn", 0.1, distance=20), run("rnn", 0.2, distance=50)]
    found = table(tmp_path, tried, used, condition=lambda r: str(r.config.data.max_distance))
    assert found.columns == ("encoder", "for", "0.1", "used")
    assert found.rows == [("RNN", "20", "**50**", "0.1"), ("RNN", "50", "**60**", "0.2")]
