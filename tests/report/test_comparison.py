"""`compare` promises a person: runs that differ in their seed alone are one row, no row pools what differs in anything
else, and every number is that of the runs."""

import csv
import io

import numpy as np
import pytest
from made_up_runs import made_up_run

from sentiment_rnn.config.loading import recorded
from sentiment_rnn.config.store import run_config
from sentiment_rnn.inference.predictions import Predictions
from sentiment_rnn.report.comparison import (
    Arm,
    arms_of,
    arms_of_sweeps,
    differences,
    in_words,
    lag_table,
    results_csv,
    settings_tables,
    short_names,
    table,
    tables_of,
)
from sentiment_rnn.report.statistics import accuracy_difference
from sentiment_rnn.tracking.names import CODE_TAG, IDENTITY_TAG
from sentiment_rnn.tracking.results import RecordedRun

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
    scores = known | {name.replace("__", "/"): value for name, value in metrics.items()}
    predictions = Predictions(
        probabilities=np.where(correct == (labels == 1), 0.9, 0.1).astype(np.float32),
        labels=labels,
        lengths=np.full(len(labels), 50),
        lags=lags,
    )
    return made_up_run(arm, seed, scores, predictions, validation=(0.6, validation))


def wrong_at(*positions: int) -> np.ndarray:
    """Everything right but these reviews."""
    correct = np.ones(20, dtype=bool)
    correct[list(positions)] = False
    return correct


def labelled(encoder: str, label: str = "", seed: int = 0, **overrides: str) -> RecordedRun:
    """A run whose encoder has a label; overrides have `__` for a point."""
    keys = {key.replace("__", "."): value for key, value in overrides.items()}
    run = made_up_run(encoder, seed, {"test/accuracy": 0.8}, run_result("any").predictions, overrides=keys)
    run.config.encoder.label = label
    return run


def names_of(*runs: RecordedRun) -> dict[str, list[int]]:
    """Seeds by arm."""
    return {arm.name: [run.seed for run in arm.runs] for arm in arms_of(runs)}


def test_runs_that_differ_in_their_seed_alone_are_one_arm_in_the_order_of_seeds() -> None:
    runs = [run_result(encoder, seed) for encoder, seed in (("rnn", 2), ("lstm", 1), ("rnn", 0), ("lstm", 0))]
    assert names_of(*runs) == {"rnn": [0, 2], "lstm": [0, 1]}


def test_an_arm_is_named_by_its_encoder_and_by_what_the_sweep_varied_beside_it() -> None:
    alike = {"trainer__epochs": "3", "experiment": "demo"}
    runs = [labelled("lstm", seed=seed, data__max_tokens=n, **alike) for n in ("25", "100") for seed in (0, 1)]
    assert names_of(*runs, labelled("rnn", **alike)) == {
        "lstm, max_tokens=25": [0, 1], "lstm, max_tokens=100": [0, 1], "rnn": [0],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("keys", "shown"),
    [
        (["trainer.epochs", "encoder.layers"], ["epochs", "layers"]),
        (["encoder.dropout", "embedding.dropout"], ["encoder.dropout", "embedding.dropout"]),
        (["optimizer.options.eps", "optimizer.embedding_options.eps"], ["options.eps", "embedding_options.eps"]),
    ],
)
def test_a_key_is_shown_by_the_shortest_ending_that_no_other_has(keys: list[str], shown: list[str]) -> None:
    assert list(short_names(keys).values()) == shown


def test_an_override_that_an_encoder_has_no_use_for_is_not_in_the_name_of_its_row() -> None:
    runs = [labelled(encoder, encoder__layers=n) for encoder, n in (("lstm", "1"), ("lstm", "2"), ("bag", "1"))]
    for run, layers in zip(runs, (1, 2, None), strict=True):
        run.config.encoder.layers = layers
    assert set(names_of(*runs)) == {"lstm, layers=1", "lstm, layers=2", "bag"}


def test_what_every_run_was_given_alike_names_no_arm_whatever_became_of_it() -> None:
    runs = [labelled(name, optimizer__gradient_clip_norm="1.0") for name in ("rnn", "lstm")]
    for run, norm in zip(runs, (0.3, 4.0), strict=True):
        run.config.optimizer.gradient_clip_norm = norm
    assert set(names_of(*runs)) == {"rnn", "lstm"}


def test_two_files_with_one_name_in_them_are_two_arms() -> None:
    runs = [run_result("gru", 0), run_result("gru", 1)]
    for run, choice in zip(runs, ("gru", "gru_wide"), strict=True):
        run.overrides["encoder"] = choice  # type: ignore[index]
    assert sorted(arm.name for arm in arms_of(runs)) == ["gru", "gru_wide"]


def test_tables_name_an_arm_by_its_label_unless_another_has_it() -> None:
    runs = [labelled("lstm", "LSTM", data__max_tokens=n) for n in ("25", "100")]
    arms = arms_of([*runs, labelled("bag", "bag of words"), labelled("mine", "X"), labelled("yours", "X")])
    labels = {"LSTM, max_tokens=25", "LSTM, max_tokens=100", "bag of words", "mine", "yours"}
    assert {row[0] for row in table(arms)[1]} == labels
    assert {arm.name for arm in arms} == {"lstm, max_tokens=25", "lstm, max_tokens=100", "bag", "mine", "yours"}


def test_the_arm_that_is_best_on_validation_comes_first_whatever_it_does_on_test() -> None:
    unknown = run_result("gru")
    del unknown.metrics["val/best_accuracy"]
    lstm = [run_result("lstm", seed, wrong_at(1, 2), validation=score) for seed, score in enumerate((0.95, 0.75))]
    runs = [unknown, run_result("rnn", validation=0.7), *lstm, run_result("bag", validation=0.8)]
    for order in (runs, runs[::-1]):
        assert list(names_of(*order)) == ["lstm", "bag", "rnn", "gru"]


def test_a_difference_is_first_minus_second_of_the_means_over_seeds() -> None:
    better = [run_result("lstm", seed, wrong_at(*range(seed)), validation=0.9) for seed in range(3)]
    worse = [run_result("rnn", seed, wrong_at(*range(8 + seed))) for seed in range(3)]
    (difference,) = differences(arms_of([*worse, *better]))
    _, low, high = accuracy_difference([1.0, 0.95, 0.9], [0.6, 0.55, 0.5])
    assert difference == ("lstm", "rnn", "+40.00", f"{100 * low:+.2f} to {100 * high:+.2f}")


def test_every_pair_of_up_to_four_arms_is_compared_once_and_more_with_the_best_alone() -> None:
    runs = [run_result(name, validation=0.9 - position / 10) for position, name in enumerate("abcdef")]
    assert [row[:2] for row in differences(arms_of(runs[:3]))] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert [row[:2] for row in differences(arms_of(runs))] == [("a", other) for other in "bcdef"]


@pytest.mark.parametrize("scores", [[(0.5, 1.0), (0.5, 0.9)], [(0.5,), (0.9,)]], ids=["any value", "one seed"])
def test_a_difference_without_a_bound_has_no_interval(scores: list[tuple[float, ...]]) -> None:
    runs = [
        run_result(encoder, seed, test__accuracy=score)
        for encoder, accuracies in zip(("lstm", "rnn"), scores, strict=True)
        for seed, score in enumerate(accuracies)
    ]
    (row,) = differences(arms_of(runs))
    assert row[-1] == "none: too few seeds"


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


def test_a_metric_that_a_run_lacks_is_a_blank_in_the_table() -> None:
    # One seed lacks it: a mean over the other alone would pass for one over both.
    runs = [run_result("lstm", seed) for seed in (0, 1)]
    del runs[1].metrics["test/f1"]
    columns, (row,) = table(arms_of(runs))
    assert [title for title, cell in zip(columns, row, strict=True) if not cell] == ["F1"]


def test_the_csv_has_a_row_a_run_with_every_metric_and_a_blank_for_one_that_it_lacks() -> None:
    runs = [
        run_result("lstm, hidden_size=64", 1, test__loss=0.123456789, memory__peak_bytes=123456789012.0),
        run_result("lstm, hidden_size=64", 0, validation=0.9),
        run_result("lstm, hidden_size=8", 0),
    ]
    rows = csv.DictReader(io.StringIO(results_csv(arms_of(runs))))
    shown = "arm", "seed", "test/loss", "memory/peak_bytes", "val/best_accuracy", "parameters", "learning_rate"
    assert [tuple(row[name] for name in shown) for row in rows] == [
        ("lstm, hidden_size=64", "0", "", "", "0.9", "2583205", "0.002"),
        ("lstm, hidden_size=64", "1", "0.123457", "123456789012", "0.8", "2583205", "0.002"),
        ("lstm, hidden_size=8", "0", "", "", "0.8", "2583205", "0.002"),
    ]


def test_a_metric_that_runs_log_of_their_test_has_a_column_by_itself() -> None:
    arms = arms_of([run_result("lstm", 0, test__word_recall=0.25), run_result("lstm", 1, test__word_recall=0.75)])
    assert ",test/word_recall,train" in results_csv(arms)
    columns, (row,) = table(arms)
    assert dict(zip(columns, row, strict=True))["word recall"] == "0.500 ± 0.354"


def test_the_table_says_which_seeds_each_arm_has_where_they_differ() -> None:
    same = [run_result(encoder, seed) for encoder in ("rnn", "lstm") for seed in (0, 1)]
    assert tables_of(arms_of(same))[0].title == "Mean ± standard deviation, seeds: 0, 1"
    more = [*same, run_result("bag", 1, validation=0.7)]
    assert tables_of(arms_of(more))[0].title.endswith(", seeds: 0, 1 (rnn, lstm); 1 (bag)")


@pytest.mark.parametrize("farthest", [1, 2, 20, 333])
def test_the_columns_of_the_lag_table_share_out_all_lags(farthest: int) -> None:
    lags, labels = np.arange(1, farthest + 1, dtype=np.int32), np.ones(farthest, dtype=np.int8)
    shown = lag_table(arms_of([run_result("rnn", labels=labels, lags=lags)]))
    assert shown
    ends = [[int(end) for end in column.split(DASH)] for column in shown.columns[1:]]
    assert [lag for low, *high in ends for lag in range(low, (high or [low])[0] + 1)] == list(range(1, farthest + 1))
    assert [len(row) for row in shown.rows] == [len(shown.columns)]


def test_a_cell_of_the_lag_table_is_the_accuracy_at_those_lags() -> None:
    near, far = LAGS <= 4, LAGS > 10
    runs = [run_result("rnn", 0, near), run_result("rnn", 1, near | far), run_result("lstm", validation=0.9)]
    shown = lag_table(arms_of(runs), bins=2)
    assert shown
    assert shown.columns == ("arm", f"1{DASH}4", f"5{DASH}20")
    assert shown.rows == [("lstm", "100.0 %", "100.0 %"), ("rnn", "100.0 ± 0.0 %", "31.2 ± 44.2 %")]


def test_in_words_a_comparison_is_each_arms_worst_and_best_seed_in_all_and_at_the_longest_lags() -> None:
    runs = [run_result("rnn", 0, LAGS <= 4), run_result("rnn", 1, LAGS != 20), run_result("lstm", 0, validation=0.9)]
    assert in_words(arms_of(runs)) == [
        "Test reviews judged rightly: lstm 100 %, rnn 20 to 95 % by seed.",
        f"With the deciding clause 14{DASH}20 tokens from the end: lstm 100 %, rnn 0 to 86 % by seed.",
    ]
    without_lags = arms_of([run_result("rnn", lags=np.full(20, -1, dtype=np.int32))])
    assert (lag_table(without_lags), len(in_words(without_lags))) == (None, 1)


def test_a_seed_that_read_other_test_reviews_is_scored_by_its_own_lags() -> None:
    lags_read = (np.repeat([1, 20], 10), np.repeat([20, 1], 5))
    arms = arms_of(
        [run_result("rnn", n, lags == 1, labels=LABELS[: len(lags)], lags=lags) for n, lags in enumerate(lags_read)]
    )
    shown = lag_table(arms, bins=2)
    assert shown
    assert shown.rows == [("rnn", "100.0 ± 0.0 %", "0.0 ± 0.0 %")]


def of_sweep(
    study: str, *keys: str, encoder: str = "lstm", seed: int = 0, code: str = "a", **varied: str
) -> RecordedRun:
    """A run of a sweep with its whole configuration, of which an experiment's file may have set `keys`."""
    overrides = {"study": study, **{key.replace("__", "."): value for key, value in varied.items()}}
    predictions = run_result("any").predictions
    run_id = "-".join((study, encoder, str(seed), *varied.values()))
    run = made_up_run(encoder, seed, {"test/accuracy": 0.8}, predictions, overrides=overrides, run_id=run_id)
    config = run_config("data=generated", f"encoder={encoder}", f"seed={seed}", f"study={study}", *keys)
    vars(run).update(config=recorded(config.settings()))
    run.tags.update({CODE_TAG: code, IDENTITY_TAG: run.config.identity("reviews", code)})
    return run


def joined_names(**sweeps: list[RecordedRun]) -> dict[str, list[int]]:
    """Seeds by arm of several sweeps, of which none repeats another."""
    arms, lines = arms_of_sweeps(sweeps)
    assert lines == []
    return {arm.name: [run.seed for run in arm.runs] for arm in arms}


def test_sweeps_that_share_an_encoder_give_it_the_seeds_of_both() -> None:
    first = [of_sweep("a", seed=seed) for seed in (0, 1)]
    second = [of_sweep("b", seed=2, trainer__epochs="null"), of_sweep("b", encoder="rnn")]
    assert joined_names(a=first, b=second) == {"lstm": [0, 1, 2], "rnn": [0]}


def test_a_seed_that_two_sweeps_have_counts_once_and_a_line_says_so() -> None:
    arms, lines = arms_of_sweeps({"a": [of_sweep("a")], "b": [of_sweep("b", seed=seed) for seed in (0, 1)]})
    assert [(run.seed, run.config.study) for run in arms[0].runs] == [(0, "a"), (1, "b")]
    assert lines == ["left out: 1 of the 2 runs of b, which an earlier sweep has too"]


def test_runs_of_other_settings_or_other_code_are_arms_of_their_own() -> None:
    assert set(joined_names(short=[of_sweep("short")], long=[of_sweep("long", "trainer.epochs=9")])) == {
        "lstm (short)", "lstm (long)",
    }  # fmt: skip
    assert set(joined_names(a=[of_sweep("a")], b=[of_sweep("b", code="b")])) == {"lstm (a)", "lstm (b)"}
    old = of_sweep("old")
    del old.tags[IDENTITY_TAG]  # as an earlier version recorded it
    assert set(joined_names(old=[old], new=[of_sweep("new")])) == {"lstm (old)", "lstm (new)"}


def test_the_arms_of_a_sweep_stay_what_they_are_beside_another_sweep() -> None:
    epochs = {"short": "trainer.epochs=2", "long": "trainer.epochs=9"}
    of_experiments = [of_sweep("a", key, experiment=name) for name, key in epochs.items()]
    assert set(joined_names(a=of_experiments, b=[of_sweep("b", encoder="rnn")])) == {
        "lstm, experiment=short", "lstm, experiment=long", "rnn",
    }  # fmt: skip


def arm(name: str, *overrides: str, code: str = "a") -> Arm:
    """An arm of one run with these overrides."""
    return Arm(name, [of_sweep(name, *overrides, code=code)], name)


def differing(*arms: Arm) -> dict[str, tuple[str, ...]]:
    """The rows of the table of settings that differ, by key."""
    return {key: tuple(values) for key, *values in settings_tables(arms)[0].rows}


def test_settings_that_differ_have_a_row_with_the_values_of_each_arm_and_the_others_are_apart() -> None:
    slow, fast = arm("slow", "optimizer.learning_rate=0.001"), arm("fast", "optimizer.learning_rate=0.01")
    shown, same = settings_tables([slow, fast])
    assert shown.columns == ("key", "slow", "fast")
    assert {"encoder.hidden_size", "data.name"} <= {row[0] for row in same.rows}
    assert differing(slow, fast) == {"optimizer.learning_rate": ("0.001", "0.01")}
    mixed = Arm("mixed", [*slow.runs, *fast.runs], "mixed")
    assert differing(mixed, fast) == {"optimizer.learning_rate": ("0.001, 0.01", "0.01")}
    of_lstm_alone = differing(arm("lstm"), arm("bag", "encoder=bag"))
    assert of_lstm_alone["encoder.hidden_size"][1] == "–"
    assert of_lstm_alone["encoder._target_"] == ("Lstm", "Bag")


def test_other_code_of_the_same_classes_has_a_row_and_that_of_other_classes_has_none() -> None:
    assert differing(arm("a"), arm("b", code="b")) == {"code": ("a", "b")}
    assert "code" not in differing(arm("a"), arm("b", "encoder=gru", code="b"))
