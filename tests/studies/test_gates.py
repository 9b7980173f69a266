"""The gates study on measures and runs made here."""

from typing import Any

import numpy as np
import pytest
import torch

from made_results import STYLES, make_result, predictions_of
from sentiment_rnn.data.batching import Batch
from sentiment_rnn.errors import UserError
from sentiment_rnn.model.classifier import SentimentClassifier
from sentiment_rnn.studies.gates import (
    half_life_table,
    longer_half_life_table,
    saturation_table,
    sentence_table,
    that_hold,
)
from sentiment_rnn.studies.gates.claims import seeds_that_keep, verdicts
from sentiment_rnn.studies.gates.measurements import HALF_LIFE, LONGER_HALF_LIFE, UNITS, measures_of
from sentiment_rnn.studies.gates.readers import LONGEST, LONGEST_LIFE, half_lives, read
from sentiment_rnn.studies.kit.planned_runs import GENERATED, IMDB, planned_runs
from sentiment_rnn.studies.kit.verdicts import FAILS, HOLDS, IN_PART, UNDECIDED

Of = dict[tuple[str, str], dict[int, float]]


def lives(median: float, ninetieth: float, longest: float, seeds: int = 10) -> Of:
    """Half-lives of a net, with a hundredth from seed to seed."""
    return {
        (measure, unit): {seed: life * (1 + 0.01 * (seed % 2)) for seed in range(seeds)}
        for measure in (HALF_LIFE, LONGER_HALF_LIFE)
        for unit, life in zip(UNITS, (median, ninetieth, longest), strict=True)
    }


def says(liked: list[float], hated: list[float]) -> Of:
    """What seeds say of the sentence on the cinema, and of the others."""
    texts = {"weather": liked, "liked": liked, "cinema": liked, "hated": hated, "cinema, hated": hated}
    return {("probability", text): dict(enumerate(said)) for text, said in texts.items()}


def values_of(**changed: Any) -> Any:
    """Measures in which cells last on generated reviews, and in which both encoders keep the clause."""
    two = {1: 0.25, 2: 0.75}
    shares: Of = {
        (side, gate): two for side in ("share below 0.1", "share above 0.9") for gate in ("forget", "input", "output")
    }
    values = {
        (IMDB, "rnn", True): says([0.9] * 10, [0.1] * 10),
        (IMDB, "lstm", False): lives(2, 2, 2),
        (IMDB, "lstm", True): lives(2, 20, 80) | says([0.9] * 10, [0.1] * 10) | shares,
        (GENERATED, "lstm", True): lives(150, 500, 900, 20),
        (GENERATED, "lstm_chrono", True): lives(150, 500, 900, 20),
    }
    keys = {"imdb": (IMDB, "lstm", True), "rnn": (IMDB, "rnn", True), "chrono": (GENERATED, "lstm_chrono", True)}
    for name, measures in changed.items():
        values[keys[name]] = values[keys[name]] | measures
    return values


def judge(values: Any) -> list[str]:
    return [verdict.verdict for verdict in verdicts(values, STYLES)]


def test_verdicts_follow_the_numbers() -> None:
    assert judge(values_of()) == [FAILS, HOLDS, HOLDS, HOLDS, FAILS]
    assert judge(values_of(imdb=lives(2, 20, 200), chrono=lives(5, 200, 300)))[:3] == [IN_PART, IN_PART, IN_PART]
    assert judge(values_of(rnn=says([0.9] * 10, [0.6] * 9 + [0.4])))[4] == HOLDS, "one seed keeps it"
    assert judge(values_of(imdb=says([0.9] * 10, [0.6] * 4 + [0.4] * 6)))[3] == UNDECIDED


def test_the_parts_of_an_arm_of_which_no_seed_holds_the_distance_are_open() -> None:
    values = values_of()
    del values[GENERATED, "lstm_chrono", True]
    found = verdicts(values, STYLES)[1]
    assert (found.verdict, "chrono" in found.evidence) == (IN_PART, False)


def test_where_no_seed_holds_the_distance_its_claims_are_open() -> None:
    values = {key: measures for key, measures in values_of().items() if key[0] == IMDB}
    found = verdicts(values, STYLES)
    assert [(verdict.verdict, verdict.evidence) for verdict in found[1:3]] == [
        (UNDECIDED, "No seed holds 400 tokens.")
    ] * 2


def test_a_seed_keeps_the_clause_that_tells_liked_from_hated() -> None:
    values = values_of(imdb=says([0.9, 0.9, 0.4, 0.5], [0.1, 0.6, 0.1, 0.1]))
    assert seeds_that_keep(values, "lstm") == (1, 4)


def test_a_unit_that_forgets_nothing_lasts_a_million_tokens() -> None:
    assert half_lives(np.log([0.5, 0.25, 1.0])) == pytest.approx([1, 0.5, LONGEST_LIFE])


def test_tables_have_each_net_before_and_after_training() -> None:
    values = values_of()
    table = half_life_table(values, STYLES)
    assert [row[:4] for row in table.rows] == [
        ("IMDb", "LSTM, forget bias 1", "before", "10"), ("IMDb", "LSTM, forget bias 1", "after", "10"),
        ("generated", "LSTM, forget bias 1", "after", "20"), ("generated", "LSTM, chrono", "after", "20"),
    ]  # fmt: skip
    assert saturation_table(values, STYLES).rows[0] == (
        "IMDb",
        "LSTM, forget bias 1",
        "forget",
        "50.0 ± 35.4",
        "50.0 ± 35.4",
    )
    assert [row[-1] for row in sentence_table(values, STYLES).rows] == ["10/10 (69 to 100 %)"] * 2
    assert sentence_table(values, STYLES).rows[0][1] == "10/10: 0.90 to 0.90"


def test_the_longer_half_life_has_the_range_over_seeds() -> None:
    table = longer_half_life_table(values_of(), STYLES)
    assert [row[-1] for row in table.rows] == ["80.0 to 80.8", "900.0 to 909.0", "900.0 to 909.0"]


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


class Characters:
    """A tokenizer of which every token is unknown."""

    def split(self, text: str) -> list[str]:
        return text.split()

    def ids(self, tokens: list[str]) -> np.ndarray:
        return np.full(len(tokens), 1)


def batch_of(*reviews: tuple[int, list[int]]) -> Batch:
    """Reviews with their labels."""
    lengths = [len(tokens) for _, tokens in reviews]
    padded = torch.zeros(len(reviews), max(lengths), dtype=torch.int64)
    for row, (_, tokens) in enumerate(reviews):
        padded[row, : len(tokens)] = torch.tensor(tokens)
    return Batch(padded, torch.tensor(lengths), torch.tensor([float(label) for label, _ in reviews]), torch.arange(2))


def lives_of(batch: Batch, corpus: str) -> dict[tuple[str, str], float]:
    reader = read(lstm(), batch, Characters(), corpus, make_result("lstm", seed=7), True)  # type: ignore[arg-type]
    return {
        (measure, of): value for measure, of, value in measures_of(reader) if measure in (HALF_LIFE, LONGER_HALF_LIFE)
    }


def test_on_generated_reviews_the_tokens_after_the_clause_count_and_on_imdb_all() -> None:
    # Half is forgotten at each of the first tokens, and nearly nothing at the 400 behind them.
    batch = batch_of((1, [2] * 100 + [3] * LONGEST), (0, [2] * 100 + [3] * LONGEST))
    kept = 1 / (1 + np.exp(-10))
    after = lives_of(batch, GENERATED)
    assert after[HALF_LIFE, "median"] == pytest.approx(np.log(0.5) / np.log(kept), rel=1e-6)
    everything = lives_of(batch, IMDB)
    mean = (100 * np.log(0.5) + LONGEST * np.log(kept)) / (100 + LONGEST)
    assert everything[HALF_LIFE, "median"] == pytest.approx(np.log(0.5) / mean, rel=1e-6)


def test_a_gate_that_is_open_after_one_opinion_alone_lasts_there() -> None:
    batch = batch_of((1, [3] * LONGEST), (0, [2] * LONGEST))
    found = lives_of(batch, GENERATED)
    assert found[HALF_LIFE, "longest-lived"] == pytest.approx(2, rel=1e-3), "half of the tokens forget half"
    assert found[LONGER_HALF_LIFE, "longest-lived"] == pytest.approx(15267, rel=1e-3)


def test_runs_are_those_that_hold_the_distance_by_encoder_and_seed() -> None:
    runs = [
        make_result(arm, seed=seed, predictions=predictions_of([1, 1, 1, 1] if seed else [1, 0, 1, 1], LONGEST))
        for seed in (2, 0, 1, 3)
        for arm in ("lstm_chrono", "gru", "lstm")
    ]
    found = that_hold(planned_runs(runs, ("lstm", "lstm_chrono"), (0, 1, 2, 5)))
    assert [(run.encoder, run.seed) for run in found] == [
        ("lstm", 1), ("lstm", 2), ("lstm_chrono", 1), ("lstm_chrono", 2),
    ]  # fmt: skip


def test_an_encoder_without_a_run_of_the_protocol_is_one_line() -> None:
    with pytest.raises(UserError, match=r"no run of encoder=rnn has a seed of the protocol \(20 to 29\)"):
        planned_runs([make_result("lstm", seed=20), make_result("rnn", seed=1)], ("rnn", "lstm"), range(20, 30))
