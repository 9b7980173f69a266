"""What is generated in the documents is what the committed results say, and what later claims say of earlier ones."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from made_studies import RULES, learners, make_study, table_of

from experiments.lab import write as write_module
from experiments.lab.findings import Found
from experiments.lab.run import freeze
from experiments.lab.study import EXPERIMENTS, Study, all_studies
from experiments.lab.table import RESULTS, results_csv
from experiments.lab.write import (
    NOT_RUN,
    all_findings,
    checked_results,
    findings_by_protocol,
    generated_blocks,
    judged_claims,
    reference_of,
    verdict_table,
    write,
    write_figures,
)
from sentiment_rnn.errors import UserError
from sentiment_rnn.report.tables import Table, find_block

REPOSITORY = EXPERIMENTS.parent
ELSEWHERE = "benchmarks"
"""The folder whose blocks are written by the scripts in it."""


def test_blocks_are_up_to_date(committed: list[Found]) -> None:
    stale = []
    for block in generated_blocks(REPOSITORY, committed):
        before, after = find_block(block.document, block.name)
        if block.document.read_text() != f"{before}\n{block.text}{after}":
            stale.append(f"{block.document.relative_to(REPOSITORY)}, {block.name}")
    assert stale == [], "run make readme"


def test_every_block_of_a_document_is_generated(committed: list[Found]) -> None:
    documents = [*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/*.md"), *REPOSITORY.glob("experiments/**/*.md")]
    there = {
        (path, name)
        for path in documents if ELSEWHERE not in path.relative_to(REPOSITORY).parts
        for name in re.findall(r"^<!-- (\w+):start -->$", path.read_text(), re.MULTILINE)
    }  # fmt: skip
    assert {(block.document, block.name) for block in generated_blocks(REPOSITORY, committed)} == there


def test_committed_results_fit_their_protocols_and_the_reviews_read_rightly() -> None:
    for study in all_studies():
        assert len(checked_results(study))


def test_figures_that_documents_show_are_drawn() -> None:
    for path in REPOSITORY.glob("experiments/*/*.md"):
        for file in re.findall(r"\]\((figures/\S+\.png)\)", path.read_text()):
            assert (path.parent / file).is_file(), f"{path}: {file}"


LEARN = {"name": "learn_{at}", "at": [20, 50], "arms": ["rnn"], "seeds": "0-19"}
FIRST = {
    "claims": [
        {"id": "near", "text": "An RNN learns 20 tokens.", "rule": "most_learn", "arms": ["rnn"], "at": [20]},
        {"id": "far", "text": "An RNN learns 50 tokens.", "rule": "most_learn", "arms": ["rnn"], "at": [50]},
    ],
    "tables": ["shares"],
    "figures": ["shares"],
}  # fmt: skip


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """A study that has run, beside the documents that it needs."""
    monkeypatch.setattr(write_module, "answer_table", lambda *_: Table("The answer", ["claim"], [["An RNN learns."]]))
    found = make_study(tmp_path, FIRST)
    freeze(found, found.protocols["first"])
    sums = table_of(found, {("rnn", "20"): learners(20), ("rnn", "50"): learners(0)})
    (found.folder / RESULTS).write_text(results_csv(sums[sums.metric == "accuracy"]))
    (tmp_path / "docs").mkdir()
    for name, path in (
        ("first", found.folder / "first.md"), ("made", found.folder / "README.md"),
        ("answer", tmp_path / "README.md"), ("verdicts", tmp_path / "docs" / "findings.md"),
    ):  # fmt: skip
        path.write_text(f"# A title\n\n<!-- {name}:start -->\nold\n<!-- {name}:end -->\n\nBelow.\n")
    return found


def test_the_command_writes_figures_and_every_block_and_nothing_else_of_a_document(
    study: Study, tmp_path: Path
) -> None:
    write(tmp_path, [])
    assert [path.name for path in (study.folder / "figures").iterdir()] == ["first_shares.png"]
    page = (study.folder / "first.md").read_text()
    assert page.startswith("# A title\n\n<!-- first:start -->\nClaims\n")
    assert page.endswith("<!-- first:end -->\n\nBelow.\n")
    assert "| An RNN learns 20 tokens. | **holds** |" in page
    assert "Seeds with a score above 90 %" in page
    assert "| **does not hold** |" in (study.folder / "README.md").read_text()
    assert "[first](first.md) |" in (study.folder / "README.md").read_text()
    assert "[made](../experiments/made/first.md) |" in (tmp_path / "docs" / "findings.md").read_text()
    assert "An RNN learns." in (tmp_path / "README.md").read_text()


def test_a_protocol_that_has_not_run_says_so(study: Study, tmp_path: Path) -> None:
    results = (study.folder / RESULTS).read_text().splitlines(keepends=True)
    (study.folder / RESULTS).write_text(results[0])
    (first, *_) = generated_blocks(tmp_path, all_findings(tmp_path))
    assert (first.document, first.text) == (study.folder / "first.md", NOT_RUN)
    assert judged_claims(all_findings(tmp_path)) == []


def test_a_document_without_its_block_is_one_line(study: Study, tmp_path: Path) -> None:
    (study.folder / "first.md").write_text("# No block\n")
    with pytest.raises(UserError, match=r"first\.md has no block <!-- first:start --> .*; put the two lines where"):
        write(tmp_path, [])


def test_results_that_were_measured_by_another_protocol_are_refused(study: Study) -> None:
    checked_results(study)
    study.protocols["first"].path.write_text(RULES + "Or where it nearly does.\n")
    with pytest.raises(UserError, match="is not the protocol by which its results were measured"):
        findings_by_protocol(study)
    (study.folder / "provenance.json").unlink()
    with pytest.raises(UserError, match=r"is not the protocol by which its results were measured \(None\)"):
        checked_results(study)


def test_results_whose_bits_are_lost_are_refused(study: Study) -> None:
    (study.folder / RESULTS).write_text(results_csv(table_of(study, {("rnn", "20"): learners(20)})))
    with pytest.raises(UserError, match=r"results\.csv says 0\.99 and correct\.npz says nothing"):
        checked_results(study)


def test_a_claim_is_followed_by_the_later_one_that_asked_again_or_is_related(tmp_path: Path, study: Study) -> None:
    protocols = {
        "first": {"date": study.protocols["first"].path.name[:10], **FIRST, "sweeps": [
            {"name": "learn_{at}", "at": [20, 50], "arms": ["rnn", "lstm"], "seeds": "0-19"},
        ]},
        "second": {"date": "2026-02-01", "reads": ["first"], "claims": [
            FIRST["claims"][0] | {"id": "again", "text": "It learns them.", "supersedes": ["first.near"]},  # type: ignore[operator]
            FIRST["claims"][1] | {"id": "more", "text": "It learns more.", "related": ["made/first.far"]},  # type: ignore[operator]
        ]},
    }  # fmt: skip
    both = make_study(tmp_path, protocols=protocols)
    evidence = [
        (both, both.protocols[name], claim, write_module.Verdict(claim.text, verdict, "20/20."))
        for name, verdict in (("first", "holds"), ("second", "inconclusive")) for claim in both.protocols[name].claims
    ]  # fmt: skip
    near, far = (reference_of(*one[:3], evidence) for one in evidence[:2])
    assert near == "Asked again in second: It learns them. Inconclusive."
    assert far == "A related claim, in second: It learns more. Inconclusive."
    assert reference_of(*evidence[0][:3], evidence[:2]) == "", "before the later one was judged"
    other = [(replace(both, name="other"), *one[1:]) for one in evidence]
    assert reference_of(*evidence[0][:3], other) == "", "a name without a study is of the later claim's own"
    judged = [write_module.Judged(*evidence[0], near)]
    assert verdict_table(judged, "", True).rows[0][2] == f"20/20. {near}"


def test_committed_verdicts_name_the_later_claims_that_supersede_them(committed: list[Found]) -> None:
    claims = {f"{one.study.name}/{one.protocol.name}.{one.claim.id}": one for one in judged_claims(committed)}
    for one in claims.values():
        for earlier in one.claim.supersedes:
            full = earlier if "/" in earlier else f"{one.study.name}/{earlier}"
            assert claims[full].reference.startswith("Asked again in "), full
    again = claims["lag/learnability.usual_lstm"].reference
    assert again.startswith("Asked again in own_rate: Over 50 tokens a vanilla RNN learns as often")
    assert claims["ablation/causes.input_gate"].reference.startswith(
        "Asked again in mid_range: At the rate of the whole"
    )
    assert claims["lag/own_rate.usual_lstm"].reference.startswith("A related claim, in mid_range: ")


def test_a_study_can_be_copied_and_written_elsewhere(tmp_path: Path) -> None:
    shutil.copytree(EXPERIMENTS / "ablation", tmp_path / "experiments" / "ablation")
    (one,) = all_studies(tmp_path / "experiments")
    assert {path.name for path in write_figures(one, findings_by_protocol(one))} == {
        "causes_shares.png",
        "causes_steps.png",
    }
