"""The study of language models judges rows by films and seeds as its protocols say, and counts what a run costs."""

import io
from types import SimpleNamespace

import numpy as np
import pytest

from experiments.best import pretrained
from experiments.best.linear import CLASSIFIERS
from experiments.best.pretrained import COMPARED, ROWS, verdict
from experiments.lab.results import rows_of
from experiments.lab.rules import FAILS, HOLDS, UNDECIDED, Verdict
from experiments.lab.study import find_study
from sentiment_rnn.data.review import Review

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


@pytest.mark.parametrize(
    ("claim", "first", "second", "judged"),
    [
        ("lstm", 0.95, 0.9, HOLDS), ("lstm", 0.905, 0.9, FAILS), ("lstm", 0.91, 0.9, UNDECIDED),
        ("rnn", 0.85, 0.9, FAILS), ("rnn", 0.95, 0.9, HOLDS), ("pairs", 0.92, 0.9, HOLDS),
    ],
)  # fmt: skip
def test_a_claim_is_judged_by_the_difference_on_the_same_reviews(
    claim: str, first: float, second: float, judged: str
) -> None:
    one, other = COMPARED[claim]
    found = decided(claim, {one: reads(first, first), other: reads(second, second)}, FILMS)
    assert found.verdict == judged
    assert (found.rows[0].arm, found.rows[0].against) == (ROWS[one].label, ROWS[other].label)
    assert verdict(claim, {one: reads(first)}, FILMS) is None


@pytest.mark.parametrize(("seeds", "judged"), [((0.9, 0.97), UNDECIDED), ((0.94, 0.941), HOLDS)])
def test_a_difference_within_the_spread_of_seeds_is_open(seeds: tuple[float, ...], judged: str) -> None:
    found = decided("lstm", {"lstm_pretrained": reads(*seeds), "lstm": reads(0.9, 0.902)}, FILMS)
    assert found.verdict == judged
    assert (float(found.rows[0].over_seeds) <= 0.05) == (judged != UNDECIDED)


def test_linear_classifiers_are_judged_over_films_alone() -> None:
    assert not decided("pairs", {"pairs": reads(0.95), "words": reads(0.9)}, FILMS).rows[0].over_seeds


def test_every_claim_and_every_row_is_one_of_the_declared() -> None:
    names = "pretrained", "linear"
    assert [claim.id for name in names for claim in STUDY.protocol(name).claims] == list(COMPARED)
    protocols = [STUDY.protocol(name) for name in ("pretrained", "recipe", "together")]
    sweeps = [sweep for protocol in protocols for sweep in protocol.sweeps if sweep.compared and not sweep.rates]
    own = {row.arm: row.words for row in ROWS.values() if row.study == "best" and row.arm not in CLASSIFIERS}
    assert own.keys() == {arm for sweep in sweeps for arm in sweep.arms}
    for arm, words in own.items():
        assert (STUDY.arms[arm].settings["pretrained"] or "") == words


def test_a_run_is_measured_with_its_weights_minutes_and_tokens() -> None:
    curves = {"train/epoch_seconds": [60.0, 30.0], "train/tokens_per_second": [10.0, 20.0]}
    run = SimpleNamespace(seed=2, metrics={"parameters": 7.0}, curve=lambda name: ([1, 2], curves[name]))
    found = pretrained.measure_run(STUDY, STUDY.sweep("pretrained_gru"), "gru_pretrained_512", run, SimpleNamespace())  # type: ignore[arg-type]
    table = rows_of("best", found.rows)
    assert set(zip(table.sweep, table.protocol, table.arm, table.seed, strict=True)) == {
        ("pretrained_gru", "pretrained", "gru_pretrained_512", 2)
    }
    assert dict(zip(table.metric, table.value, strict=True)) == {"weights": 7, "minutes": 1.5, "tokens": 1200}


def test_test_reviews_whose_text_is_in_train_or_validation_are_found() -> None:
    reviews = {
        split: [Review(text, 0, 0, "", f"{split}/{place}") for place, text in enumerate(texts)]
        for split, texts in {"train": ["good", "bad"], "validation": ["fine"], "test": ["dull", "fine", "bad"]}.items()
    }
    assert np.load(io.BytesIO(pretrained.in_train(reviews))).tolist() == [1, 2]
