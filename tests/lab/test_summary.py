"""A reader of claims sees each part with its numbers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from made_studies import Scores, learners, make_study, table_of

from experiments.lab.findings import findings_of
from experiments.lab.study import Study
from experiments.lab.summary import (
    CHOSEN,
    Judged,
    chosen_tables,
    judged_claims,
    protocol_table,
)
from sentiment_rnn.errors import UserError
from sentiment_rnn.report.tables import Table

NEAR = {"id": "near", "text": "An RNN succeeds.", "rule": "most_learn", "arms": ["rnn"], "at": [20, 50]}
MORE = {
    "id": "more",
    "text": "An LSTM succeeds more often.",
    "rule": "learns_more",
    "pairs": [["lstm", "rnn"]],
    "at": [20],
}
SCORES: Scores = {("rnn", "20"): learners(20), ("rnn", "50"): learners(15), ("lstm", "20"): learners(20)}


def judge(root: Path, claims: Sequence[dict[str, Any]], scores: Scores = SCORES) -> tuple[Study, list[Judged]]:
    """A study, and its claims with their verdicts, by one protocol."""
    study = make_study(root, {"claims": list(claims)})
    found = findings_of(study, study.protocols["first"], table_of(study, scores))
    return study, judged_claims([(study, {"first": found})])


def table(study: Study, claims: list[Judged]) -> Table:
    return protocol_table(study, study.protocols["first"], claims)


def test_a_claim_has_a_row_for_each_part_and_columns_that_nothing_needs_are_left_out(tmp_path: Path) -> None:
    assert table(*judge(tmp_path, [NEAR]))[1:] == (
        ["claim", "verdict", "lag", "arm", "seeds that succeed"],
        [
            ["An RNN succeeds.", "holds", "20", "RNN, orthogonal", "20/20 (83–100)"],
            ["", "", "50", "RNN, orthogonal", "15/20 (51–91)"],
        ],
    )


def choose(folder: Path, *claims: str) -> None:
    (folder / CHOSEN).write_text(yaml.safe_dump({"far": {"question": "How far?", "claims": [*claims]}}))


def test_chosen_claims_have_a_link_and_one_that_was_not_judged_is_refused(tmp_path: Path) -> None:
    _, claims = judge(tmp_path, [NEAR, MORE])
    choose(tmp_path, "made/first.more", "made/first.near")
    (shown,) = chosen_tables(tmp_path, claims, study=lambda one: one.name).values()
    assert shown.title == "How far? Claims and verdicts, with 95 % intervals"
    assert shown.columns[-3:] == ["against", "seeds that succeed", "study"]
    assert [row[-1] for row in shown.rows] == ["made/first.more", "made/first.near", ""]
    choose(tmp_path, "made/first.further")
    with pytest.raises(UserError, match=r"far names claim made/first.further; expected one of made/first.near, made/"):
        chosen_tables(tmp_path, claims, study=lambda one: one.name)
