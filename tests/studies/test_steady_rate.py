"""The study of rates that several seeds chose: what they chose, and claims that also compare arms of real_text."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from made_results import give_runs, make_imdb_runs, measure_into
from sentiment_rnn.config.store import run_config
from sentiment_rnn.studies import real_text, steady_rate
from sentiment_rnn.studies.kit.arm_accuracies import best_accuracy
from sentiment_rnn.studies.kit.random_search import best_draw, search_csv
from sentiment_rnn.studies.kit.verdicts import FAILS, HOLDS
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


def searched(validated: Mapping[float, Sequence[float]] = VALIDATED, **settings: Any) -> list[RunResult]:
    """The runs of a search: draws with three seeds each."""
    found = []
    for rate, scores in validated.items():
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
        assert list(draws.values()) == [
            [pytest.approx(100 * score) for score in scores] for scores in VALIDATED.values()
        ]
        best = best_draw(draws)
        assert (best.learning_rate, best.score) == (0.003, 70)


def test_of_means_that_differ_by_the_rounding_of_the_file_alone_the_lower_rate_is_chosen(tmp_path: Path) -> None:
    reviews = 2493
    right = {0.003: (1900, 1801, 1702), 0.001: (1899, 1803, 1701)}
    runs = searched({rate: tuple(each / reviews for each in of_rate) for rate, of_rate in right.items()})
    (tmp_path / "search.csv").write_text(search_csv(runs, best_accuracy, by_seed=True))
    draws = steady_rate.read_tried(tmp_path)["rnn"]
    assert len({sum(scores) for scores in draws.values()}) == 2
    assert best_draw(draws).learning_rate == 0.001


def test_a_seed_whose_loss_becomes_no_number_counts_as_0(tmp_path: Path) -> None:
    nan = {"sentiment_rnn.diverged": "the loss is nan"}
    runs = [replace(run, tags=nan) if run.seed == 106 else run for run in searched()]
    (tmp_path / "search.csv").write_text(search_csv(runs, best_accuracy, by_seed=True))
    assert list(steady_rate.read_tried(tmp_path)["rnn"].values()) == [[80, 50, 0], [70, 70, 0]]


def test_parts_are_the_same_files_as_the_whole(measured: Callable[..., Path], tmp_path: Path) -> None:
    parts = measured()
    measure_into(tmp_path / "whole", steady_rate.STUDY)
    names = {path.name for path in parts.iterdir()}
    assert names == {path.name for path in (tmp_path / "whole").iterdir()}
    assert [name for name in names if (parts / name).read_bytes() != (tmp_path / "whole" / name).read_bytes()] == []


def test_claims_compare_with_the_lstm_and_the_first_choice_of_real_text(measured: Callable[..., Path]) -> None:
    found = steady_rate.findings(measured(one_seed=0.75, lstm=0.88, rnn=0.82, rnn_first_100=0.7))
    verdicts = {verdict.claim: verdict for verdict in found.verdicts}
    run = [claim for claim in steady_rate.CLAIMS if claim.number not in (2, 3)]
    assert list(verdicts) == [claim.text for claim in run], "of arms that were run"
    assert [verdict.verdict for verdict in found.verdicts] == [HOLDS, FAILS, HOLDS, HOLDS]
    assert "75.0 % (75.0 to 75.0) with RNN, orthogonal, rate of one seed" in verdicts[steady_rate.BETTER_RATE].evidence
    accuracy, _, tried = found.tables
    assert [row[0] for row in accuracy.rows] == [
        "RNN, orthogonal, rate of one seed",
        "RNN, orthogonal, rate of three seeds",
        "RNN, orthogonal, last 100 tokens, rate of three seeds",
        "RNN, orthogonal, first 100 tokens, rate of three seeds",
        "LSTM, forget bias 1",
    ]
    assert [row[3:] for row in tried.rows[:2]] == [("80.0 50.0 50.0", "60.0"), ("70.0 70.0 70.0", "**70.0**")]


def test_where_only_a_search_has_been_run_its_table_is_found(measured: Callable[..., Path]) -> None:
    folder = measured()
    results = folder / "results.csv"
    results.write_text(results.read_text().splitlines()[0] + "\n")
    found = steady_rate.findings(folder)
    assert len(found.tables) == 1
    assert not found.verdicts


@pytest.mark.parametrize("end", steady_rate.CHANGES)
def test_an_arm_differs_from_the_earlier_one_in_its_rate_and_clipping_alone(end: str) -> None:
    encoder = "rnn_wide" if end == "_wide" else "rnn"
    earlier = settings_of(f"variants{end}" if end else "real_text", encoder)
    assert settings_of(f"steady_rate{end}", encoder) == earlier
    assert settings_of(f"steady_rate_search{end}", encoder) == earlier


def settings_of(experiment: str, encoder: str) -> dict[str, Any]:
    """What a vanilla RNN of an experiment is trained with, but for its name, its rate and its clipping."""
    config = run_config(f"experiment={experiment}", f"encoder={encoder}", "optimizer.draw=8")
    return {key: value for key, value in config.settings().items() if key not in ("study", "optimizer")}
