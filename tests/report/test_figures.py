"""Figures promise to show the numbers of the runs, and to be drawn for odd runs as for ordinary ones, without a
warning."""

import io
import warnings
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from made_up_runs import made_up_run
from matplotlib.colors import to_hex

from sentiment_rnn.errors import UserError
from sentiment_rnn.inference.predictions import Predictions
from sentiment_rnn.report.comparison import arms_of
from sentiment_rnn.report.comparison_figure import check_panels, comparison_figure
from sentiment_rnn.report.plotting import (
    PALETTE,
    calibration,
    line_of,
    prediction_figures,
)
from sentiment_rnn.tracking.results import RecordedRun


@pytest.fixture(autouse=True)
def _warnings_are_errors() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def predictions_of(count: int, accuracy: float, lags: bool = True, lengths: np.ndarray | None = None) -> Predictions:
    """Predictions of which a part is right, the first ones."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, count)
    right = np.arange(count) < round(accuracy * count)
    sure = random.uniform(0.01, 0.49, count)
    return Predictions(
        probabilities=np.where(right == (labels == 1), 0.5 + sure, 0.5 - sure).astype(np.float32),
        labels=labels.astype(np.int8),
        lengths=random.integers(5, 600, count) if lengths is None else lengths,
        lags=(random.integers(0, 101, count) if lags else np.full(count, -1)).astype(np.int32),
    )


PREDICTIONS: dict[str, Callable[[], Predictions]] = {
    "ordinary": lambda: predictions_of(500, 0.8),
    "without lags": lambda: predictions_of(500, 0.8, lags=False),
    "one review, right": lambda: predictions_of(1, 1.0),
    "all wrong, of one length": lambda: predictions_of(12, 0.0, lengths=np.full(12, 40)),
}


def test_the_calibration_sets_the_share_of_positives_against_the_probability() -> None:
    predicted = Predictions(
        probabilities=np.repeat([0.05, 0.35, 0.95, 1.0], [20, 40, 10, 10]).astype(np.float32),
        labels=np.concatenate([np.arange(20) < 2, np.arange(40) < 10, np.ones(20)]).astype(np.int8),
        lengths=np.full(80, 5),
        lags=np.full(80, -1),
    )
    (axes,) = calibration(predicted).axes
    shown = axes.lines[1]
    assert list(shown.get_xdata()) == pytest.approx([0.05, 0.35, 0.975])
    assert list(shown.get_ydata()) == pytest.approx([0.1, 0.25, 1.0])


@pytest.mark.parametrize("name", list(PREDICTIONS))
def test_all_figures_of_a_run_can_be_made(name: str) -> None:
    predicted = PREDICTIONS[name]()
    figures = prediction_figures(predicted)
    assert ("accuracy_by_lag" in figures) == predicted.has_lags
    assert {"calibration", "accuracy_by_length"} == set(figures) - {"accuracy_by_lag"}
    for figure in figures.values():
        figure.savefig(io.BytesIO())


def run_result(
    arm: str,
    seed: int,
    predictions: Predictions,
    epochs: int = 3,
    gradients: np.ndarray | None = None,
    color: str | None = None,
) -> RecordedRun:
    """A run for the figure of a sweep."""
    steps_back = np.arange(60)
    if gradients is None:
        gradients = np.stack([steps_back, 0.5**steps_back, 0.9**steps_back])
    metrics = {"val/best_accuracy": 0.8, "test/accuracy": float(predictions.correct.mean())}
    validation = np.linspace(0.6, 0.8, epochs).tolist()
    return made_up_run(arm, seed, metrics, predictions, validation=validation, gradients=gradients, color=color)


SWEEPS: dict[str, Callable[[], list[RecordedRun]]] = {
    "ordinary": lambda: [
        run_result(arm, seed, predictions_of(500, accuracy))
        for arm, accuracy in (("rnn", 0.6), ("lstm", 0.9))
        for seed in range(3)
    ],
    "without lags": lambda: [run_result("rnn", seed, predictions_of(500, 0.8, lags=False)) for seed in range(3)],
    "one epoch": lambda: [run_result("rnn", 0, predictions_of(500, 0.6), epochs=1)],
    "unequal epochs, unequal reach, no gradient": lambda: [
        run_result("rnn", seed, predictions_of(500, 0.6), epochs=seed + 1, gradients=np.zeros((3, 9 + seed)))
        for seed in range(2)
    ],
    "one review": lambda: [run_result("rnn", 0, predictions_of(1, 1.0))],
    "one length": lambda: [run_result("rnn", 0, predictions_of(50, 0.5, lags=False, lengths=np.full(50, 40)))],
    "many arms": lambda: [run_result(f"lstm, hidden_size={2**k}", 0, predictions_of(100, 0.8)) for k in range(9)],
}


@pytest.mark.parametrize("name", list(SWEEPS))
def test_the_figure_of_a_sweep_can_be_saved(name: str) -> None:
    comparison_figure(arms_of(SWEEPS[name]()), "a study").savefig(io.BytesIO())


@pytest.mark.parametrize(
    ("panels", "titles"),
    [
        (["gradients"], ["Gradient left before training"]),
        (["accuracy", "test/f1", "validation"], ["Test accuracy", "test/f1", "Validation accuracy"]),
    ],
)
def test_the_figure_of_a_sweep_has_the_panels_that_are_asked_for(panels: list[str], titles: list[str]) -> None:
    figure = comparison_figure(arms_of(SWEEPS["ordinary"]()), "a study", panels)
    assert [axes.get_title("left").split(" (")[0] for axes in figure.axes] == titles


def test_the_gradient_is_shown_before_training_relative_to_the_last_step() -> None:
    back = np.arange(4)
    run = run_result("rnn", 0, predictions_of(50, 0.6), gradients=np.stack([back, 8 * 0.5**back, 1e-6 * 0.9**back]))
    (axes,) = comparison_figure(arms_of([run]), "a study", ["gradients"]).axes
    (line,) = axes.lines
    assert list(line.get_ydata()) == [1, 0.5, 0.25, 0.125]


def test_a_panel_that_is_none_is_one_line() -> None:
    check_panels(["lag", "test/auroc", "test/foo"], ["test/foo"])
    with pytest.raises(UserError, match="--panel gradient: no such panel; did you mean gradients"):
        check_panels(["accuracy", "gradient"], [])


def test_the_figure_of_a_sweep_names_every_arm_and_draws_every_seed() -> None:
    scores, by_lag, validation, _ = comparison_figure(arms_of(SWEEPS["ordinary"]()), "a study").axes
    assert {label.get_text() for label in scores.get_yticklabels()} == {"rnn", "lstm"}
    assert {text.get_text() for text in by_lag.get_legend().get_texts()} == {"rnn", "lstm"}
    curves = sorted(str(line.get_label()) for line in validation.lines if line.get_marker() == "o")
    assert curves == 3 * ["lstm"] + 3 * ["rnn"]


def test_encoders_can_be_told_apart_where_all_is_gray() -> None:
    names = "rnn rnn_relu rnn_orthogonal gru lstm lstm_chrono slstm min_gru min_lstm lru bag".split()
    assert len({tuple(line_of(name).values()) for name in names}) == len(names)
    assert line_of("lstm, lr=0.1") == line_of("lstm")


def test_the_figure_of_a_sweep_has_the_colours_of_the_configuration_and_free_ones_beside_them() -> None:
    colors = {"rnn": "#d55e00", "gru": "#445566", "first": None, "lstm": "#0072b2", "second": None}
    runs = [run_result(name, 0, predictions_of(100, 0.8), color=color) for name, color in colors.items()]
    validation = comparison_figure(arms_of(runs), "a study").axes[2]
    drawn = {line.get_label(): to_hex(line.get_color()) for line in validation.lines}
    free = [color.lower() for color in PALETTE if color.lower() not in colors.values()]
    assert {name: drawn[name] for name in colors} == colors | {"first": free[0], "second": free[1]}
