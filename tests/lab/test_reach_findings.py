"""A protocol whose draws are the unit is judged, shown and trained on as its rules say."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_studies import make_study

from experiments.lab.findings import findings_of
from experiments.lab.results import results_csv, rows_of
from experiments.lab.study import Study
from experiments.lab.sweeps import overrides_of, trainable

NEAR = {"data.test_lags": [0, 40, 50, 60]}
SWEEPS: list[dict[str, Any]] = [
    {"name": "reach_{arm}", "at": [50], "arms": ["lstm", "rnn", "gru"], "draws": "100-131", "seeds_of_draw": 2,
     "settings": NEAR},
    {"name": "again_{arm}", "at": [50], "arms": ["lstm"], "draws": "200-231", "seeds_of_draw": 2, "again": True},
    {"name": "far_{arm}", "at": [400], "arms": ["lstm", "rnn", "gru"], "draws": "100-131", "seeds_of_draw": 2,
     "where_reached": "reach_{arm}"},
    {"name": "best_{arm}", "at": [50], "arms": ["lstm", "rnn"], "best_of": "reach_{arm}", "seeds": "4000-4001"},
]  # fmt: skip
CLAIMS: list[dict[str, Any]] = [
    {"id": "ahead", "text": "LSTM ahead.", "rule": "reaches_further", "pairs": [["lstm", "rnn"]], "at": [50]},
    {"id": "behind", "text": "RNN ahead.", "rule": "reaches_further", "pairs": [["rnn", "lstm"]], "at": [50]},
    {"id": "missing", "text": "GRU ahead.", "rule": "reaches_further", "pairs": [["gru", "rnn"]], "at": [50]},
    {"id": "wider", "text": "LSTM wider.", "rule": "wider_window", "pairs": [["lstm", "rnn"]], "at": [50]},
    {"id": "same", "text": "One arm.", "rule": "reaches_alike", "pairs": [["lstm", "lstm"]], "at": [50], "margin": 0.1},
    {"id": "alike", "text": "Alike.", "rule": "reaches_alike", "pairs": [["lstm", "rnn"]], "at": [50], "margin": 0.1},
    {"id": "not", "text": "RNN fails.", "rule": "reaches_not", "arms": ["rnn", "lstm"], "at": [50]},
    {"id": "again", "text": "Again.", "rule": "reaches_again", "arms": ["lstm"], "at": [50], "margin": 0.3},
]


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """Three arms; the GRU has not been run whole."""
    return make_study(tmp_path, {"sweeps": SWEEPS, "claims": CLAIMS, "steps": [450, 1800]})


def rows_of_runs(study: Study, sweep: str, good: Iterable[int]) -> list[tuple[object, ...]]:
    """A sweep in which both seeds of these draws succeed and all others fail; draw 131 diverged."""
    found: list[tuple[object, ...]] = []
    planned, good = study.sweep(sweep), set(good)
    for arm, seed, draw in sorted(planned.runs):
        at = sweep, "first", arm, planned.condition, seed, draw
        found += [(*at, "train", "learning_rate", 0.001), (*at, "train", "clip_norm", 1.0)]
        if draw == 131:
            found.append((*at, "validation", "final_accuracy", np.nan))
            continue
        accuracy = 0.99 if draw in good else 0.55
        measured = {"final_accuracy": accuracy, "trained_steps": 1800, "steps": 900, "learned": float(draw in good)}
        found += [(*at, "validation", metric, value) for metric, value in measured.items()]
        tested = {"accuracy": accuracy, "accuracy_at_40": accuracy, "accuracy_at_50": accuracy, "accuracy_at_60": 0.6}
        found += [(*at, "test", metric, value) for metric, value in tested.items()]
    return found


@pytest.fixture
def table(study: Study) -> pd.DataFrame:
    """The LSTM succeeds with 16 draws, and with 16 new ones; the RNN with one. Of the GRU some runs are missing."""
    rows = [
        *rows_of_runs(study, "reach_lstm", range(100, 116)), *rows_of_runs(study, "reach_rnn", [100]),
        *rows_of_runs(study, "again_lstm", range(210, 226)), *rows_of_runs(study, "reach_gru", range(100, 131))[:200],
    ]  # fmt: skip
    return rows_of("made", rows)


def test_each_rule_has_its_verdict(study: Study, table: pd.DataFrame) -> None:
    found = findings_of(study, study.protocols["first"], table).verdicts
    assert {claim: verdict.verdict for claim, verdict in found.items()} == {
        "ahead": "holds", "behind": "does not hold", "wider": "holds", "same": "holds", "alike": "does not hold",
        "not": "holds in part", "again": "holds",
    }  # fmt: skip
    ((at, arm, number, against, other, difference, *_),) = found["ahead"].rows
    assert (at, arm, against) == ("50", study.arms["lstm"].label, study.arms["rnn"].label)
    assert (number, other) == ("95 (80–99)", "12 (0–34)")
    assert difference == "+82.4 (+57.5 to +98.6)"


def test_a_farther_lag_is_for_arms_that_reach_and_fresh_seeds_are_at_the_best_draw(
    study: Study, table: pd.DataFrame
) -> None:
    arms = ["lstm", "rnn", "gru"]
    assert [trainable(study, study.sweep(f"far_{arm}"), []) for arm in arms] == [[], [], []]
    never = rows_of("made", rows_of_runs(study, "reach_rnn", []))
    (study.folder / "results.csv").write_text(results_csv(pd.concat([table[table.sweep != "reach_rnn"], never])))
    assert [trainable(study, study.sweep(f"far_{arm}"), []) for arm in arms] == [["lstm"], [], []]
    assert trainable(study, study.sweep("best_lstm"), []) == ["lstm"]
    assert overrides_of(study, study.sweep("best_lstm"), ["lstm"])[-3:] == [
        "optimizer.draw=100", "data.generator_seed=${optimizer.draw}", "seed=4000,4001",
    ]  # fmt: skip


def test_fresh_seeds_are_shown_and_judge_nothing(study: Study, table: pd.DataFrame) -> None:
    fresh = []
    for seed, accuracy in ((4000, 0.95), (4001, 0.6)):
        at = "best_lstm", "first", "lstm", "50", seed, 100
        fresh += [(*at, "train", "learning_rate", 0.002), (*at, "train", "clip_norm", 0.5)]
        fresh.append((*at, "test", "accuracy", accuracy))
    found = findings_of(study, study.protocols["first"], pd.concat([table, rows_of("made", fresh)]))
    assert found.tables["fresh"].rows == [(study.arms["lstm"].label, "50", "100", "0.002", "0.5", "1/2")]
    assert found.verdicts == findings_of(study, study.protocols["first"], table).verdicts
