"""The study of gates reads half-lives, shares and answers off a model as its protocol says."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from trained_runs import trained_run

from experiments.gradient import gates, models, readers
from experiments.gradient.gates import SEEDS, claims, that_hold
from experiments.gradient.models import AFTER, BEFORE, GENERATED, IMDB, condition, values_of_models
from experiments.gradient.readers import (
    GATES,
    HALF_LIFE,
    LONGER_HALF_LIFE,
    LONGEST,
    OPEN,
    PROBABILITY,
    RUNNING,
    SHARES,
    SHUT,
    UNITS,
    read,
)
from experiments.lab.results import read_results, rows_of
from experiments.lab.rules import FAILS, HOLDS, IN_PART, UNDECIDED, Evidence, evidence_of
from experiments.lab.study import find_study
from experiments.lab.sweeps import Row
from sentiment_rnn.data.batching import Batch
from sentiment_rnn.model.classifier import SentimentClassifier

STUDY = find_study("gradient")
PROTOCOL = STUDY.protocols["gates"]
Metrics = dict[str, dict[int, float]]
"""By seed."""


def lives(reviews: str, *of_units: float) -> Metrics:
    """Half-lives of a net's three units, with a hundredth from seed to seed."""
    return {
        f"{metric}: {unit}": {seed: life * (1 + 0.01 * (seed % 2)) for seed in SEEDS[reviews]}
        for metric in (HALF_LIFE, LONGER_HALF_LIFE)
        for unit, life in zip(UNITS, of_units, strict=True)
    }


def says(liked: list[float], hated: list[float]) -> Metrics:
    """Probabilities, by seed, after the sentence on the cinema and after the other texts."""
    texts = {"weather": liked, "liked": liked, "cinema": liked, "hated": hated, "cinema, hated": hated}
    return {f"{PROBABILITY}: {text}": dict(zip(SEEDS[IMDB], said, strict=False)) for text, said in texts.items()}


LSTM, RNN, FAR, CHRONO = (IMDB, "lstm"), (IMDB, "rnn"), (GENERATED, "lstm"), (GENERATED, "lstm_chrono")
TWO = {20: 0.25, 21: 0.75}
RUN = {f"{RUNNING}: {share:g}": TWO for share in SHARES}
KEPT = says([0.9] * 10, [0.1] * 10)
SATURATION = {f"{side}: {gate}": TWO for gate in GATES for side in (SHUT, OPEN)}
MADE: Mapping[tuple[str, str], Metrics] = {
    RNN: KEPT | RUN,
    LSTM: lives(IMDB, 2, 20, 80) | KEPT | RUN | SATURATION,
    FAR: lives(GENERATED, 150, 500, 900),
    CHRONO: lives(GENERATED, 150, 500, 900),
}
"""After training: cells last on generated reviews, and both encoders keep the clause."""


def rows(made: Mapping[tuple[str, str], Metrics]) -> Iterator[Row]:
    trained = ((reviews, arm, AFTER, metrics) for (reviews, arm), metrics in made.items())
    for reviews, arm, training, metrics in ((*LSTM, BEFORE, lives(IMDB, 2, 2, 2)), *trained):
        for metric, by_seed in metrics.items():
            for seed, value in by_seed.items():
                yield "made", "gates", arm, condition(reviews, training), seed, None, "test", metric, value


def evidence_on(made: Mapping[tuple[str, str], Metrics]) -> Evidence:
    return evidence_of(STUDY, PROTOCOL, rows_of("gradient", rows(made)))


def judge(changed: Mapping[tuple[str, str], Metrics]) -> list[str]:
    """Verdicts where some metrics are others."""
    evidence = evidence_on({model: MADE[model] | changed.get(model, {}) for model in MADE})
    return [one.verdict for one in claims(evidence, values_of_models(evidence, SEEDS)).values()]


@pytest.mark.parametrize(
    ("changed", "verdicts"),
    [
        ({}, [FAILS, HOLDS, HOLDS, HOLDS, FAILS]),
        ({LSTM: lives(IMDB, 2, 20, 200)}, [IN_PART, HOLDS, HOLDS, HOLDS, FAILS]),
        ({CHRONO: lives(GENERATED, 5, 200, 300)}, [FAILS, IN_PART, IN_PART, HOLDS, FAILS]),
        ({RNN: says([0.9] * 10, [0.6] * 9 + [0.4])}, [FAILS, HOLDS, HOLDS, HOLDS, HOLDS]),
        ({LSTM: says([0.9] * 10, [0.6] * 4 + [0.4] * 6)}, [FAILS, HOLDS, HOLDS, UNDECIDED, FAILS]),
    ],
)
def test_verdicts_follow_the_numbers(changed: Mapping[tuple[str, str], Metrics], verdicts: list[str]) -> None:
    assert judge(changed) == verdicts


def lstm() -> SentimentClassifier:
    """With a forget gate of ½ after a token with the id 2, and one that keeps nearly all after others."""
    torch.manual_seed(0)
    model = SentimentClassifier(
        5,
        embedding={"size": 1, "dropout": 0.0, "word_dropout": 0.0},
        encoder={"_target_": "sentiment_rnn.model.encoders.Lstm", "name": "lstm", "hidden_size": 2},
        pooling={"_target_": "sentiment_rnn.model.pooling.Last", "name": "last", "dropout": 0.0},
        optimizer={},
    )
    layer = model.backbone.encoder.forwards[0]
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
        model.backbone.embedding.weight.copy_(torch.tensor([[0.0], [0.0], [0.0], [10.0], [10.0]]))
        layer.weight_ih_l0[2:4] = 1.0  # of the forget gate
    return model.eval()


def lives_of(reviews: str, *texts: list[int]) -> Mapping[str, float]:
    """Measurements of the network, which reads a positive review and a negative one of the same length."""
    tokens = torch.tensor(texts)
    lengths = torch.full((2,), tokens.shape[1])
    batch = Batch(tokens, lengths, torch.tensor([1.0, 0.0]), torch.arange(2))
    tokenizer: Any = SimpleNamespace(split=str.split, ids=lambda found: np.full(len(found), 1))
    return read(lstm(), batch, tokenizer, reviews)


def test_on_generated_reviews_the_tokens_after_the_clause_count_and_on_imdb_all() -> None:
    # Half is forgotten at each of the first tokens, and nearly nothing at the 400 behind them.
    texts = [[2] * 100 + [3] * LONGEST] * 2
    kept = 1 / (1 + np.exp(-10))
    after = lives_of(GENERATED, *texts)
    assert after[f"{HALF_LIFE}: median"] == pytest.approx(np.log(0.5) / np.log(kept), rel=1e-6)
    mean = (100 * np.log(0.5) + LONGEST * np.log(kept)) / (100 + LONGEST)
    assert lives_of(IMDB, *texts)[f"{HALF_LIFE}: median"] == pytest.approx(np.log(0.5) / mean, rel=1e-6)


def test_a_gate_that_is_open_after_one_opinion_alone_lasts_there() -> None:
    found = lives_of(GENERATED, [3] * LONGEST, [2] * LONGEST)
    assert found[f"{HALF_LIFE}: longest-lived"] == pytest.approx(2, rel=1e-3), "half of the tokens forget half"
    assert found[f"{LONGER_HALF_LIFE}: longest-lived"] == pytest.approx(15267, rel=1e-3)
    assert (found[f"{SHUT}: forget"], found[f"{OPEN}: forget"]) == (0, 0.5)


def test_models_of_runs_give_each_kind_of_committed_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (gates, readers):
        monkeypatch.setattr(module, "LONGEST", 20)
    runs = [trained_run(tmp_path, arm, seed=20, lag=20) for arm in ("lstm", "rnn")]
    monkeypatch.setattr(models, "trained_runs", lambda *_: runs)
    monkeypatch.setattr(gates, "SEEDS", {IMDB: range(20, 30), GENERATED: range(21)})
    monkeypatch.setattr(gates, "HOLDERS", ("lstm",))
    monkeypatch.setattr(gates, "that_hold", lambda runs: runs)
    store: Any = None
    found = gates.measure(STUDY, PROTOCOL, store)
    committed = read_results(STUDY.folder)
    own = committed[(committed.protocol == "gates") & (committed.arm != "lstm_chrono")]
    kinds = ["sweep", "protocol", "arm", "condition", "split", "metric"]
    measured = rows_of("gradient", found.rows)
    assert set(measured[kinds].itertuples(index=False)) == set(own[kinds].itertuples(index=False))
    differences = measured[measured.metric == "largest difference from the module: float64"]
    assert differences.value.max() < 1e-10, "the equations are the module's"
    kept = json.loads((STUDY.folder / "explorer.json").read_text())
    explored = json.loads(found.files["explorer.json"])
    assert [entry["tokens"] for entry in explored] == [entry["tokens"] for entry in kept]
    assert [entry.keys() for entry in explored] == [entry.keys() for entry in kept]


def test_runs_are_those_that_are_right_at_the_longest_lag() -> None:
    lags = np.array([20, *[LONGEST] * 4])
    runs: Any = [
        SimpleNamespace(predictions=SimpleNamespace(correct=np.array(correct), lags=lags))
        for correct in ([0, 1, 1, 1, 1], [1, 1, 0, 1, 1])
    ]
    assert that_hold(runs) == runs[:1]
