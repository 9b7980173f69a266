"""A reader of a table has counts and findings that the results bear out."""

from dataclasses import replace
from pathlib import Path

import pytest
from made_studies import Scores, evidence, learners, make_study, search_rows, table_of

from experiments.lab import tables
from experiments.lab.findings import findings_of, own_module
from experiments.lab.results import rows_of
from experiments.lab.rules import Numbers, evidence_of
from experiments.lab.study import Study, all_studies

FOUR: Scores = {
    ("lstm", "20"): learners(20), ("lstm", "50"): learners(16), ("rnn", "20"): learners(18), ("rnn", "50"): learners(0)
}  # fmt: skip


def test_shares_are_counted_by_arm_and_lag(tmp_path: Path) -> None:
    two = tables.shares(evidence(make_study(tmp_path), FOUR))
    assert two.columns == ("arm", "20", "50")
    assert two.rows[0] == ("RNN, orthogonal", "18/20 (68–99)", "0/20 (0–17)")


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
def test_a_protocol_that_has_measured_nothing_of_its_own_says_nothing_of_it(study: Study, tmp_path: Path) -> None:
    begun, nothing = replace(study, output=tmp_path), rows_of(study.name, [])
    for protocol in (of for of in study.protocols.values() if of.own and of.name != "linear"):
        found = own_module(begun, protocol).findings(evidence_of(begun, protocol, nothing), nothing)
        assert found.figures == {}, protocol.name
        assert [table for table in found.tables.values() if table.rows] == [], protocol.name
