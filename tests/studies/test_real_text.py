"""The study of IMDb: each verdict by the rule of its protocol, and files that come back as findings."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_results import make_result, style_of

from sentiment_rnn.inference.predictions import Predictions
from sentiment_rnn.studies import real_text
from sentiment_rnn.studies.kit.encoder_groups import EncoderStyle
from sentiment_rnn.studies.kit.evidence import check_accuracies
from sentiment_rnn.studies.kit.verdicts import FAILS, HOLDS, UNDECIDED
from sentiment_rnn.tracking.results import RunResult

ARMS = ("rnn", "gru", "lstm", "bag", "rnn_shuffled", "lstm_shuffled")
STYLES = dict.fromkeys(ARMS, EncoderStyle("an encoder", "#000000"))
NOISE = np.linspace(-1, 1, 10)
STORE: Any = None


def around(mean: float, deviation: float = 0.002) -> np.ndarray:
    """Accuracies of ten seeds, evenly spread."""
    return mean + deviation * NOISE / NOISE.std(ddof=1)


def judged(**accuracies: np.ndarray) -> dict[int, str]:
    """The verdict on each claim; an arm that is not given has 0.88 with a deviation of 0.002."""
    every = {arm: accuracies.get(arm, around(0.88)) for arm in ARMS}
    found = real_text.verdicts(every, real_text.adjusted_tests(every), STYLES)
    return {claim: verdict.verdict for claim, verdict in enumerate(found, 1)}


def test_better_is_better_by_more_than_a_point() -> None:
    for claim, arm in ((1, "rnn"), (2, "bag"), (5, "lstm_shuffled")):
        assert judged(**{arm: around(0.85)})[claim] == HOLDS
        assert judged(**{arm: around(0.875)})[claim] == FAILS  # by half a point, which is too little
        assert judged(**{arm: around(0.91)})[claim] == FAILS
        assert judged(**{arm: around(0.87)})[claim] == UNDECIDED
        assert judged(**{arm: around(0.85, 0.05)})[claim] == UNDECIDED
    assert judged(rnn_shuffled=around(0.85))[6] == HOLDS


def test_as_good_is_an_interval_within_a_point() -> None:
    assert judged()[3] == HOLDS
    assert judged(gru=around(0.86))[3] == FAILS
    assert judged(gru=around(0.88, 0.02))[3] == UNDECIDED
    assert judged(gru=around(0.872))[3] == HOLDS


def test_the_spread_over_seeds_is_compared_in_both_directions() -> None:
    assert judged(rnn=around(0.84, 0.03))[4] == HOLDS
    assert judged(lstm=around(0.88, 0.03))[4] == FAILS
    assert judged()[4] == UNDECIDED


def test_one_of_many_tests_has_to_say_more() -> None:
    # Alone its p is 0.04; among five tests of which no other says anything it is 0.2.
    alone = around(0.8736, 0.003)
    every = {arm: around(0.87 if arm in ("bag", "rnn", "lstm_shuffled") else 0.88, 0.004) for arm in ARMS}
    every |= {"rnn_shuffled": every["rnn"] - 0.01, "lstm": around(0.88, 0.004)}
    raw = real_text.welch_p(every["lstm"], alone, real_text.MARGIN)
    assert 0.01 < raw < 0.05
    assert real_text.adjusted_tests(every | {"rnn": alone})[1] == pytest.approx(5 * raw)


def test_a_single_seed_decides_nothing() -> None:
    one = {arm: np.array([0.9 if arm == "lstm" else 0.5]) for arm in ARMS}
    assert set(judged(**one).values()) == {UNDECIDED}


def runs(*arms: str) -> list[RunResult]:
    found = []
    for arm in arms:
        encoder = arm.removesuffix("_shuffled")
        label, color = style_of(encoder)
        for seed in range(10):
            right = 17 if arm == "lstm" and seed % 2 else 16
            probabilities = np.where(np.arange(20) < right, 0.9, 0.1)
            predictions = Predictions(probabilities, np.ones(20, np.int8), np.arange(20), np.full(20, -1, np.int32))
            run = make_result(
                encoder, seed=seed, predictions=predictions, metrics={"val/best_accuracy": 0.8}, label=label,
                color=color, word_order="shuffled" if arm != encoder else "kept",
            )  # fmt: skip
            run.config.optimizer.gradient_clip_norm = 1.0
            found.append(run)
    return found


def test_files_come_back_as_findings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    in_order, shuffled = runs(*ARMS[:4]), runs(*ARMS[4:])
    sweeps = {
        "real_text": in_order, "real_text_shuffled": shuffled, "real_text_search": in_order[::10],
        "real_text_search_shuffled": shuffled[::10],
    }  # fmt: skip
    monkeypatch.setattr(
        real_text, "results_of_sweeps", lambda _, *names: [run for name in names for run in sweeps[name]]
    )
    folder = tmp_path / "real_text"
    real_text.STUDY.measure(STORE).write(folder)
    check_accuracies(real_text.STUDY, folder)
    found = real_text.findings(folder)
    accuracy, comparisons, search = found.tables
    assert [(row[0], row[1]) for row in accuracy.rows] == [
        ("RNN, orthogonal", "10"), ("GRU", "10"), ("LSTM, forget bias 1", "10"), ("bag of words", "10"),
        ("RNN, orthogonal, shuffled words", "10"), ("LSTM, forget bias 1, shuffled words", "10"),
    ]  # fmt: skip
    assert [row[2:6] for row in accuracy.rows][1:3] == [
        ("80.0 % (80.0 to 80.0)", "0.0", "80.0", "80.0"), ("82.5 % (80.6 to 84.4)", "2.6", "80.0", "85.0"),
    ]  # fmt: skip
    assert [row[0] for row in comparisons.rows] == ["1", "2", "3", "5", "6"]
    assert [row[0] for row in search.rows] == [row[0] for row in accuracy.rows]
    assert len(found.verdicts) == 6
    assert set(found.figures) == {"accuracy", "search"}
    found.write(folder)
