"""Arms get the draw that validation chose, and a table says what more draws are worth."""

import datetime
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from made_studies import ARMS, make_study, search_rows

from experiments.lab.results import read_results, results_csv, rows_of
from experiments.lab.search import Draw, best_draw, chosen_draws, draws_of, expected_best
from experiments.lab.study import find_study, read_study
from sentiment_rnn.config.sections import OptimizerConfig
from sentiment_rnn.config.store import run_config

NAN = float("nan")


def draws(*scores: float | Sequence[float], arm: str = "rnn") -> list[Draw]:
    return draws_of(rows_of("made", search_rows("search_20", arm, scores)), "search_20")[arm]


@given(scores=st.lists(st.integers(0, 5).map(float), min_size=1, max_size=5))
@settings(deadline=None)
def test_the_expected_best_is_the_mean_over_all_ways_to_draw(scores: list[float]) -> None:
    for count, found in enumerate(expected_best(scores), 1):
        assert found == pytest.approx(np.mean([max(drawn) for drawn in product(scores, repeat=count)]))


def test_of_equal_scores_the_lower_learning_rate_is_taken_and_then_the_first_draw() -> None:
    tied = [Draw(0, 0.01, 1.0, 70), Draw(1, 0.003, 1.0, 70), Draw(2, 0.003, 0.5, 70), Draw(3, 0.001, 1.0, 69)]
    assert best_draw(tied) == tied[1]
    assert best_draw(reversed(tied)).number == 2


def test_a_draw_that_diverged_counts_as_the_worst_of_its_arm_and_as_0_where_there_is_no_other() -> None:
    assert [draw.score for draw in draws(NAN, 50, 70)] == [50, 50, 70]
    assert [draw.score for draw in draws(NAN, NAN)] == [0, 0]


def test_of_several_seeds_the_mean_counts_and_a_seed_that_diverged_is_0() -> None:
    assert [draw.score for draw in draws([80, 50, 50], [70, 70, 70], [90, 90, NAN])] == [60, 70, 60]
    assert best_draw(draws([80, 50, 50], [70, 70, 70])).number == 1, "not the luckiest seed"


def searched(root: Path, *searches: Any, **of_sweep: Any) -> dict[str, int | None]:
    """The draws that a sweep takes, whose study has these searches: names, arms, scores, and the draws if not all."""
    sweep = {"name": "learn", "at": [20], "arms": ARMS, "seeds": 0} | of_sweep
    study = make_study(root, {"sweeps": [sweep]})
    rows = [row for search in searches for row in search_rows(*search)]
    if rows:
        (study.folder / "results.csv").write_text(results_csv(rows_of("made", rows)))
    return chosen_draws(study, study.sweep("learn"))


def test_each_arm_takes_the_best_draw_of_its_own_and_none_without_a_search(tmp_path: Path) -> None:
    searches = [("search_20", "rnn", [50, 60]), ("search_20", "lstm", [90, 80])]
    assert searched(tmp_path, rates=["search_20"]) == {"rnn": None, "gru": None, "lstm": None}
    assert searched(tmp_path, *searches, rates=["search_{at}"]) == {"rnn": 1, "gru": None, "lstm": 0}


def test_a_study_that_is_run_into_another_folder_takes_committed_draws_where_it_has_none_of_its_own(
    tmp_path: Path,
) -> None:
    searched(tmp_path, ("search_20", "rnn", [50, 60]), ("search_20", "lstm", [90, 80]), rates=["search_20"])
    study = replace(read_study(tmp_path / "experiments" / "made"), output=tmp_path / "elsewhere")
    assert chosen_draws(study, study.sweep("learn")) == {"rnn": 1, "gru": None, "lstm": 0}
    study.output.mkdir()
    (study.output / "results.csv").write_text(results_csv(rows_of("made", search_rows("search_20", "lstm", [1, 2]))))
    assert chosen_draws(study, study.sweep("learn")) == {"rnn": 1, "gru": None, "lstm": 1}


def test_of_several_searches_the_first_is_taken_that_leads_anywhere_else_the_last(tmp_path: Path) -> None:
    far = [("far", "rnn", [50, 52]), ("far", "gru", [51, 54]), ("far", "lstm", [50, 53])]
    near = [("near", "rnn", [90, 50]), ("near", "gru", [90, 50]), ("near", "lstm", [52, 51])]
    rates: Any = {"rates": ["far", "near"], "least": 53}
    assert searched(tmp_path, *far, *near, **rates) == {"rnn": 0, "gru": 1, "lstm": 0}
    assert searched(tmp_path, *far, *near, **rates | {"rates": ["near", "far"]}) == {"rnn": 0, "gru": 0, "lstm": 1}
    assert searched(tmp_path, *far, **rates) == {"rnn": 1, "gru": 1, "lstm": 1}, "the near one was not run"


def test_finals_try_the_best_draws_again_and_the_best_of_all_finals_is_taken(tmp_path: Path) -> None:
    first = ("search_20", "rnn", [50, 70, 60, 40])
    finals = [("final_1", "rnn", [[55, 65]], [1]), ("final_2", "rnn", [[80, 90]], [2])]
    assert searched(tmp_path, first, rates=["search_20"], rank=1)["rnn"] == 1
    assert searched(tmp_path, first, rates=["search_20"], rank=2)["rnn"] == 2
    assert searched(tmp_path, first, rates=["search_20"], rank=5)["rnn"] is None, "there are four draws"
    assert searched(tmp_path, first, *finals, rates=["final_1", "final_2"])["rnn"] == 2
    assert searched(tmp_path, first, *finals, rates=["final_2", "final_1"])["rnn"] == 2


def test_an_arm_takes_the_search_of_its_encoder_also_of_another_study(tmp_path: Path) -> None:
    changed = {"encoder": "rnn", "label": "RNN, again", "settings": {"precision": "bfloat16"}}
    sweep = {"name": "learn", "at": [50], "arms": ["again"], "seeds": 0, "rates": ["gradient/own_rate_search_{at}"]}
    protocol = {"date": datetime.date(2026, 1, 2), "sweeps": [sweep]}
    study = make_study(tmp_path, arms={"again": changed}, protocols={"first": protocol})
    of_gradient = draws_of(read_results(find_study("gradient").folder), "own_rate_search_50")
    assert chosen_draws(study, study.sweep("learn")) == {"again": best_draw(of_gradient["rnn"]).number}


@pytest.mark.parametrize("name", ["imdb", "capacity"])
def test_committed_runs_were_trained_at_the_rate_and_clipping_that_their_search_chose(name: str) -> None:
    study, checked = find_study(name), 0
    table = read_results(study.folder)
    trained = table[table.draw.isna() & table.metric.isin(["learning_rate", "clip_norm"])]
    for sweep in (sweep for protocol in study.protocols.values() for sweep in protocol.sweeps if not sweep.searches):
        of_sweep = trained[trained.sweep == sweep.name]
        for arm, draw in chosen_draws(study, sweep).items() if len(of_sweep) else ():
            of_arm = of_sweep[of_sweep.arm == arm]
            assert draw is not None
            assert set(of_arm.seed) == set(sweep.seeds)
            for metric, expected in zip(("learning_rate", "clip_norm"), rate_of(draw), strict=True):
                assert set(of_arm.value[of_arm.metric == metric]) == {expected}, f"{sweep.name}, {arm}"
            checked += len(of_arm)
    assert checked == len(trained) > 0


@cache
def optimizer() -> OptimizerConfig:
    """The optimizer's configuration of a run."""
    found: OptimizerConfig = run_config("optimizer.draw=0").optimizer
    return found


def rate_of(draw: int) -> tuple[float, float]:
    """Learning rate and clipping of a draw, as the tool trains with it."""
    found = replace(optimizer(), draw=draw, learning_rate=None).settled("rnn")
    return float(found.learning_rate or 0), found.gradient_clip_norm
