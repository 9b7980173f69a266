"""The study of bfloat16: each verdict by the rule of its protocol, against the float32 runs of own_rate."""

from collections.abc import Callable
from pathlib import Path

import pytest

from made_results import give_runs, make_learner, measure_into
from sentiment_rnn.errors import UserError
from sentiment_rnn.studies import bfloat16, own_rate
from sentiment_rnn.studies.kit.findings import Findings
from sentiment_rnn.studies.kit.verdicts import FAILS, HOLDS, IN_PART, UNDECIDED
from sentiment_rnn.tracking.results import RunResult

ARMS = ("rnn", "rnn_relu", "gru", "lstm", "lstm_chrono")


def runs(**learning: int) -> list[RunResult]:
    """How many of 20 seeds of each arm learn 50 tokens; 20 unless given."""
    seeds = range(20, 40)
    return [make_learner(arm, 50, seed, seed < 20 + learning.get(arm, 20)) for arm in ARMS for seed in seeds]


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Findings]:
    """Findings where so many seeds learn in bfloat16, and so many in float32 (`single`); 20 unless given."""

    def findings(single: dict[str, int] | None = None, **half: int) -> Findings:
        give_runs(monkeypatch, {"own_rate_50": runs(**single or {}), "bfloat16_50": runs(**half)})
        measure_into(tmp_path / "own_rate", own_rate.STUDY)
        measure_into(tmp_path / "bfloat16", bfloat16.STUDY)
        return bfloat16.findings(tmp_path / "bfloat16")

    return findings


def verdicts(findings: Findings) -> list[str]:
    return [verdict.verdict for verdict in findings.verdicts]


def test_where_precision_makes_no_difference(found: Callable[..., Findings]) -> None:
    assert verdicts(found()) == [FAILS, FAILS, HOLDS]


def test_memory_that_is_taken_is_seen(found: Callable[..., Findings]) -> None:
    assert verdicts(found(rnn=0, rnn_relu=0, gru=0, lstm=0, lstm_chrono=0)) == [HOLDS, HOLDS, FAILS]
    assert verdicts(found(rnn=0, lstm=0)) == [IN_PART, FAILS, IN_PART]


def test_memory_that_is_gained_is_none_that_is_taken(found: Callable[..., Findings]) -> None:
    assert verdicts(found(single={"gru": 5})) == [FAILS, FAILS, HOLDS]


def test_a_difference_that_may_be_chance_decides_nothing(found: Callable[..., Findings]) -> None:
    assert verdicts(found(rnn=14, rnn_relu=14, gru=14, lstm=12, lstm_chrono=12)) == [UNDECIDED] * 3


def test_accuracies_are_compared_by_seed(found: Callable[..., Findings]) -> None:
    shares, differences, compared = found(rnn=10).tables
    assert [row[0] for row in shares.rows[:2]] == ["RNN, orthogonal", "RNN, orthogonal, bfloat16"]
    label, single, half, difference = differences.rows[0]
    assert (label, single) == ("RNN, orthogonal", "100.0 % (100.0 to 100.0)")
    assert half.startswith("75.0 % (")
    assert difference.startswith("-25.0 (-37.0 to -13.0)")
    assert len(differences.rows) == len(ARMS)
    assert [row[0] for row in compared.rows] == ["1", "1", "2"]


def test_with_fewer_seeds_than_planned_nothing_is_decided(
    found: Callable[..., Findings], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found()
    give_runs(monkeypatch, {"bfloat16_50": [run for run in runs() if run.seed < 23]})
    measure_into(tmp_path / "bfloat16", bfloat16.STUDY)
    few = bfloat16.findings(tmp_path / "bfloat16")
    assert verdicts(few) == [UNDECIDED] * 3
    assert all(verdict.evidence.endswith("Of each arm 17 more seeds are planned.") for verdict in few.verdicts)


def test_before_own_rate_is_whole_there_is_nothing_to_compare(found: Callable[..., Findings], tmp_path: Path) -> None:
    found()
    results = tmp_path / "own_rate" / "results.csv"
    results.write_text("\n".join(row for row in results.read_text().splitlines() if ",gru,50,39," not in row) + "\n")
    assert verdicts(bfloat16.findings(tmp_path / "bfloat16")) == []


def test_without_the_runs_in_float32_it_says_what_to_run(found: Callable[..., Findings], tmp_path: Path) -> None:
    found()
    (tmp_path / "own_rate" / "results.csv").unlink()
    with pytest.raises(UserError, match=r"own_rate/results\.csv: not there; run the study, .* name=own_rate"):
        bfloat16.findings(tmp_path / "bfloat16")
