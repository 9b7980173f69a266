"""From made-up runs of a known outcome to the tables."""

import csv
import io
import math
import re
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from made_up_runs import made_up_run

from sentiment_rnn.config.loading import recorded
from sentiment_rnn.config.store import run_config
from sentiment_rnn.inference.predictions import Predictions
from sentiment_rnn.report.comparison import (
    Arm,
    arms_of,
    columns_of,
    differences,
    in_words,
    joined,
    lag_table,
    results_csv,
    short_names,
    table,
    tables_of,
)
from sentiment_rnn.report.comparison_figure import comparison_figure
from sentiment_rnn.report.statistics import accuracy_difference
from sentiment_rnn.tracking.results import Metrics, RecordedRun

LABELS = np.array([0, 1] * 10, dtype=np.int8)
LAGS = np.arange(1, 21, dtype=np.int32)
DASH = "\N{EN DASH}"


def run_result(
    arm: str,
    seed: int = 0,
    correct: np.ndarray | None = None,
    validation: float = 0.8,
    labels: np.ndarray = LABELS,
    lags: np.ndarray = LAGS,
    **metrics: float,
) -> RecordedRun:
    """A run that classified rightly what `correct` says; `metrics` override, `__` for `/`."""
    correct = np.ones(len(labels), dtype=bool) if correct is None else correct
    known = {
        "parameters": 2_583_205.0, "val/best_accuracy": validation, "test/accuracy": float(correct.mean()),
        "test/f1": 0.5, "test/auroc": 0.5, "train/epoch_seconds": 12.34, "train/tokens_per_second": 456_789.0,
    }  # fmt: skip
    given = known | {name.replace("__", "/"): value for name, value in metrics.items()}
    predictions = Predictions(
        probabilities=np.where(correct == (labels == 1), 0.9, 0.1).astype(np.float32),
        labels=labels,
        lengths=np.full(len(labels), 50),
        lags=lags,
    )
    return made_up_run(arm, seed, given, predictions, validation=(0.6, validation))


def wrong_at(*positions: int) -> np.ndarray:
    """Everything right but these reviews."""
    correct = np.ones(20, dtype=bool)
    correct[list(positions)] = False
    return correct


def test_runs_that_differ_in_their_seed_alone_are_one_arm_in_the_order_of_seeds() -> None:
    runs = [
        run_result("rnn", 2),
        run_result("lstm", 1),
        run_result("rnn", 0),
        run_result("lstm", 0),
        run_result("rnn", 1),
    ]
    found = {arm.name: [run.seed for run in arm.runs] for arm in arms_of(runs)}
    assert found == {"rnn": [0, 1, 2], "lstm": [0, 1]}


def test_an_arm_is_named_by_its_encoder_and_by_what_the_sweep_varied_beside_it() -> None:
    def run(encoder: str, seed: int, **overrides: str) -> RecordedRun:
        given = {key.replace("__", "."): value for key, value in overrides.items()}
        return made_up_run(encoder, seed, {}, run_result("any").predictions, overrides=given)

    same = {"trainer__epochs": "3", "experiment": "demo"}
    runs = [run(encoder, seed, **same) for encoder in ("rnn", "lstm") for seed in (0, 1)]
    assert {arm.name for arm in arms_of(runs)} == {"rnn", "lstm"}
    runs = [run("lstm", seed, data__max_tokens=tokens, **same) for tokens in ("25", "100") for seed in (0, 1)]
    found = {arm.name: len(arm.runs) for arm in arms_of([*runs, run("rnn", 0, **same)])}
    assert found == {"lstm, max_tokens=25": 2, "lstm, max_tokens=100": 2, "rnn": 1}


@pytest.mark.parametrize(
    ("keys", "shown"),
    [
        (["trainer.epochs", "encoder.layers"], ["epochs", "layers"]),
        (["encoder.dropout", "embedding.dropout"], ["encoder.dropout", "embedding.dropout"]),
        (["optimizer.options.eps", "optimizer.embedding_options.eps"], ["options.eps", "embedding_options.eps"]),
        (["data", "pooling"], ["data", "pooling"]),
        (["size", "embedding.size"], ["size", "embedding.size"]),
    ],
)
def test_a_key_is_shown_by_the_shortest_ending_that_no_other_has(keys: list[str], shown: list[str]) -> None:
    assert list(short_names(keys).values()) == shown


def test_an_override_that_an_encoder_has_no_use_for_is_not_in_the_name_of_its_row() -> None:
    def run(encoder: str, layers: str) -> RecordedRun:
        overrides = {"encoder.layers": layers, "encoder": encoder}
        made = made_up_run(encoder, 0, {}, run_result("any").predictions, overrides=overrides)
        made.config.encoder.layers = None if encoder == "bag" else int(layers)
        return made

    runs = [run("lstm", "1"), run("lstm", "2"), run("bag", "1")]
    assert {arm.name for arm in arms_of(runs)} == {"lstm, layers=1", "lstm, layers=2", "bag"}


def test_the_arm_that_is_best_on_validation_comes_first_whatever_it_does_on_test() -> None:
    runs = [
        run_result("rnn", 0, wrong_at(), validation=0.7),
        run_result("lstm", 0, wrong_at(1, 2, 3), validation=0.95),
        run_result("lstm", 1, wrong_at(1, 2, 3), validation=0.75),
        run_result("bag", 0, wrong_at(1), validation=0.8),
    ]
    assert [arm.name for arm in arms_of(runs)] == ["lstm", "bag", "rnn"]


def test_a_metric_of_an_arm_is_its_mean_and_deviation_over_seeds() -> None:
    (arm,) = arms_of([run_result("rnn", seed, test__f1=value) for seed, value in enumerate((0.7, 0.8, 0.9))])
    assert arm.metric("test/f1") == pytest.approx((0.8, 0.1))


def by_lag(arms: Sequence[Arm], bins: int = 7) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
    """Columns and rows."""
    found = lag_table(arms, bins)
    return (found.columns, found.rows) if found else ((), [])


def test_a_difference_is_first_minus_second_of_the_means_over_seeds() -> None:
    better = [run_result("lstm", seed, wrong_at(*range(seed)), validation=0.9) for seed in range(3)]
    worse = [run_result("rnn", seed, wrong_at(*range(8 + seed))) for seed in range(3)]
    (found,) = differences(arms_of([*worse, *better]))
    _, low, high = accuracy_difference([1.0, 0.95, 0.9], [0.6, 0.55, 0.5])
    assert found == ("lstm", "rnn", "+40.00", f"{100 * low:+.2f} to {100 * high:+.2f}")


def test_a_single_seed_gives_a_difference_without_an_interval() -> None:
    tables = tables_of(arms_of([run_result("lstm", validation=0.9), run_result("rnn", correct=wrong_at(1))]))
    assert tables[-1].rows == [("lstm", "rnn", "+5.00", "none: too few seeds")]


def test_every_pair_of_arms_is_compared_once() -> None:
    arms = arms_of([run_result(name, validation=value) for name, value in (("a", 0.7), ("b", 0.9), ("c", 0.8))])
    found = [row[:2] for row in differences(arms)]
    assert found == [("b", "c"), ("b", "a"), ("c", "a")]


def test_arms_alike_have_no_difference() -> None:
    (found,) = differences(arms_of([run_result("a", 0, wrong_at(3)), run_result("b", 0, wrong_at(3))]))
    assert found[2] == "+0.00"


@pytest.mark.parametrize(
    "other",
    [
        {"labels": LABELS[:10], "lags": LAGS[:10]},
        {"labels": 1 - LABELS},
        {"lags": LAGS[::-1]},
    ],
    ids=["fewer", "other labels", "other lags"],
)
def test_arms_that_read_other_test_reviews_are_not_compared(other: dict[str, Any]) -> None:
    arms = arms_of([run_result("lstm, max_lag=20"), run_result("lstm, max_lag=50", **other)])
    assert differences(arms) == []


def test_arms_of_which_one_seed_read_other_test_reviews_are_not_compared() -> None:
    same = [run_result("lstm", seed) for seed in (0, 1)]
    assert len(differences(arms_of([*same, *(run_result("rnn", seed) for seed in (0, 1))]))) == 1
    assert differences(arms_of([*same, run_result("rnn"), run_result("rnn", 1, lags=LAGS[::-1])])) == []


def test_the_cells_of_the_table_are_what_a_reader_expects() -> None:
    runs = [
        run_result("lstm", seed, validation=0.9, test__accuracy=accuracy, test__f1=f1, test__auroc=0.95)
        for seed, (accuracy, f1) in enumerate([(0.879, 0.88), (0.881, 0.882), (0.883, 0.884)])
    ]
    columns, (row,) = table(arms_of(runs))
    assert dict(zip(columns, row, strict=True)) == {
        "arm": "lstm",
        "pooling": "last",
        "learning rate": "0.002",
        "parameters": "2,583,205",
        "validation accuracy": "90.0 ± 0.0 %",
        "test accuracy": "88.1 ± 0.2 %",
        "F1": "0.882 ± 0.002",
        "AUROC": "0.950 ± 0.000",
        "s / epoch": "12.3",
        "tokens / s": "456,789",
    }


def without(run: RecordedRun, *names: str) -> RecordedRun:
    """The run as a version recorded it that did not have these metrics."""
    kept = {name: value for name, value in run.metrics.items() if name not in names}
    return made_up_run(run.encoder, run.seed, kept, run.predictions)


@pytest.mark.parametrize(
    "column", [column for column in columns_of([]) if column.title], ids=lambda column: column.title
)
def test_a_metric_that_a_run_lacks_is_a_blank_in_the_table(column: Any) -> None:
    # One seed of the LSTM lacks it: a mean over the other alone would pass for one over both.
    lstm = [run_result("lstm", 0), without(run_result("lstm", 1), column.metric)]
    complete = arms_of([run_result("rnn"), run_result("rnn", 1)])
    columns, (row,) = table(arms_of(lstm))
    blank = {title for title, cell in zip(columns, row, strict=True) if not cell}
    assert blank == {column.title}
    both = table([*complete, *arms_of(lstm)])[1]
    assert both == [*table(complete)[1], row]


def test_a_run_that_lacks_the_validation_accuracy_comes_last() -> None:
    runs = [without(run_result("gru"), "val/best_accuracy"), run_result("rnn", validation=0.7), run_result("lstm")]
    for order in (runs, runs[::-1], [runs[1], runs[0], runs[2]]):
        assert [arm.name for arm in arms_of(order)] == ["lstm", "rnn", "gru"]


def test_a_metric_that_is_not_there_is_nan_and_does_not_come_into_being() -> None:
    metrics = Metrics({"test/f1": 0.5})
    assert math.isnan(metrics["test/auroc"])
    assert metrics == {"test/f1": 0.5}


def test_the_csv_has_a_row_a_run_with_every_metric_and_a_blank_for_one_that_it_lacks() -> None:
    runs = [
        run_result("lstm, hidden_size=64", 1, test__loss=0.123456789, memory__peak_bytes=123456789012.0),
        run_result("lstm, hidden_size=64", 0, validation=0.9),
        run_result("lstm, hidden_size=8", 0),
    ]
    rows = list(csv.DictReader(io.StringIO(results_csv(arms_of(runs)))))
    assert list(rows[0]) == [
        "arm", "label", "pooling", "learning_rate", "seed",
        *(column.metric for column in columns_of([])), "test_reviews",
    ]  # fmt: skip
    assert [(row["arm"], row["seed"]) for row in rows] == [
        ("lstm, hidden_size=64", "0"), ("lstm, hidden_size=64", "1"), ("lstm, hidden_size=8", "0"),
    ]  # fmt: skip
    assert [row["test/loss"] for row in rows] == ["", "0.123457", ""]
    assert [row["memory/peak_bytes"] for row in rows] == ["", "123456789012", ""]
    assert [row["val/best_accuracy"] for row in rows] == ["0.9", "0.8", "0.8"]
    assert {row["parameters"] for row in rows} == {"2583205"}
    assert {row["learning_rate"] for row in rows} == {"0.002"}
    assert {row["pooling"] for row in rows} == {"last"}


def test_a_metric_that_runs_log_of_their_test_has_a_column_by_itself() -> None:
    arms = arms_of([run_result("lstm", 0, test__word_recall=0.25), run_result("lstm", 1, test__word_recall=0.75)])
    assert "test/loss,test/loss_calibrated,test/calibration_error_calibrated,test/word_recall,train" in results_csv(
        arms
    )
    columns, (row,) = table(arms)
    assert columns == (
        "arm", "pooling", "learning rate", "parameters", "validation accuracy", "test accuracy", "F1", "AUROC",
        "word recall", "s / epoch", "tokens / s",
    )  # fmt: skip
    assert dict(zip(columns, row, strict=True))["word recall"] == "0.500 ± 0.354"


def test_the_table_has_a_row_an_arm_in_their_order() -> None:
    arms = arms_of([run_result("rnn"), run_result("lstm", validation=0.9), run_result("bag", validation=0.7)])
    assert [row[0] for row in table(arms)[1]] == ["lstm", "rnn", "bag"]


def bounds(column: str) -> range:
    """The lags that a column's title names."""
    assert re.fullmatch(rf"\d+({DASH}\d+)?", column), column
    ends = [int(end) for end in column.split(DASH)]
    return range(ends[0], ends[-1] + 1)


@pytest.mark.parametrize("farthest", [1, 2, 5, 20, 100, 333])
@pytest.mark.parametrize("bins", [1, 7])
def test_the_columns_of_the_lag_table_share_out_all_lags(farthest: int, bins: int) -> None:
    lags = np.arange(1, farthest + 1, dtype=np.int32)
    labels = np.ones(farthest, dtype=np.int8)
    columns, rows = by_lag(arms_of([run_result("rnn", labels=labels, lags=lags)]), bins)
    named = [lag for column in columns[1:] for lag in bounds(column)]
    assert columns[0] == "arm"
    assert named == list(range(1, farthest + 1))
    assert len(columns) <= bins + 1
    assert [len(row) for row in rows] == [len(columns)]


def test_a_cell_of_the_lag_table_is_the_accuracy_at_those_lags() -> None:
    near, far = LAGS <= 4, LAGS > 10
    runs = [
        run_result("rnn", 0, near),
        run_result("rnn", 1, near | far),
        run_result("lstm", 0, validation=0.9),
    ]
    columns, rows = by_lag(arms_of(runs), bins=7)
    cells = {row[0]: dict(zip(columns, row, strict=True)) for row in rows}
    assert [row[0] for row in rows] == ["lstm", "rnn"]
    for column in columns[1:]:
        lags = bounds(column)
        accuracies = [np.mean([correct[d - 1] for d in lags]) for correct in (near, near | far)]
        mean, deviation = 100 * np.mean(accuracies), 100 * np.std(accuracies, ddof=1)
        assert cells["rnn"][column] == f"{mean:.1f} ± {deviation:.1f} %"
        assert cells["lstm"][column] == "100.0 %"


def test_in_words_a_comparison_is_each_arms_worst_and_best_seed_in_all_and_at_the_longest_lags() -> None:
    runs = [run_result("rnn", 0, LAGS <= 4), run_result("rnn", 1, LAGS != 20), run_result("lstm", 0, validation=0.9)]
    assert in_words(arms_of(runs)) == [
        "Test reviews judged rightly: lstm 100 %, rnn 20 to 95 % by seed.",
        f"With the deciding clause 14{DASH}20 tokens from the end: lstm 100 %, rnn 0 to 86 % by seed.",
    ]
    assert len(in_words(arms_of([run_result("rnn", lags=np.full(20, -1, dtype=np.int32))]))) == 1


def test_a_stretch_of_lags_that_no_review_has_is_no_nan() -> None:
    lags = np.array([1, 2, 100] * 4, dtype=np.int32)
    arms = arms_of([run_result("rnn", labels=np.ones(12, dtype=np.int8), lags=lags)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        columns, rows = by_lag(arms)
    assert not any("nan" in cell for row in rows for cell in row)
    assert {1, 2, 100} <= {lag for column in columns[1:] for lag in bounds(column)}


def test_an_arm_with_other_test_reviews_is_scored_by_its_own_lags() -> None:
    # Both have every review at lag 20 wrong and all others right.
    there, elsewhere = np.repeat([1, 20], 10), np.repeat([20, 1], 10)
    arms = arms_of(
        [
            run_result("a", correct=there == 1, lags=there, validation=0.9),
            run_result("b", correct=elsewhere == 1, lags=elsewhere),
        ]
    )
    columns, rows = by_lag(arms, bins=2)
    assert len(columns) == 3
    assert [row[1:] for row in rows] == [("100.0 %", "0.0 %")] * 2


def test_arms_with_unequally_many_test_reviews_do_not_break_the_by_lag() -> None:
    arms = arms_of([run_result("a", validation=0.9), run_result("b", labels=LABELS[:10], lags=LAGS[:10])])
    columns, rows = by_lag(arms)
    assert [len(row) for row in rows] == [len(columns)] * 2


def test_a_seed_that_read_other_test_reviews_is_scored_by_its_own_lags() -> None:
    read = (np.repeat([1, 20], 10), np.repeat([20, 1], 5))
    arms = arms_of(
        [run_result("rnn", seed, lags == 1, labels=LABELS[: len(lags)], lags=lags) for seed, lags in enumerate(read)]
    )
    _, ((_, *cells),) = by_lag(arms, bins=2)
    assert cells == ["100.0 ± 0.0 %", "0.0 ± 0.0 %"]
    (axes,) = comparison_figure(arms, "mine", ["lag"]).axes
    assert list(axes.lines[0].get_ydata()) == [1, 0]
    assert in_words(arms)[1].endswith("20 tokens from the end: rnn 0 %.")


def test_there_is_no_lag_table_where_lags_are_unknown() -> None:
    unknown = np.full(20, -1, dtype=np.int32)
    assert by_lag(arms_of([run_result("rnn", lags=unknown), run_result("lstm")])) == ((), [])


def test_many_arms_are_each_compared_with_the_best_on_validation_alone() -> None:
    runs = [run_result(name, 0, validation=0.9 - position / 10) for position, name in enumerate("abcdef")]
    found = differences(arms_of(runs))
    assert [row[:2] for row in found] == [("a", other) for other in "bcdef"]


def test_two_files_with_one_name_in_them_are_two_arms() -> None:
    runs = [run_result("gru", 0), run_result("gru", 1)]
    for run, choice in zip(runs, ("gru", "gru_wide"), strict=True):
        run.overrides["encoder"] = choice  # type: ignore[index]
    assert sorted(arm.name for arm in arms_of(runs)) == ["gru", "gru_wide"]


def labelled(encoder: str, label: str, seed: int = 0, **overrides: str) -> RecordedRun:
    """A run whose encoder has a label; overrides have `__` for a point."""
    given = {key.replace("__", "."): value for key, value in overrides.items()}
    run = made_up_run(encoder, seed, {"test/accuracy": 0.8}, run_result("any").predictions, overrides=given)
    run.config.encoder.label = label
    return run


def test_tables_name_an_encoder_by_its_label_and_the_csv_by_its_name_as_well() -> None:
    arms = arms_of([labelled("lstm", "LSTM, forget bias 1"), labelled("bag", "bag of words")])
    assert {row[0] for row in table(arms)[1]} == {"LSTM, forget bias 1", "bag of words"}
    assert {arm.name for arm in arms} == {"lstm", "bag"}
    assert {*differences(arms)[0][:2]} == {"LSTM, forget bias 1", "bag of words"}


def test_what_a_sweep_varied_stands_behind_the_label() -> None:
    runs = [labelled("lstm", "LSTM", data__max_tokens=tokens) for tokens in ("25", "100")]
    assert {arm.label for arm in arms_of(runs)} == {"LSTM, max_tokens=25", "LSTM, max_tokens=100"}


def test_a_label_that_an_override_of_the_encoder_makes_untrue_is_not_shown() -> None:
    runs = [labelled("lstm", "LSTM, forget bias 1", encoder__forget_bias=bias) for bias in ("0", "1")]
    for run, bias in zip(runs, (0.0, 1.0), strict=True):
        run.config.encoder.forget_bias = bias
    assert {arm.label for arm in arms_of(runs)} == {"lstm, forget_bias=0", "lstm, forget_bias=1"}


def test_arms_of_one_label_are_told_apart_by_their_names() -> None:
    arms = arms_of([labelled("mine", "LSTM"), labelled("lstm", "LSTM"), labelled("rnn", "RNN")])
    assert {arm.label for arm in arms} == {"mine", "lstm", "RNN"}


def of_sweep(encoder: str, seed: int, study: str, epochs: int = 5, *keys: str, **overrides: str) -> RecordedRun:
    """A run with a whole configuration as it was recorded, of which an experiment's file may have set `epochs` and
    `keys`."""
    predictions = run_result("any").predictions
    run_id = "-".join((study, encoder, str(seed), *overrides.values()))
    given = {"study": study, **overrides}
    run = made_up_run(encoder, seed, {"test/accuracy": 0.8}, predictions, overrides=given, run_id=run_id)
    settings = run_config("data=generated", f"encoder={encoder}", f"seed={seed}", f"study={study}", *keys)
    settings.trainer.epochs = epochs
    reviews = f"{settings.data.name}, split {settings.data.split_seed}" if settings.data.name == "imdb" else "any"
    run.__dict__.update(config=recorded(settings.settings()), data_digest=reviews)
    return run


def test_sweeps_that_share_an_encoder_give_it_the_seeds_of_both() -> None:
    first = [of_sweep("lstm", seed, "a") for seed in (0, 1)]
    second = [*(of_sweep("lstm", seed, "b") for seed in (2, 3)), of_sweep("rnn", 0, "b")]
    arms, lines = joined({"a": first, "b": second})
    assert {arm.name: [run.seed for run in arm.runs] for arm in arms} == {"lstm": [0, 1, 2, 3], "rnn": [0]}
    assert lines == []


def test_a_seed_that_two_sweeps_have_counts_once_and_a_line_says_so() -> None:
    arms, lines = joined({"a": [of_sweep("lstm", 0, "a")], "b": [of_sweep("lstm", seed, "b") for seed in (0, 1)]})
    assert [(run.seed, run.config.study) for run in arms[0].runs] == [(0, "a"), (1, "b")]
    assert lines == ["left out: 1 of the 2 runs of b, which an earlier sweep has too"]


def test_runs_of_two_codes_are_two_arms() -> None:
    before, after = (of_sweep("lstm", 0, study) for study in ("before", "after"))
    before.tags["sentiment_rnn.code"], after.tags["sentiment_rnn.code"] = "one", "another"
    arms, lines = joined({"before": [before], "after": [after]})
    assert {arm.name for arm in arms} == {"lstm (before)", "lstm (after)"}
    assert lines == []


def test_the_code_counts_for_nothing_where_a_run_of_an_earlier_version_did_not_record_it() -> None:
    before, after = (of_sweep("lstm", 0, study) for study in ("before", "after"))
    after.tags["sentiment_rnn.code"] = "another"
    arms, lines = joined({"before": [before], "after": [after]})
    assert ([arm.name for arm in arms], len(lines)) == (["lstm"], 1)


def test_the_table_says_which_seeds_each_arm_has_where_they_differ() -> None:
    same = [run_result(encoder, seed) for encoder in ("rnn", "lstm") for seed in (0, 1)]
    assert tables_of(arms_of(same))[0].title == "Mean ± standard deviation, seeds: 0, 1"
    more = [*same, run_result("bag", 1, validation=0.7)]
    assert tables_of(arms_of(more))[0].title.endswith(", seeds: 0, 1 (rnn, lstm); 1 (bag)")


def test_sweeps_whose_files_set_other_things_have_arms_of_their_own() -> None:
    arms, _ = joined({"short": [of_sweep("lstm", 0, "short", 2)], "long": [of_sweep("lstm", 0, "long", 9)]})
    assert {arm.name for arm in arms} == {"lstm (short)", "lstm (long)"}


def test_an_override_of_one_sweep_that_another_has_by_default_names_no_arm() -> None:
    first, second = of_sweep("lstm", 0, "a"), of_sweep("lstm", 1, "b", **{"trainer.epochs": "5"})
    assert [arm.name for arm in joined({"a": [first], "b": [second]})[0]] == ["lstm"]


def test_a_choice_of_one_sweep_that_another_has_by_default_names_no_arm() -> None:
    first, second = of_sweep("lstm", 0, "a"), of_sweep("lstm", 1, "b", data="generated")
    assert [arm.name for arm in joined({"a": [first], "b": [second]})[0]] == ["lstm"]


def test_the_same_reviews_are_one_arm_wherever_they_were_read_from() -> None:
    first = of_sweep("lstm", 0, "a", 5, "data=imdb", "data.archive=elsewhere/aclImdb_v1.tar.gz")
    second, other = (
        of_sweep("lstm", 1, "b", 5, "data=imdb"),
        of_sweep("lstm", 2, "c", 5, "data=imdb", "data.split_seed=7"),
    )
    arms, _ = joined({"a": [first], "b": [second], "c": [other]})
    assert {arm.name: [run.seed for run in arm.runs] for arm in arms} == {"lstm (a)": [0, 1], "lstm (c)": [2]}


def test_the_arms_of_a_sweep_over_experiments_stay_apart_beside_another_sweep() -> None:
    runs = [of_sweep("lstm", 0, "a", epochs, experiment=name) for name, epochs in (("short", 2), ("long", 9))]
    arms, _ = joined({"a": runs, "b": [of_sweep("rnn", 0, "b")]})
    assert {arm.name for arm in arms} == {"lstm, experiment=short", "lstm, experiment=long", "rnn"}


def test_runs_whose_split_goes_with_their_seed_stay_one_arm_beside_another_sweep() -> None:
    runs = [
        of_sweep("lstm", seed, "a", 5, "data=imdb", f"data.split_seed={seed}", data__split_seed="${seed}")
        for seed in (0, 1)
    ]
    arms, _ = joined({"a": runs, "b": [of_sweep("rnn", 0, "b", 5, "data=imdb")]})
    assert [[run.seed for run in arm.runs] for arm in arms if arm.name.startswith("lstm")] == [[0, 1]]


def test_what_every_run_was_given_alike_names_no_arm_whatever_became_of_it() -> None:
    runs = [labelled(name, name, optimizer__gradient_clip_norm="1.0") for name in ("rnn", "lstm")]
    for run, norm in zip(runs, (0.3, 4.0), strict=True):
        run.config.optimizer.gradient_clip_norm = norm
    assert {arm.name for arm in arms_of(runs)} == {"rnn", "lstm"}


def test_an_interval_that_holds_every_value_is_not_shown() -> None:
    runs = [run_result("lstm", seed, test__accuracy=value) for seed, value in enumerate((0.5, 1.0))]
    runs += [run_result("rnn", seed, test__accuracy=value) for seed, value in enumerate((0.5, 0.9))]
    (row,) = tables_of(arms_of(runs))[-1].rows
    assert row[-1] == "none: too few seeds"
