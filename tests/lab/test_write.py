"""Whoever reads a page reads the committed results: `make readme` changes nothing, and writes nothing by halves."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from made_studies import RULES, learners, make_study, table_of

from experiments.lab import write as write_module
from experiments.lab.findings import Found
from experiments.lab.provenance import read_provenance
from experiments.lab.results import RESULTS, results_csv
from experiments.lab.run import freeze
from experiments.lab.study import EXPERIMENTS, Study, all_studies
from experiments.lab.write import (
    NOT_RUN,
    all_findings,
    checked_results,
    findings_by_protocol,
    further_tables,
    generated_blocks,
    pages_with_values,
    write,
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


def test_values_in_sentences_are_up_to_date(committed: list[Found]) -> None:
    pages = pages_with_values(REPOSITORY, [study for study, _ in committed])
    assert REPOSITORY / "README.md" in pages
    assert [path for path, text in pages.items() if path.read_text() != text] == [], "run make readme"


def test_a_value_is_written_into_its_sentence_and_one_that_is_none_is_one_line(study: Study, tmp_path: Path) -> None:
    page = tmp_path / "docs" / "page.md"
    page.write_text("An RNN succeeds in <!-- value: seeds / first / rnn / 20 -->all<!-- end --> seeds.\n")
    (text,) = pages_with_values(tmp_path, [study]).values()
    assert text == "An RNN succeeds in <!-- value: seeds / first / rnn / 20 -->20 of 20<!-- end --> seeds.\n"
    page.write_text("<!-- value: seeds / first / gru / 20 --><!-- end -->")
    with pytest.raises(UserError, match="no such value: seeds / first / gru / 20"):
        pages_with_values(tmp_path, [study])


def test_further_tables_are_up_to_date(committed: list[Found]) -> None:
    there = {path: path.read_text() for path in EXPERIMENTS.glob("*/tables/*")}
    assert further_tables(committed) == there, "run make readme"


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
        if read_provenance(study.folder):
            assert len(checked_results(study)), "one that was run has results"


FIRST = {
    "claims": [
        {"id": "near", "text": "An RNN succeeds at lag 20.", "rule": "most_learn", "arms": ["rnn"], "at": [20]},
        {"id": "far", "text": "An RNN succeeds at lag 50.", "rule": "most_learn", "arms": ["rnn"], "at": [50]},
    ],
    "tables": ["shares", "steps"],
    "figures": ["shares"],
    "steps": [225],
}  # fmt: skip


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """A study that has run, beside the documents that it needs."""
    learned = Table("What cells learn", ["claim"], [["An RNN learns."]])
    monkeypatch.setattr(write_module, "learned_table", lambda _: learned)
    monkeypatch.setattr(write_module, "write_pictures", lambda _: None)  # they are of the committed studies
    found = make_study(tmp_path, FIRST)
    freeze(found, found.protocols["first"])
    sums = table_of(found, {("rnn", "20"): learners(20), ("rnn", "50"): learners(0)})
    (found.folder / RESULTS).write_text(results_csv(sums[sums.metric != "best_accuracy"]))
    (tmp_path / "docs").mkdir()
    for names, path in (
        (("first", "first_claims"), found.folder / "README.md"),
        (("learned",), tmp_path / "docs" / "cells.md"),
    ):  # fmt: skip
        blocks = "\n".join(f"<!-- {name}:start -->\nold\n<!-- {name}:end -->\n" for name in names)
        path.write_text(f"# A title\n\n{blocks}\nBelow.\n")
    return found


def test_the_command_writes_figures_and_every_block_and_nothing_else_of_a_document(
    study: Study, tmp_path: Path
) -> None:
    write(tmp_path, [])
    assert [path.name for path in (study.folder / "figures").iterdir()] == ["first_shares.png"]
    page = (study.folder / "README.md").read_text()
    assert page.startswith("# A title\n\n<!-- first:start -->\nSeeds that succeed (above 90 %)")
    assert page.endswith("<!-- first_claims:end -->\n\nBelow.\n")
    assert "| An RNN succeeds at lag 20. | holds |\n" in page
    assert "([numbers](tables/first_claims.csv))" in page
    assert "validation" not in page, "one table"
    assert "An RNN learns." in (tmp_path / "docs" / "cells.md").read_text()


def test_a_protocol_that_has_not_run_says_so(study: Study, tmp_path: Path) -> None:
    results = (study.folder / RESULTS).read_text().splitlines(keepends=True)
    (study.folder / RESULTS).write_text(results[0])
    first, claims, *_ = generated_blocks(tmp_path, all_findings(tmp_path))
    assert (first.document, first.text, claims.text) == (study.folder / "README.md", NOT_RUN, NOT_RUN)


def test_a_document_without_its_block_is_one_line(study: Study, tmp_path: Path) -> None:
    page = "# One block\n<!-- first:start -->\n<!-- first:end -->\n"
    (study.folder / "README.md").write_text(page)
    said = r"README\.md has no block <!-- first_claims:start --> .*; put the two lines where"
    with pytest.raises(UserError, match=said):
        write(tmp_path, [])
    assert (study.folder / "README.md").read_text() == page, "nothing is half-written"


def test_results_that_were_measured_by_another_protocol_are_refused(study: Study) -> None:
    checked_results(study)
    study.protocols["first"].path.write_text(RULES + "Or where it nearly does.\n")
    with pytest.raises(UserError, match="is not the protocol by which its results were measured"):
        findings_by_protocol(study)
    (study.folder / "provenance.json").unlink()
    with pytest.raises(UserError, match=r"is not the protocol by which its results were measured \(None\)"):
        checked_results(study)


def test_tables_that_no_page_shows_are_files_and_those_of_old_go(study: Study, tmp_path: Path) -> None:
    old = study.folder / "tables" / "first_old.csv"
    old.parent.mkdir()
    old.write_text("arm\n")
    write(tmp_path, [])
    assert {path.name for path in old.parent.iterdir()} == {"first_claims.csv", "first_steps.csv"}
    assert (study.folder / "tables" / "first_steps.csv").read_text().splitlines() == [
        "arm,lag,225 steps,median",
        '"RNN, orthogonal",20,20/20 (83–100),225',
        '"RNN, orthogonal",50,0/20 (0–17),',
    ]


def test_a_page_that_is_not_there_is_made_with_its_blocks(study: Study, tmp_path: Path) -> None:
    (study.folder / "README.md").unlink()
    write(tmp_path, [])
    assert re.findall("^# .*|<!-- .*", (study.folder / "README.md").read_text(), re.MULTILINE) == [
        "# README", "<!-- first:start -->", "<!-- first:end -->", "<!-- first_claims:start -->",
        "<!-- first_claims:end -->",
    ]  # fmt: skip


def test_a_protocol_that_was_not_measured_since_its_latest_runs_is_named(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, [])
    assert "not measured" not in capsys.readouterr().out, "it has no measurements of its own"
    monkeypatch.setattr(write_module, "own_module", lambda *_: SimpleNamespace(measure=None))
    write(tmp_path, [])
    said = "first: not measured since its latest runs; python -m experiments.lab study made --protocols first\n"
    assert said in capsys.readouterr().out
    began = json.loads((study.folder / "provenance.json").read_text())
    began["first"]["own"] = True
    (study.folder / "provenance.json").write_text(json.dumps(began))
    write(tmp_path, [])
    assert "not measured" not in capsys.readouterr().out
