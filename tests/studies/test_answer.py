"""The lesson in short, from the files of the studies."""

import json
import shutil
from pathlib import Path

from sentiment_rnn.studies.answer import answer, answer_table
from sentiment_rnn.studies.page import build_page

REPOSITORY = Path(__file__).resolve().parents[2]
EXPERIMENTS = REPOSITORY / "experiments"
ASKED = ["short memory", "long memory", "cause", "cure", "real text"]
STUDIES = ("learnability", "memory", "causes", "word_pairs")


def copied(folder: Path) -> Path:
    """The folders that the rows come from, without their figures."""
    for name in STUDIES:
        shutil.copytree(EXPERIMENTS / name, folder / name, ignore=shutil.ignore_patterns("*.png"))
    return folder


def test_every_row_has_the_verdict_of_its_study_and_a_number_with_its_interval() -> None:
    rows = answer(EXPERIMENTS)
    assert [row.question for row in rows] == ASKED
    for row in rows:
        verdicts = json.loads((EXPERIMENTS / row.study / "verdicts.json").read_text())
        assert (row.claim, row.verdict) in {(found["claim"], found["verdict"]) for found in verdicts}
        assert " to " in row.number
    assert {row.stands.split(" seeds")[0] for row in rows[:-1]} <= {"20", "10", "3"}


def test_a_row_is_counted_anew_from_the_results(tmp_path: Path) -> None:
    results = copied(tmp_path) / "learnability" / "results.csv"
    kept = [line for line in results.read_text().splitlines() if not line.startswith("learn,rnn,20,0,")]
    results.write_text("\n".join([*kept, "learn,rnn,20,0,0.5"]) + "\n")
    short = answer(tmp_path)[0]
    assert "19/20" in short.number
    assert "20/20" in answer(EXPERIMENTS)[0].number


def test_a_claim_that_has_not_been_judged_has_no_row(tmp_path: Path) -> None:
    shutil.rmtree(copied(tmp_path) / "causes")
    assert [row.question for row in answer(tmp_path)] == ["short memory", "long memory", "real text"]
    assert answer(tmp_path / "nothing") == []


def test_the_rows_link_to_their_studies() -> None:
    for row in answer_table(answer(EXPERIMENTS), "experiments").rows:
        assert "(experiments/" in row[-1]
        assert (REPOSITORY / row[-1].split("(")[1].removesuffix(")")).is_dir()


def test_the_page_begins_with_the_rows() -> None:
    page = build_page(EXPERIMENTS)
    assert page.index("The lesson in short") < page.index("Every claim")
    assert page.count('<th scope="row">') == len(ASKED)
