"""The study of variants on IMDb: which arm a run is of, and claims that also compare arms of real_text."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from made_results import give_runs, make_imdb_runs, make_result, measure_into
from sentiment_rnn.config.store import run_config
from sentiment_rnn.studies import real_text, variants
from sentiment_rnn.studies.kit.verdicts import FAILS, HOLDS
from sentiment_rnn.tracking.results import RunResult

ARMS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "rnn_wide": ("wide", "rnn_wide", {}),
    **{f"{encoder}_layers_2": ("layers", encoder, {"layers": 2}) for encoder in ("rnn", "lstm")},
    **{f"{encoder}_mean_max": ("pooling", encoder, {"pooling": "mean_max"}) for encoder in ("rnn", "lstm", "bag")},
    **{
        f"{encoder}_mean_max_two_way": ("directions", encoder, {"pooling": "mean_max", "bidirectional": True})
        for encoder in ("rnn", "lstm")
    },
    **{f"{encoder}_100": ("100", encoder, {"max_tokens": 100, "keep": "tail"}) for encoder in ("rnn", "lstm")},
    **{
        f"{encoder}_first_100": ("first_100", encoder, {"max_tokens": 100, "keep": "head"})
        for encoder in ("rnn", "lstm")
    },
}  # fmt: skip
"""The change, the encoder, and what a run of the arm is made with."""


def make_runs(encoder: str, accuracy: float, seeds: range = variants.SEEDS, **settings: Any) -> list[RunResult]:
    data = {"max_tokens": 400, "keep": "tail", "shuffle_span": 0} | settings
    return make_imdb_runs(encoder, seeds, lambda _: accuracy, reviews=100, **data)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Path]:
    """The folder of the study, beside that of real_text; an arm is right in 85 % unless given."""

    def measure(**accuracies: float) -> Path:
        plain = [run for arm in ("rnn", "lstm", "bag") for run in make_runs(arm, accuracies.get(arm, 0.85))]
        give_runs(monkeypatch, {"real_text": plain})
        measure_into(tmp_path / "real_text", real_text.STUDY, ["real_text"])
        sweeps: dict[str, list[RunResult]] = {}
        for arm, (change, encoder, settings) in ARMS.items():
            accuracy = accuracies.get(arm, 0.85)
            sweeps.setdefault(f"variants_{change}", []).extend(make_runs(encoder, accuracy, **settings))
            searched = make_runs(encoder, accuracy, range(100, 101), **settings)
            sweeps.setdefault(f"variants_search_{change}", []).extend(searched)
        give_runs(monkeypatch, sweeps)
        measure_into(tmp_path / "variants", variants.STUDY, list(sweeps))
        return tmp_path / "variants"

    return measure


def test_every_arm_of_the_protocol_has_its_name_from_what_its_run_is(measured: Callable[..., Path]) -> None:
    found = variants.findings(measured())
    accuracy, comparisons, search = found.tables
    assert [row[0] for row in accuracy.rows] == [
        "RNN, orthogonal", "RNN, as large as the LSTM", "RNN, orthogonal, 2 layers", "RNN, orthogonal, mean and max",
        "RNN, orthogonal, mean and max, two directions", "RNN, orthogonal, last 100 tokens",
        "RNN, orthogonal, first 100 tokens", "LSTM, forget bias 1", "LSTM, forget bias 1, 2 layers",
        "LSTM, forget bias 1, mean and max", "LSTM, forget bias 1, mean and max, two directions",
        "LSTM, forget bias 1, last 100 tokens", "LSTM, forget bias 1, first 100 tokens", "bag of words",
        "bag of words, mean and max",
    ]  # fmt: skip
    assert {row[1] for row in accuracy.rows} == {"10"}
    assert len(search.rows) == len(ARMS)
    assert len(comparisons.rows) == sum(len(claim.pairs) for claim in variants.CLAIMS) == 12
    assert sum(len(claim.pairs) for claim in variants.CLAIMS if not claim.equal) == 10, "tests of the protocol"
    claimed = {arm for claim in variants.CLAIMS for pair in claim.pairs for arm in (pair.first, pair.second)}
    assert claimed == {*variants.PLAIN, *ARMS} - {"bag", "bag_mean_max"}


def test_an_arm_of_another_encoder_comes_last() -> None:
    assert sorted(["gru_100", "bag", "lstm", "rnn_wide"], key=variants.place_of) == [
        "rnn_wide",
        "lstm",
        "bag",
        "gru_100",
    ]


def test_claims_compare_with_the_arms_of_real_text(measured: Callable[..., Path]) -> None:
    found = variants.findings(measured(rnn=0.75, rnn_mean_max=0.8)).verdicts
    assert [verdict.verdict for verdict in found[:3]] == [HOLDS, FAILS, HOLDS]
    assert found[9].verdict == FAILS
    assert "75.0 % (75.0 to 75.0) with RNN, orthogonal" in found[0].evidence


def test_before_real_text_is_whole_nothing_is_said_of_it(measured: Callable[..., Path]) -> None:
    folder = measured()
    results = folder.parent / "real_text" / "results.csv"
    results.write_text("\n".join(row for row in results.read_text().splitlines() if ",29," not in row) + "\n")
    found = [verdict.claim for verdict in variants.findings(folder).verdicts]
    assert found == [claim.text for claim in variants.CLAIMS if claim.number in (2, 6, 8, 11, 12)]


def test_a_part_can_be_run_before_the_others(measured: Callable[..., Path]) -> None:
    folder = measured(rnn_wide=0.7)
    for file in ("results.csv", "encoders.csv"):
        lines = (folder / file).read_text().splitlines()
        (folder / file).write_text("\n".join(line for line in lines if line.startswith(("rnn_wide", "encoder"))) + "\n")
    (folder / "search.csv").unlink()
    (found,) = variants.findings(folder).verdicts
    assert (found.claim, found.verdict) == (variants.WIDE_RNN, HOLDS)


@pytest.mark.parametrize("arm", ARMS)
def test_the_configuration_of_an_arm_trains_that_arm(arm: str) -> None:
    change, encoder, _ = ARMS[arm]
    config = run_config(f"experiment=variants_{change}", f"encoder={encoder}", "optimizer.draw=0")
    made = make_result(encoder)
    made.config.encoder, made.config.pooling, made.config.data = config.encoder, config.pooling, config.data
    assert variants.arm_of(made) == arm
    assert config.precision == "float32"
    assert config.encoder.hidden_size == {"rnn_wide": 296, "bag_mean_max": None}.get(arm, 128)
