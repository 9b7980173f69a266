"""The study of cured RNNs measures gradient and memory of each run, and judges memory by its seeds."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from trained_runs import trained_run

from experiments.best import cure
from experiments.imdb.filler import NOTHING
from experiments.lab.findings import Findings, findings_of
from experiments.lab.results import rows_of
from experiments.lab.rules import FAILS, HOLDS
from experiments.lab.study import find_study

STUDY = find_study("best")
PROTOCOL = STUDY.protocol("cure")
SEEDS = range(40, 50)
BEHIND = "400 neutral behind"


def rows(arm: str, accuracy: float, area_behind: float, seeds: range = SEEDS) -> Iterator[tuple[object, ...]]:
    """Results of an arm, whose state has an area of 0.9 without filler; 1 and 10 % of its gradient are left."""
    sweep = "cure" if arm == "rnn_pretrained" else "cure_plain"
    for seed in seeds:
        measures = {
            ("", "accuracy"): accuracy, ("", cure.BEFORE): 0.01, ("", cure.AFTER): 0.1,
            (NOTHING, cure.STATE): 0.9, (BEHIND, cure.STATE): area_behind,
        }  # fmt: skip
        for (condition, metric), value in measures.items():
            yield sweep, "cure", arm, condition, seed, None, "test", metric, value
        yield sweep, "cure", arm, "", seed, None, "validation", "best_accuracy", accuracy


def found_in(*of_arms: Iterator[tuple[object, ...]]) -> Findings:
    table: pd.DataFrame = rows_of("best", [row for of in of_arms for row in of])
    return findings_of(STUDY, PROTOCOL, table)


@pytest.mark.parametrize(
    ("pretrained", "drawn", "verdict"), [(0.85, 0.6, HOLDS), (0.6, 0.85, FAILS), (0.7, 0.7, FAILS)]
)
def test_memory_is_judged_by_the_seeds_that_keep_more_over_neutral_tokens(
    pretrained: float, drawn: float, verdict: str
) -> None:
    found = found_in(rows("rnn", 0.7, drawn), rows("rnn_pretrained", 0.8, pretrained))
    assert {claim: one.verdict for claim, one in found.verdicts.items()} == {"cured": HOLDS, "remembers": verdict}


def test_a_run_is_measured_a_hundred_steps_back_and_with_filler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = trained_run(tmp_path, "rnn", 40, 120)
    asked: list[Any] = []

    def runs(_: object, sweep: str, __: object) -> list[Any]:
        asked.append(sweep)
        return [run]

    monkeypatch.setattr(cure, "trained_runs", runs)
    measured = cure.measure(STUDY, PROTOCOL, SimpleNamespace())  # type: ignore[arg-type]
    assert asked == ["cure_plain", "cure"]
    table = rows_of("best", measured.rows)
    assert set(table.arm) == {"rnn", "rnn_pretrained"}
    assert set(zip(table.condition, table.metric, strict=True)) == {
        ("", cure.BEFORE), ("", cure.AFTER), (NOTHING, cure.STATE), (BEHIND, cure.STATE),
    }  # fmt: skip
    steps, before, _ = run.gradients
    assert table.value[table.metric == cure.BEFORE].iloc[0] == pytest.approx(before[steps == 100][0] / before[0])
