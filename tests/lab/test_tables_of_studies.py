"""Tables of a protocol, from made-up results."""

from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from made_studies import Scores, evidence, learners, make_study, search_rows, table_of

from experiments.lab import tables
from experiments.lab.findings import findings_of
from experiments.lab.rules import Numbers, evidence_of
from experiments.lab.run import results_so_far
from experiments.lab.statistics import clopper_pearson
from experiments.lab.study import Study, all_studies
from experiments.lab.table import rows_of
from experiments.lab.tables import span
from sentiment_rnn.report.statistics import Interval

FOUR: Scores = {
    ("lstm", "20"): learners(20), ("lstm", "50"): learners(16), ("rnn", "20"): learners(18), ("rnn", "50"): learners(0)
}  # fmt: skip
THREE_LAGS = [{"name": "learn_{at}", "at": [5, 20, 50], "arms": ["rnn", "lstm"], "seeds": "0-19", "rates": ["s"]}]


def sure(learn: int) -> Interval:
    return clopper_pearson(learn, 20)


def test_the_span_ends_before_the_first_lag_that_less_than_half_of_the_seeds_surely_learn() -> None:
    assert span({5: sure(20), 20: sure(15), 50: sure(14), 100: sure(20)}) == 20
    assert span({20: sure(15), 5: sure(20)}) == 20, "in whatever order"
    assert span({5: sure(14)}) == span({}) == 0


@given(learn=st.lists(st.integers(0, 20), min_size=1, max_size=6))
@settings(deadline=None)
def test_the_span_is_a_lag_that_was_tried_and_grows_with_every_seed(learn: list[int]) -> None:
    found = span({lag: sure(seeds) for lag, seeds in enumerate(learn, 1)})
    assert found == next((lag for lag, seeds in enumerate(learn) if seeds < 15), len(learn))


def test_shares_are_counted_by_arm_and_lag_and_have_the_span_of_three_lags(tmp_path: Path) -> None:
    two = tables.shares(evidence(make_study(tmp_path), FOUR))
    assert two.columns == ("arm", "20", "50")
    assert two.rows[0] == ("RNN, orthogonal", "18/20 (68–99)", "0/20 (0–17)")
    study = make_study(tmp_path, {"sweeps": THREE_LAGS})
    three = tables.shares(evidence(study, dict(FOUR) | {("lstm", "5"): learners(20)}))
    assert three.columns == ("arm", "5", "20", "50", "span")
    assert [(row[0], row[1], row[-1]) for row in three.rows] == [
        ("RNN, orthogonal", "", "20"), ("LSTM, forget bias 1", "20/20 (83–100)", "50"),
    ]  # fmt: skip
    alone = tables.spans(evidence(study, dict(FOUR) | {("lstm", "5"): learners(20)}))
    assert alone.rows == [("RNN, orthogonal", "20"), ("LSTM, forget bias 1", "50")]


def test_steps_count_the_seeds_that_had_learned_by_then(tmp_path: Path) -> None:
    found = evidence(make_study(tmp_path, {"steps": [100, 225]}), FOUR)
    rows = {row[:2]: row[2:] for row in tables.steps(found).rows}
    assert rows["RNN, orthogonal", "20"] == ("0/20 (0–17)", "18/20 (68–99)", "225")
    assert rows["RNN, orthogonal", "50"] == ("0/20 (0–17)", "0/20 (0–17)", "")
    assert tables.steps(found).columns == ("arm", "lag", "100 steps", "225 steps", "median")


def test_a_seed_that_ended_before_has_not_learned_and_counts(tmp_path: Path) -> None:
    found = evidence(make_study(tmp_path), FOUR)
    assert [tables.within_steps(found, "lstm", "50", steps) for steps in (224, 225, 9999)] == [
        (0, 20),
        (16, 20),
        (16, 20),
    ]


def test_means_have_an_interval_and_say_what_was_kept(tmp_path: Path) -> None:
    scores = {("rnn", "20"): [0.6, 0.8] * 10}
    assert tables.means(evidence(make_study(tmp_path), scores)).rows == [("RNN, orthogonal", "70.0 (65.2–74.8)")]
    kept = make_study(tmp_path, score="kept")
    rows = [
        ("learn_20", "first", "rnn", "20", seed, None, "test", metric, value)
        for seed in range(3) for metric, value in (("loss", 0.1), ("baseline", 0.2))
    ]  # fmt: skip
    table = tables.means(evidence_of(kept, kept.protocols["first"], rows_of("made", rows)))
    assert table.title.startswith("Kept [%] of the bits")
    assert table.rows == [("RNN, orthogonal", "50.0 (50.0–50.0)")]


def test_the_spread_over_seeds_has_the_worst_and_the_best(tmp_path: Path) -> None:
    sweep = {"name": "learn", "arms": ["rnn", "lstm"], "seeds": "0-3", "rates": ["s"]}
    study = make_study(tmp_path, {"sweeps": [sweep]}, unit="")
    (row,) = tables.spread_over_seeds(evidence(study, {("rnn", ""): [0.8, 0.9, 0.7, 0.8]})).rows
    assert row == ("RNN, orthogonal", "80.0 (67.0–93.0)", "80.0", "70.0–90.0")


def test_pairs_of_seeds_are_compared_with_their_other_run(tmp_path: Path) -> None:
    claims = [{"id": "a", "text": "A.", "rule": "learns_more", "pairs": [["lstm", "rnn"]], "at": [20]}]
    found = evidence(make_study(tmp_path, {"claims": claims}), {("lstm", "20"): [0.8, 0.9], ("rnn", "20"): [0.7, 0.8]})
    assert tables.paired_means(found).rows == [
        ("RNN, orthogonal", "85.0 (21.5–100.0)", "75.0 (11.5–100.0)", "-10.0 (-10.0 to -10.0)")
    ]


CARRIED: Scores = {
    ("lstm", "5"): learners(20), ("lstm", "20"): learners(10), ("lstm", "50"): [0.99] * 5 + [0.5] * 5 + [0.99] * 10,
    **{("rnn", at): learners(0) for at in ("5", "20", "50")},
}  # fmt: skip


def test_of_the_seeds_that_learn_so_many_carry_a_lag_that_training_never_had(tmp_path: Path) -> None:
    found = evidence(make_study(tmp_path, {"sweeps": THREE_LAGS, "among": [5, 20]}), CARRIED)
    table = tables.carried(found)
    assert table.columns == ("arm", "5 to 20", "50")
    assert table.rows == [
        ("RNN, orthogonal", "0/20 (0–17)", ""),
        ("LSTM, forget bias 1", "10/20 (27–73)", "5/10 (19–81)"),
    ]
    assert tables.shares(found).rows[1][3] == "15/20 (51–91)", "of all seeds"
    bounded = tables.bounded_means(found)
    assert bounded.columns == ("arm", "20", "50")
    assert bounded.rows[1][1].startswith("99.0 % (68")


def test_a_search_alone_is_shown_and_nothing_is_judged(tmp_path: Path) -> None:
    claims = [{"id": "a", "text": "A.", "rule": "most_learn", "arms": ["rnn"], "at": [20]}]
    study = make_study(tmp_path, {"claims": claims, "tables": ["shares"], "figures": ["shares"]})
    rows = list(search_rows("search_20", "rnn", [50, 60]))
    found = findings_of(study, study.protocols["first"], rows_of("made", rows))
    assert [(name, table.title.split(" [")[0]) for name, table in found.tables.items()] == [
        ("search_20", "Mean validation accuracy")
    ]
    assert (found.verdicts, found.figures) == ({}, {})


def test_findings_are_verdicts_tables_and_figures(tmp_path: Path) -> None:
    claims = [{"id": "a", "text": "An RNN learns.", "rule": "most_learn", "arms": ["rnn"], "at": [20]}]
    study = make_study(tmp_path, {"claims": claims, "tables": ["shares"], "figures": ["shares"]})
    found = findings_of(study, study.protocols["first"], table_of(study, FOUR))
    assert list(found.figures) == ["first_shares"]
    assert list(found.tables) == ["shares"]
    assert found.verdicts == {"a": ("holds", (Numbers("20", "RNN, orthogonal", "18/20 (68–99)"),))}


@pytest.mark.parametrize("study", all_studies(), ids=lambda study: study.name)
def test_no_table_of_committed_results_is_empty_or_ragged(study: Study) -> None:
    table = results_so_far(study)
    for protocol in map(study.protocol, table.protocol.unique()):
        found = evidence_of(study, protocol, table)
        for one in (tables.TABLES[name](found) for name in protocol.tables if name != "none"):
            assert one.rows
            assert {len(row) for row in one.rows} == {len(one.columns)}
