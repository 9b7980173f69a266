"""The table of settings promises: whatever differs between two arms has a row, and nothing else has."""

from types import SimpleNamespace
from typing import Any, cast

from sentiment_rnn.config.store import run_config
from sentiment_rnn.report.comparison import Arm, settings_tables
from sentiment_rnn.tracking.names import CODE_TAG


def arm(name: str, *overrides: str, code: str = "a" * 16, seeds: tuple[int, ...] = (0,)) -> Arm:
    """An arm of runs with these overrides."""
    runs = [
        SimpleNamespace(run_id=object(), config=run_config(*overrides, f"seed={seed}"), tags={CODE_TAG: code})
        for seed in seeds
    ]
    return Arm(name, cast(Any, runs), name)


def test_keys_that_differ_have_a_row_and_the_others_are_counted() -> None:
    differing, same = settings_tables([
        arm("slow", "optimizer.learning_rate=0.001", seeds=(0, 1)), arm("fast", "optimizer.learning_rate=0.01"),
    ])  # fmt: skip
    assert differing.columns == ("key", "slow", "fast")
    assert differing.rows == [("optimizer.learning_rate", "0.001", "0.01")]
    keys = [row[0] for row in same.rows]
    assert {"encoder.hidden_size", "data.name"} <= {*keys}
    assert not {"seed", "study", "tracking.directory"} & {*keys}


def test_a_key_that_one_arm_lacks_is_a_dash() -> None:
    differing, _ = settings_tables([arm("lstm", "encoder=lstm"), arm("bag", "encoder=bag")])
    rows = {row[0]: row[1:] for row in differing.rows}
    assert rows["encoder.hidden_size"][1] == "–"
    assert rows["encoder._target_"] == ("Lstm", "Bag")


def test_other_code_of_the_same_classes_has_a_row_and_that_of_other_classes_has_none() -> None:
    assert settings_tables([arm("a"), arm("b", code="b" * 16)])[0].rows == [("code", "a" * 8, "b" * 8)]
    rows = settings_tables([arm("a"), arm("b", "encoder=gru", code="b" * 16)])[0].rows
    assert "code" not in {row[0] for row in rows}


def test_an_arm_whose_runs_differ_shows_all_its_values() -> None:
    mixed = Arm("a", [*arm("a").runs, *arm("a", "trainer.epochs=9").runs], "a")
    differing, _ = settings_tables([mixed, arm("b", "trainer.epochs=9")])
    assert ("trainer.epochs", "null, 9", "9") in differing.rows
