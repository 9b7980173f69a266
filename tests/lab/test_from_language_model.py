"""The study of language models judges rows by films and seeds as its protocols say, and counts what a run costs."""

import io
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from experiments.best import pretrained, vote
from experiments.best.linear import CLASSIFIERS
from experiments.best.pretrained import (
    COMPARED,
    IN_TRAIN,
    ROWS,
    verdict,
)
from experiments.best.vote import VOTES
from experiments.lab.results import Correct, rows_of
from experiments.lab.rules import FAILS, HOLDS, UNDECIDED, Verdict
from experiments.lab.study import find_study
from sentiment_rnn.data.review import Review
from sentiment_rnn.errors import UserError

STUDY = find_study("best")
FILMS = np.arange(1000)


def decided(claim: str, right: dict[str, np.ndarray], films: np.ndarray) -> Verdict:
    """The verdict on a claim whose rows have run."""
    found = verdict(claim, right, films)
    assert found
    return found


def reads(*shares: float) -> np.ndarray:
    """bool [seeds, 1000], runs that read these shares of the reviews rightly, the first ones."""
    return np.array([np.arange(1000) < 1000 * share for share in shares])


def results() -> pd.DataFrame:
    """Two classifiers of an RNN, and what they and their language model took."""
    words, own, arm = "pretrained_words_rnn", "pretrained_rnn", "rnn_pretrained_512"
    rows = [
        (words, "pretrained", "rnn_words", "", 0, None, "train", "minutes", 20.0),
        (words, "pretrained", "rnn_words", "", 0, None, "train", "tokens", 60e6),
        (words, "pretrained", "rnn_words", "", 0, None, "train", "weights", 9e6),
        (words, "pretrained", "rnn_words", "", 0, None, "validation", "perplexity", 120.4),
    ]
    for seed, accuracy, minutes in ((0, 0.9, 2.0), (1, 0.92, 4.0)):
        for split, metric, value in (
            ("train", "minutes", minutes), ("train", "tokens", 15e6), ("train", "weights", 8.1e6),
            ("validation", "best_accuracy", accuracy),
        ):  # fmt: skip
            rows.append((own, "pretrained", arm, "", seed, None, split, metric, value))
    return rows_of("best", rows)


@pytest.mark.parametrize(
    ("claim", "first", "second", "judged"),
    [
        ("lstm", 0.95, 0.9, HOLDS), ("lstm", 0.905, 0.9, FAILS), ("lstm", 0.91, 0.9, UNDECIDED),
        ("lstm_pairs", 0.95, 0.9, HOLDS), ("lstm_pairs", 0.85, 0.9, FAILS), ("pairs", 0.92, 0.9, HOLDS),
        ("last_lstm", 0.901, 0.9, HOLDS), ("last_lstm", 0.92, 0.9, FAILS), ("averaging", 0.92, 0.9, HOLDS),
        ("gru", 0.901, 0.9, HOLDS), ("gru", 0.95, 0.9, FAILS), ("gru", 0.91, 0.9, UNDECIDED),
    ],
)  # fmt: skip
def test_a_claim_is_judged_by_the_difference_on_the_same_reviews(
    claim: str, first: float, second: float, judged: str
) -> None:
    (one, *_), (other, *_), _ = COMPARED[claim]
    found = decided(claim, {one: reads(first, first), other: reads(second, second)}, FILMS)
    assert found.verdict == judged
    assert (found.rows[0].arm, found.rows[0].against) == (ROWS[one].label, ROWS[other].label)
    assert verdict(claim, {one: reads(first)}, FILMS) is None


@pytest.mark.parametrize(
    ("claim", "seeds", "judged"),
    [
        ("averaging", (0.9, 0.96), UNDECIDED), ("averaging", (0.94, 0.941), FAILS),
        ("rates", (0.9, 0.96), UNDECIDED), ("rates", (0.94, 0.941), HOLDS),
        ("averaging", (0.94,), UNDECIDED),
    ],
)  # fmt: skip
def test_a_difference_within_the_spread_of_seeds_is_open(claim: str, seeds: tuple[float, ...], judged: str) -> None:
    changed = {"averaging": "gru_averaged", "rates": "gru_one_rate"}[claim]
    found = decided(claim, {"gru_pretrained": reads(*seeds), changed: reads(0.9)}, FILMS)
    assert found.verdict == judged
    assert (float(found.rows[0].over_seeds) <= 0.05) == (judged != UNDECIDED)


def test_a_vote_and_a_small_difference_are_judged_over_films_alone() -> None:
    for claim, first in (("last_gru", "gru_last"), ("vote_gru", "gru_vote")):
        found = decided(claim, {first: reads(0.931), "gru_pretrained": reads(0.9, 0.95)}, FILMS)
        assert not found.rows[0].over_seeds


def test_every_claim_and_every_row_is_one_of_the_declared() -> None:
    names = "pretrained", "drawn", "vote", "vote_gru", "further", "recipe", "linear"
    assert [claim.id for name in names for claim in STUDY.protocol(name).claims] == list(COMPARED)
    protocols = [STUDY.protocol(name) for name in ("pretrained", "drawn", "further", "recipe")]
    sweeps = [sweep for protocol in protocols for sweep in protocol.sweeps if sweep.compared and not sweep.rates]
    votes = {vote for of in VOTES.values() for vote in of}
    trained = [row for name, row in ROWS.items() if row.study == "best" and name not in votes]
    own = {row.arm: row.words for row in trained if row.arm not in CLASSIFIERS}
    assert own.keys() == {arm for sweep in sweeps for arm in sweep.arms}
    for arm, words in own.items():
        start = STUDY.arms[arm].settings["pretrained"]
        assert (list(STUDY.sweep(start).arms) if start else [""]) == [words]


def test_a_vote_is_right_where_two_of_three_are_and_costs_the_three(monkeypatch: pytest.MonkeyPatch) -> None:
    votes = [[True, True, False, False], [True, False, True, False], [True, True, False, False]]
    runs = {
        (arm, arm, "", seed): Correct(np.array(right), "reviews")
        for arm in ("rnn_pretrained_512", "lstm_pretrained_512")
        for seed, right in enumerate(votes)
    }
    monkeypatch.setattr(vote, "read_results", lambda _: results())
    monkeypatch.setattr(pretrained, "read_correct", lambda _: runs)
    protocol, no_store = STUDY.protocol("vote"), SimpleNamespace()
    measured = vote.measure(STUDY, protocol, no_store)  # type: ignore[arg-type]
    assert measured.correct["vote", "rnn_vote", "", 0].right.tolist() == [True, True, False, False]
    table = rows_of("best", measured.rows)
    of_rnn = table[table.arm == "rnn_vote"]
    assert dict(zip(of_rnn.metric, of_rnn.value, strict=True)) == {
        "accuracy": 0.5, "weights": 3 * 8.1e6, "minutes": 9, "tokens": 45e6,
    }  # fmt: skip
    del runs["rnn_pretrained_512", "rnn_pretrained_512", "", 2]
    with pytest.raises(UserError, match="rnn_pretrained_512: 2 of 3 seeds have run; run --protocols pretrained first"):
        vote.measure(STUDY, protocol, no_store)  # type: ignore[arg-type]


def test_a_run_is_measured_with_its_minutes_and_tokens_and_the_texts_that_are_in_train(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    curves = {"train/epoch_seconds": [60.0, 30.0], "train/tokens_per_second": [10.0, 20.0]}

    def runs_of(_: object, sweep: str, __: object) -> list[SimpleNamespace]:
        encoders = [STUDY.arms[arm].encoder for arm in STUDY.sweep(sweep).arms]
        shared = {"seed": 0, "metrics": {"parameters": 7.0}, "curve": lambda name: ([1, 2], curves[name])}
        return [SimpleNamespace(encoder=encoder, **shared) for encoder in encoders]

    reviews = {
        split: [Review(text, 0, 0, "", f"{split}/{place}") for place, text in enumerate(texts)]
        for split, texts in {"train": ["good", "bad"], "validation": ["fine"], "test": ["dull", "fine", "bad"]}.items()
    }

    def found(_: object, sweep: str, finished: bool) -> None:
        if sweep == "pretrained_words_gru":
            raise UserError("measured before, from another store")

    monkeypatch.setattr(pretrained, "find_sweep", found)
    monkeypatch.setattr(pretrained, "trained_runs", runs_of)
    monkeypatch.setattr(pretrained, "source_of", lambda _: SimpleNamespace(read=lambda: reviews))
    protocol = STUDY.protocol("pretrained")
    measured = pretrained.measure(STUDY, protocol, SimpleNamespace())  # type: ignore[arg-type]
    table = rows_of("best", measured.rows)
    assert set(zip(table.sweep, table.arm, strict=True)) == {
        (sweep.name, arm) for sweep in protocol.sweeps for arm in sweep.arms if sweep.name != "pretrained_words_gru"
    }
    assert {metric: table.value[table.metric == metric].iloc[0] for metric in ("weights", "minutes", "tokens")} == {
        "weights": 7, "minutes": 1.5, "tokens": 1200,
    }  # fmt: skip
    content = measured.files[IN_TRAIN]
    assert isinstance(content, bytes)
    assert np.load(io.BytesIO(content)).tolist() == [1, 2]
    others = pretrained.measure(STUDY, STUDY.protocol("further"), SimpleNamespace())  # type: ignore[arg-type]
    assert others.rows
    assert not others.files, "which texts are in train was measured with the first"
