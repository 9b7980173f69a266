"""What a study leaves on disk."""

import csv
import json
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from sentiment_rnn.errors import UserError
from sentiment_rnn.report.statistics import Interval, percent
from sentiment_rnn.report.tables import Table
from sentiment_rnn.studies.kit.findings import HOLDS, Findings, Verdict, csv_text


@pytest.fixture
def findings() -> Findings:
    return Findings(
        tables=[Table("A table", ("encoder", "span"), [("rnn", "5"), ("lstm", "400")])],
        figures={"memory": Figure()},
        results=csv_text(("encoder", "accuracy"), [("rnn, uniform", 0.123456789), ("lstm", 1)]),
        verdicts=[Verdict("It holds.", HOLDS, "99 % (98 to 100)")],
        files={"more.json": "[]"},
    )


def test_everything_is_written_and_the_readme_takes_verdicts_and_tables(findings: Findings, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# Why\n<!-- mine:start -->\nformer\n<!-- mine:end -->\nafter\n")
    findings.write(tmp_path, "mine")
    assert {path.name for path in tmp_path.iterdir()} == {
        "README.md", "results.csv", "verdicts.json", "table.md", "more.json", "memory.png",
    }  # fmt: skip
    readme = (tmp_path / "README.md").read_text()
    assert "| It holds. | **holds** | 99 % (98 to 100) |" in readme
    assert "| lstm | 400 |" in readme
    assert "former" not in readme
    assert readme.endswith("after\n")
    assert json.loads((tmp_path / "verdicts.json").read_text())[0]["verdict"] == "holds"
    with (tmp_path / "results.csv").open() as file:
        assert list(csv.reader(file)) == [["encoder", "accuracy"], ["rnn, uniform", "0.123457"], ["lstm", "1"]]


def test_a_readme_without_its_block_is_refused(findings: Findings, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# Why\n")
    with pytest.raises(UserError, match="has no block <!-- mine:start -->"):
        findings.write(tmp_path, "mine")


def test_an_interval_is_given_in_percent() -> None:
    assert percent(Interval(0.8812, 0.8764, 0.8849)) == "88.1 % (87.6 to 88.5)"
