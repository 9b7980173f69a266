"""What a study leaves on disk, and how intervals become verdicts."""

import csv
import json
import math
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from sentiment_rnn.errors import UserError
from sentiment_rnn.report.statistics import Interval, percent, points
from sentiment_rnn.report.tables import Table, csv_text, markdown, read_markdown
from sentiment_rnn.studies.kit.encoder_groups import EncoderStyle
from sentiment_rnn.studies.kit.findings import Findings
from sentiment_rnn.studies.kit.measurements import Measurements, read_rows, read_styles, styles_csv
from sentiment_rnn.studies.kit.verdicts import (
    FAILS,
    HOLDS,
    IN_PART,
    UNDECIDED,
    Verdict,
    above,
    below,
    every,
    judged,
)

TABLE = Table("A table", ["encoder", "span"], [["rnn, uniform", "5"], ["lstm", ""]])


def test_findings_are_tables_verdicts_and_figures(tmp_path: Path) -> None:
    Findings([TABLE], [Verdict("It holds.", HOLDS, "99 % (98 to 100)")], {"shares": Figure()}).write(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"verdicts.json", "table.md", "shares.png"}
    assert "| It holds. | **holds** | 99 % (98 to 100) |" in (tmp_path / "table.md").read_text()
    assert json.loads((tmp_path / "verdicts.json").read_text())[0]["verdict"] == "holds"


def test_without_verdicts_there_is_no_table_of_claims() -> None:
    assert Findings([TABLE], []).document() == markdown([TABLE])


def test_measurements_are_read_back_as_they_were_written(tmp_path: Path) -> None:
    styles = {"rnn": EncoderStyle("RNN, uniform", "#123456"), "lstm": EncoderStyle("LSTM", "#654321")}
    rows = csv_text(("encoder", "accuracy"), [("rnn, uniform", 0.123456789), ("lstm", 1)])
    folder = tmp_path / "new" / "study"
    Measurements({"results.csv": rows, "encoders.csv": styles_csv(styles)}, {"gates": Figure()}).write(folder)
    assert (folder / "gates.png").exists()
    with (folder / "results.csv").open() as file:
        assert list(csv.reader(file)) == [["encoder", "accuracy"], ["rnn, uniform", "0.123457"], ["lstm", "1"]]
    assert read_rows(folder)[0] == {"encoder": "rnn, uniform", "accuracy": "0.123457"}
    assert read_styles(folder) == styles
    assert list(read_styles(folder)) == ["rnn", "lstm"]


def test_results_that_are_not_there_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"gates/results\.csv: not there; run the study, sentiment-rnn study name=gates"
    ):
        read_rows(tmp_path / "gates")


def test_tables_are_read_back_from_markdown(tmp_path: Path) -> None:
    other = Table("Another", ["a"], [["1"]])
    (tmp_path / "table.md").write_text(markdown([TABLE, other]))
    assert read_markdown(tmp_path / "table.md") == [TABLE, other]


def test_an_interval_is_given_in_percent() -> None:
    assert percent(Interval(0.8812, 0.8764, 0.8849)) == "88.1 % (87.6 to 88.5)"
    assert points(Interval(0.0719, -0.0349, 0.098)) == "+7.2 (-3.5 to +9.8)"


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.6, 0.8, True),
        (0.2, 0.4, False),
        (0.4, 0.6, None),
        (0.5, 0.8, None),
        (0.5, 0.5, False),
        (math.nan, math.nan, None),
    ],
)
def test_a_threshold_inside_the_interval_decides_nothing(low: float, high: float, expected: bool | None) -> None:
    assert above(Interval(0.7, low, high), 0.5) is expected
    assert below(Interval(-0.7, -high, -low), -0.5) is expected


def test_one_part_that_is_false_refutes_all_and_one_that_is_open_leaves_them_open() -> None:
    assert every([True, True]) is True
    assert every([True, None, False]) is False
    assert every([True, None]) is None
    assert every([]) is None


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ((True, True), HOLDS),
        ((True, False), IN_PART),
        ((True, None), IN_PART),
        ((False, False), FAILS),
        ((False, None), UNDECIDED),
        ((None,), UNDECIDED),
        ((), UNDECIDED),
    ],
)
def test_a_claim_is_inconclusive_where_no_part_is_shown_and_one_is_open(
    parts: tuple[bool | None, ...], expected: str
) -> None:
    assert judged(*parts) == expected
