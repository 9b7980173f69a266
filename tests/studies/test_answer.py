"""The lesson in short, from the files of the studies."""

import json
import re
import shutil
from pathlib import Path

import pytest

from sentiment_rnn.errors import UserError
from sentiment_rnn.studies.answer import answer, answer_table
from sentiment_rnn.studies.page import build_page
from sentiment_rnn.studies.real_text import NEIGHBORS_SHUFFLED

REPOSITORY = Path(__file__).resolve().parents[2]
EXPERIMENTS = REPOSITORY / "experiments"
ASKED = ["short memory", "long memory", "longer memory", "cause", "cure", "memory of real text", "real text"]
WITHOUT_CAUSES = [question for question in ASKED if question not in ("cause", "cure")]
STUDIES = ("learnability", "long_range", "causes", "filler", "real_text")


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
    assert [row.shown_with.split(",")[0] for row in rows] == [
        "20 seeds", "20 seeds", "10 seeds", "10 seeds", "10 seeds", "9 and 10 seeds", "10 seeds",
    ]  # fmt: skip
    assert [row.still_open for row in rows] == [
        "", "", "", *["400 tokens were not run"] * 2, "", "",
    ]  # fmt: skip


def test_a_row_is_counted_anew_from_the_results(tmp_path: Path) -> None:
    results = copied(tmp_path) / "learnability" / "results.csv"
    kept = [line for line in results.read_text().splitlines() if not line.startswith("learn,rnn,20,0,")]
    results.write_text("\n".join([*kept, "learn,rnn,20,0,0.5"]) + "\n")
    short = answer(tmp_path)[0]
    assert "19/20" in short.number
    assert "20/20" in answer(EXPERIMENTS)[0].number


def test_a_claim_that_has_not_been_judged_has_no_row(tmp_path: Path) -> None:
    shutil.rmtree(copied(tmp_path) / "causes")
    assert [row.question for row in answer(tmp_path)] == [
        "short memory",
        "long memory",
        "longer memory",
        "memory of real text",
        "real text",
    ]
    assert answer(tmp_path / "nothing") == []


def test_the_row_of_real_text_has_the_accuracy_of_each_encoder_that_was_run(tmp_path: Path) -> None:
    results = copied(tmp_path) / "real_text" / "results.csv"
    rows = results.read_text().splitlines(keepends=True)
    results.write_text("".join(row for row in rows if not row.startswith(NEIGHBORS_SHUFFLED)))
    said = answer(tmp_path)[-1].number
    assert re.fullmatch(
        r"Test accuracy: (.+ %) \(.+\) with LSTM, forget bias 1; (.+ %) \(.+\) with bag of words; "
        r"54\.6 to 84\.6 % \(median 75\.8\) with RNN, orthogonal\.",
        said,
    )
    with results.open("a") as more:
        more.writelines(row.replace("lstm,", f"{NEIGHBORS_SHUFFLED},") for row in rows if row.startswith("lstm,"))
    with (tmp_path / "real_text" / "encoders.csv").open("a") as more:
        more.write(f'{NEIGHBORS_SHUFFLED},"LSTM, shuffled",#000000\n')
    first = said.removeprefix("Test accuracy: ").split(" with ")[0]
    assert answer(tmp_path)[-1].number == f"{said[:-1]}; {first} with LSTM, shuffled."


def test_the_row_of_long_memory_has_what_is_learned_with_rates_searched_there(tmp_path: Path) -> None:
    copied(tmp_path)
    (before,) = [row for row in answer(tmp_path) if row.question == "long memory"]
    shutil.copytree(EXPERIMENTS / "mid_range", tmp_path / "mid_range")
    (row,) = [row for row in answer(tmp_path) if row.question == "long memory"]
    first, again = row.number.split(" With the best of sixteen draws there (mid_range): ")
    assert first == before.number
    assert again == (
        "0/20 (0 to 17 %) of RNN, orthogonal at 100 tokens; "
        "14/20 (46 to 88 %) of LSTM, forget bias 1 at 100 tokens; 20/20 (83 to 100 %) of LSTM, chrono at 100 tokens."
    )


def test_the_row_of_real_text_has_the_rate_that_several_seeds_chose_where_that_was_run(tmp_path: Path) -> None:
    copied(tmp_path)
    assert "chose" not in answer(tmp_path)[-1].number
    shutil.copytree(EXPERIMENTS / "steady_rate", tmp_path / "steady_rate")
    assert re.search(
        r"with RNN, orthogonal and the draw that one seed chose, 59\.8 to 85\.6 % \(median 83\.8\) with that of three;",
        answer(tmp_path)[-1].number,
    )


def test_later_studies_of_which_only_the_search_has_been_run_add_nothing(tmp_path: Path) -> None:
    before = answer(copied(tmp_path))
    for study in ("mid_range", "steady_rate"):
        shutil.copytree(EXPERIMENTS / study, tmp_path / study)
        results = tmp_path / study / "results.csv"
        results.write_text(results.read_text().splitlines()[0] + "\n")
        (tmp_path / study / "verdicts.json").write_text("[]\n")
    assert answer(tmp_path) == before


def test_the_rows_link_to_their_studies() -> None:
    rows = answer(EXPERIMENTS)
    for row, cells in zip(rows, answer_table(rows, "experiments").rows, strict=True):
        assert cells[-1] == f"[{row.study}](experiments/{row.study})"
        assert cells[2].startswith(f"**{row.verdict}**")


def test_no_row_is_made_where_no_distance_of_a_claim_is_whole(tmp_path: Path) -> None:
    results = copied(tmp_path) / "causes" / "results.csv"
    rows = results.read_text().splitlines()
    results.write_text("\n".join(row for row in rows if row.split(",")[3] != "9") + "\n")
    assert "cure" in [row.question for row in answer(tmp_path)]  # nine seeds of each
    kept = [row for row in rows if row.split(",")[1:4:2] != ["lstm_coupled", "9"]]
    results.write_text("\n".join(kept) + "\n")
    assert [row.question for row in answer(tmp_path)] == [
        "short memory",
        "long memory",
        "longer memory",
        "memory of real text",
        "real text",
    ]


def test_a_study_without_its_provenance_is_one_line(tmp_path: Path) -> None:
    (copied(tmp_path) / "causes" / "provenance.json").unlink()
    with pytest.raises(UserError, match=r"causes/provenance\.json: not there"):
        answer(tmp_path)


def test_the_page_begins_with_the_rows() -> None:
    page = build_page(EXPERIMENTS)
    assert page.index("The lesson in short") < page.index("Every claim")
    assert page.count('<th scope="row">') == len(ASKED)
