"""The lesson in short, from the files of the studies."""

import shutil
from pathlib import Path

import pytest
import yaml

from experiments.lab.answer import ANSWER, answer_table
from experiments.lab.findings import Found, findings_of
from experiments.lab.study import EXPERIMENTS, read_study
from experiments.lab.table import read_results, results_csv
from sentiment_rnn.report.tables import Table

SHORT = {
    "question": "short memory", "claim": "lag/learnability.short_memory", "sweep": "learn_20",
    "shown": [{"says": "Seeds that learn", "arms": ["rnn", "gru"], "at": 20}],
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One question, and the study that it is asked of."""
    (tmp_path / ANSWER).write_text(yaml.safe_dump([SHORT]))
    (tmp_path / "ablation").mkdir()
    shutil.copy(EXPERIMENTS / "ablation" / "study.yaml", tmp_path / "ablation")  # its claims are named
    ignored = shutil.ignore_patterns("*.npz", "*.py", "protocols")
    shutil.copytree(EXPERIMENTS / "lag", tmp_path / "lag", ignore=ignored)
    return tmp_path


def keep(folder: Path, kept: str) -> None:
    """Keep some rows of the study's results."""
    (folder / "lag" / "results.csv").write_text(results_csv(read_results(folder / "lag").query(kept)))


def answered(folder: Path) -> Table:
    """The answer by the study's results in a folder, of which only `learnability` is looked at."""
    study, table = read_study(folder / "lag"), read_results(folder / "lag")
    return answer_table(folder, [(study, {"learnability": findings_of(study, study.protocol("learnability"), table)})])


def test_every_question_has_a_verdict_and_numbers_with_their_intervals(committed: list[Found]) -> None:
    table = answer_table(EXPERIMENTS, committed)
    assert [row[0] for row in table.rows] == [
        "short memory", "long memory", "longer memory", "cause", "cure", "memory of real text", "real text",
    ]  # fmt: skip
    assert [row[2] for row in table.rows] == [
        "**holds**", "**holds in part**", "**holds**", *["**holds in part**; not run: 400 tokens"] * 2, "**holds**",
        "**does not hold**",
    ]  # fmt: skip
    assert all(" to " in row[3] for row in table.rows)
    shown_with = [f"{seeds} seeds, float32, AMD EPYC, avx512_bf16" for seeds in (20, 20, 10, 10, 10, 10, 10)]
    assert [row[4] for row in table.rows] == shown_with
    forgets, accuracies = table.rows[-2][3], table.rows[-1][3]
    assert forgets.startswith("Seeds of RNN, orthogonal that lose more than 10 points by place: 9/9 (66 to 100 %). ")
    assert accuracies.startswith("Test accuracy: 88.3 % (88.0 to 88.6) with LSTM, forget bias 1; 88.5 %")
    assert "From seed to seed: 54.6 to 84.6 % (median 75.8) with RNN, orthogonal." in accuracies
    assert table.rows[-1][5] == "[imdb](experiments/imdb)"


def test_a_number_is_counted_anew_from_the_results(folder: Path) -> None:
    (row,) = answered(folder).rows
    said = "Seeds that learn, 20 tokens: {}/20 ({} to {} %) of RNN, orthogonal; 20/20 (83 to 100 %) of GRU."
    assert row[2:4] == ("**holds**", said.format(20, 83, 100))
    results = read_results(folder / "lag")
    failed = (results.protocol == "learnability") & (results.arm == "rnn") & (results.condition == "20")
    results.loc[failed & (results.seed < 5) & (results.metric == "accuracy"), "value"] = 0.5
    (folder / "lag" / "results.csv").write_text(results_csv(results))
    (row,) = answered(folder).rows
    assert row[2:4] == ("**holds**", said.format(15, 51, 91))


def test_an_arm_that_was_not_run_is_left_out_and_a_lag_is_named(folder: Path) -> None:
    keep(folder, "arm == 'rnn' and condition == '20'")
    (row,) = answered(folder).rows
    assert row[2] == "**holds in part**; not run: 5 tokens"
    assert row[3] == "Seeds that learn, 20 tokens: 20/20 (83 to 100 %) of RNN, orthogonal."
    (folder / ANSWER).write_text(yaml.safe_dump([SHORT | {"shown": [{"says": "None", "arms": ["gru"], "at": 20}]}]))
    assert answered(folder).rows[0][3] == ""


def test_a_claim_that_has_not_been_judged_has_no_row(folder: Path) -> None:
    keep(folder, "arm != 'rnn'")
    assert answered(folder).rows == []
