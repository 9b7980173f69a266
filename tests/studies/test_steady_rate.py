"""The study of rates that several seeds chose: what they chose, and claims that also compare arms of real_text."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made_results import give_runs, make_imdb_runs, make_result, measure_into

from sentiment_rnn.config.store import run_config
from sentiment_rnn.studies import real_text, steady_rate
from sentiment_rnn.studies.kit.verdicts import FAILS, HOLDS
from sentiment_rnn.studies.steady_rate import TriedDraw, chosen
from sentiment_rnn.tracking.results import RunResult

READ: dict[str, dict[str, Any]] = {
    "": {},
    "_100": {"max_tokens": 100, "keep": "tail"},
    "_first_100": {"max_tokens": 100, "keep": "head"},
}
"""What the arms read, by the end of their name."""
VALIDATED = {0.001: (0.8, 0.5, 0.5), 0.003: (0.7, 0.7, 0.7)}
"""By learning rate, validation accuracy of each seed of a search."""


def make_runs(encoder: str, accuracy: float, seeds: range = steady_rate.SEEDS, **settings: Any) -> list[RunResult]:
    data = {"max_tokens": 400, "keep": "tail", "shuffle_span": 0} | settings
    return make_imdb_runs(encoder, seeds, lambda _: accuracy, reviews=100, **data)


def searched(**settings: Any) -> list[RunResult]:
    """The runs of a search: two draws with three seeds each."""
    found = []
    for rate, scores in VALIDATED.items():
        for run, score in zip(
            make_runs("rnn", 0.6, range(104, 107), learning_rate=rate, **settings), scores, strict=True
        ):
            run.metrics["val/best_accuracy"] = score
            found.append(run)
    return found


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Path]:
    """The folder of the study, beside that of real_text; an arm is right in 85 % unless given."""

    def measure(one_seed: float = 0.85, lstm: float = 0.85, **accuracies: float) -> Path:
        give_runs(monkeypatch, {"real_text": [*make_runs("rnn", one_seed), *make_runs("lstm", lstm)]})
        measure_into(tmp_path / "real_text", real_text.STUDY, ["real_text"])
        sweeps = {
            f"steady_rate{end}": make_runs("rnn", accuracies.get(f"rnn{end}", 0.85), **read)
            for end, read in READ.items()
        }
        sweeps |= {f"steady_rate_search{end}": searched(**read) for end, read in READ.items()}
        give_runs(monkeypatch, sweeps)
        for sweep in sweeps:
            measure_into(tmp_path / "steady_rate", steady_rate.STUDY, [sweep])
        return tmp_path / "steady_rate"

    return measure


def test_the_best_mean_of_several_seeds_is_chosen_and_not_the_luckiest_seed(measured: Callable[..., Path]) -> None:
    tried = steady_rate.read_tried(measured())
    assert list(tried) == [f"rnn{end}" for end in READ]
    for draws in tried.values():
        assert [list(draw.scores) for draw in draws] == [[104, 105, 106]] * 2
        assert (chosen(draws).learning_rate, chosen(draws).mean) == (0.003, pytest.approx(70))


def test_of_equal_means_the_lower_rate_is_chosen() -> None:
    high, low = TriedDraw(0.003, 1.0, {104: 70.0, 105: 60.0}), TriedDraw(0.001, 2.0, {104: 60.0, 105: 70.0})
    assert chosen([high, low]) is low
    assert chosen([low._replace(clip=3.0), low]).clip == 3.0, "the first"


def test_a_seed_whose_loss_becomes_no_number_counts_as_0() -> None:
    nan = {"sentiment_rnn.diverged": "the loss is nan"}
    runs = [replace(run, tags=nan) if run.seed == 106 else run for run in searched()]
    lines = steady_rate.several_seeds_a_draw(runs, lambda run: run.encoder).splitlines()
    assert lines[0] == "encoder,learning_rate,clip,seed,score"
    assert [line.endswith(",106,0") for line in lines[1:]] == [False, False, True] * 2


def test_claims_compare_with_the_lstm_and_the_first_choice_of_real_text(measured: Callable[..., Path]) -> None:
    found = steady_rate.findings(measured(one_seed=0.75, lstm=0.88, rnn=0.82, rnn_first_100=0.7))
    verdicts = {verdict.claim: verdict for verdict in found.verdicts}
    run = [claim for claim in steady_rate.CLAIMS if claim.number not in (2, 3)]
    assert list(verdicts) == [claim.text for claim in run], "of arms that were run"
    assert [verdict.verdict for verdict in found.verdicts] == [HOLDS, FAILS, HOLDS, HOLDS]
    assert (
        "75.0 % (75.0 to 75.0) with RNN, orthogonal, chosen by one seed"
        in verdicts[steady_rate.CLAIMS[5].text].evidence
    )
    accuracy, _, tried = found.tables
    assert [row[0] for row in accuracy.rows] == [
        "RNN, orthogonal", "RNN, orthogonal, last 100 tokens", "RNN, orthogonal, first 100 tokens",
        "RNN, orthogonal, chosen by one seed", "LSTM, forget bias 1",
    ]  # fmt: skip
    assert [row[3:] for row in tried.rows[:2]] == [("80.0 50.0 50.0", "60.0"), ("70.0 70.0 70.0", "**70.0**")]


def test_where_only_a_search_has_been_run_its_table_is_found(measured: Callable[..., Path]) -> None:
    folder = measured()
    results = folder / "results.csv"
    results.write_text(results.read_text().splitlines()[0] + "\n")
    found = steady_rate.findings(folder)
    assert len(found.tables) == 1
    assert not found.verdicts


@pytest.mark.parametrize("end", READ)
def test_the_configuration_of_an_arm_trains_that_arm(end: str) -> None:
    config = run_config(f"experiment=steady_rate{end}", "encoder=rnn", "optimizer.draw=8")
    made = make_result("rnn")
    made.config.encoder, made.config.pooling, made.config.data = config.encoder, config.pooling, config.data
    assert steady_rate.variants.arm_of(made) == f"rnn{end}"
    assert (config.precision, config.encoder.hidden_size) == ("float32", 128)
