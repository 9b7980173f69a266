"""The gradient-flow study on gradients made here."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from made_results import STYLES, give_runs, make_learner, make_result, score_of, style_of
from sentiment_rnn.data.batching import Batch
from sentiment_rnn.probes.state_gradients import GradientFlow
from sentiment_rnn.studies import gradient_flow
from sentiment_rnn.studies.gradient_flow import STUDY
from sentiment_rnn.studies.gradient_flow.claims import higher_in, mixed_arms, verdicts
from sentiment_rnn.studies.gradient_flow.measurements import (
    STEPS,
    Measured,
    Rate,
    by_seed,
    longer_than,
)
from sentiment_rnn.studies.kit.planned_runs import GENERATED, IMDB
from sentiment_rnn.studies.kit.scores import Score
from sentiment_rnn.studies.kit.verdicts import FAILS, HOLDS, IN_PART, UNDECIDED

SEEDS = range(60, 80)
ARMS = {
    "rnn_uniform": 0.6, "rnn": 0.947, "rnn_gain": 1.0, "gru": 0.74, "lstm_forget_0": 0.75, "lstm": 0.97,
    "lstm_forget_3": 1.02, "lstm_forget_5": 1.03, "lstm_chrono_50": 0.99, "lstm_chrono": 0.997,
    "lstm_chrono_2000": 0.999,
}  # fmt: skip
"""Rates before training, a little like those that were measured."""
ALL_STYLES = STYLES | {arm: style_of(arm) for arm in ARMS}


def rates_of(
    arms: dict[str, float], trained: bool, corpus: str = GENERATED, theory: dict[str, float] | None = None
) -> list[Rate]:
    """Of each arm the same rate in all seeds, but for a thousandth from seed to seed; left is its power."""
    return [
        Rate(corpus, arm, seed, trained, found, (theory or {}).get(arm, found), found**STEPS, 0.25, 0.5)
        for arm, rate in arms.items()
        for seed in SEEDS
        for found in (rate + 0.001 * (seed % 3 - 1),)
    ]


def scores_of(learning: dict[str, int]) -> dict[str, dict[int, Score]]:
    """So many seeds of each arm learn, the first."""
    return {arm: {STEPS: score_of(learn, SEEDS)} for arm, learn in learning.items()}


KNOWN = dict.fromkeys(ARMS, 20) | {"rnn_uniform": 0, "lstm_forget_0": 13, "lstm_forget_3": 0, "lstm_forget_5": 0}
REACHED = {"lstm_forget_3": 20, "lstm_forget_5": 20}


def judge(
    after: dict[str, float] | None = None, learning: dict[str, int] | None = None, **rates: Any
) -> dict[int, str]:
    """Verdicts by the number of their claim."""
    trained = after or dict.fromkeys(ARMS, 1.0) | {"lstm": 1.01}
    imdb = [*rates_of({"rnn": 0.95, "lstm": 0.97}, False, IMDB), *rates_of({"rnn": 0.9, "lstm": 0.95}, True, IMDB)]
    found = verdicts(
        [*rates_of(ARMS, False, **rates), *rates_of(trained, True), *imdb], scores_of(learning or KNOWN), ALL_STYLES
    )
    return {number: verdict.verdict for number, verdict in enumerate(found, 1)}


def test_verdicts_follow_the_numbers() -> None:
    theory = {"lstm_forget_0": 0.5, "lstm": 0.73}
    assert judge(theory=theory) == {
        1: HOLDS, 2: HOLDS, 3: IN_PART, 4: HOLDS, 5: HOLDS, 6: FAILS, 7: FAILS, 8: UNDECIDED,
    }  # fmt: skip


def test_a_theory_that_is_off_everywhere_does_not_hold() -> None:
    assert judge(theory=dict.fromkeys(ARMS, 0.3))[3] == FAILS
    assert judge(theory={"rnn_uniform": 0.5})[2] == IN_PART


def test_an_lstm_that_decays_more_after_training_decays_less_in_part() -> None:
    assert judge(after=dict.fromkeys(ARMS, 1.0) | {"lstm": 0.9})[4] == IN_PART


def test_a_gradient_that_training_takes_away_is_no_gain() -> None:
    assert judge(after=dict.fromkeys(ARMS, 0.5))[5] == FAILS


@pytest.mark.parametrize(
    ("learning", "reached", "lost"),
    [
        (KNOWN, FAILS, FAILS),
        (KNOWN | REACHED, HOLDS, FAILS),
        (KNOWN | REACHED | {"lstm_forget_5": 10}, UNDECIDED, FAILS),
        (KNOWN | {"rnn": 0, "gru": 0, "lstm_forget_0": 0}, FAILS, HOLDS),
        (KNOWN | {"rnn": 0, "gru": 0, "lstm_forget_0": 9}, FAILS, UNDECIDED),
    ],
)
def test_one_arm_refutes_a_general_claim_and_an_open_one_leaves_it_open(
    learning: dict[str, int], reached: str, lost: str
) -> None:
    found = judge(learning=learning)
    assert (found[6], found[7]) == (reached, lost)


def test_an_arm_at_the_tenth_is_in_neither_general_claim() -> None:
    tenth = 0.1 ** (1 / STEPS)
    rates = [rate for trained in (False, True) for rate in rates_of({"lstm": tenth}, trained)]
    found = verdicts(rates, scores_of({"lstm": 20}), {"lstm": ALL_STYLES["lstm"]})
    assert [(verdict.verdict, verdict.evidence) for verdict in found[5:7]] == [(UNDECIDED, "No arm is such.")] * 2


def test_seeds_that_learn_are_compared_within_their_arm() -> None:
    # The arm that decays less has fewer seeds that learn: over all arms together the pairs would say the opposite.
    after = [
        rate._replace(measured=base + (0.01 if rate.seed < 60 + learn else 0))
        for arm, base, learn in (("rnn", 0.9, 15), ("lstm", 1.1, 5))
        for rate in rates_of({arm: base}, trained=True)
    ]
    mixed = mixed_arms(after, scores_of({"rnn": 15, "lstm": 5}))
    assert [(arm.arm, len(arm.learn), len(arm.fail)) for arm in mixed] == [("rnn", 15, 5), ("lstm", 5, 15)]
    (found,) = verdicts([*after, *rates_of(ARMS, False)], scores_of({"rnn": 15, "lstm": 5}), ALL_STYLES)[7:]
    assert found.verdict == HOLDS
    assert "in 100 % the one that learns has the higher rate after training, p = 1e-05" in found.evidence
    turned = [rate._replace(measured=-rate.measured) for rate in after]
    (found,) = verdicts([*turned, *rates_of(ARMS, False)], scores_of({"rnn": 15, "lstm": 5}), ALL_STYLES)[7:]
    assert found.verdict == FAILS


def test_seeds_that_have_both_values_are_counted() -> None:
    assert higher_in({1: 0.2, 2: 0.3, 3: 0.1}, {1: 0.1, 2: 0.3, 4: 0.0}) == (1, 2)


def test_reviews_that_are_too_short_are_left_out() -> None:
    batch = Batch(*(np.arange(3) for _ in range(4)))  # type: ignore[arg-type]
    kept = longer_than(STEPS, batch._replace(lengths=np.array([STEPS, STEPS + 1, 80])))  # type: ignore[arg-type]
    assert [part.tolist() for part in kept] == [[1, 2], [STEPS + 1, 80], [1, 2], [1, 2]]


def flow(rate: float) -> GradientFlow:
    """A gradient that is multiplied by `rate` at each step, and is halved once more at the embedded tokens."""
    shares = rate ** np.arange(70.0)
    return GradientFlow(shares, np.where(np.arange(70) == 0, 1.0, shares / 2), rate, denormal=0.25, vanished=0.5)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder with what was measured of three arms, of which one learns with half of its seeds."""
    arms = {"rnn_uniform": 0.6, "rnn": 0.95, "lstm": 0.97}
    rates = arms | {"gru": 0.74}
    runs = [
        make_learner(arm, 50, seed, arm == "lstm" or (arm == "rnn" and seed % 2 == 0)) for arm in arms for seed in SEEDS
    ]
    imdb = [make_result(arm, seed=seed) for arm in ("rnn", "gru", "bag", "lstm") for seed in range(20, 31)]

    def gradients(corpus: str, results: list[Any]) -> list[Measured]:
        return [
            Measured(corpus, run.encoder, run.seed, trained, flow(rates[run.encoder] + 0.01 * trained * (run.seed % 2)))
            for run in results
            for trained in (False, True)
        ]

    give_runs(monkeypatch, {"gradient_flow_50": runs})
    monkeypatch.setattr(
        gradient_flow, "results_of_sweeps", lambda _, name: {"gradient_flow_50": runs, "real_text": imdb}[name]
    )
    monkeypatch.setattr(gradient_flow, "gradients", gradients)
    store: Any = None
    STUDY.measure(store, STUDY.sweeps).write(tmp_path)
    return tmp_path


def test_gradients_come_back(measured: Path) -> None:
    found = STUDY.findings(measured)
    left, rates, mixed = found.tables
    assert [row[0] for row in left.rows] == ["RNN, uniform", "RNN, orthogonal", "LSTM, forget bias 1"]
    assert left.rows[1][1:] == (f"{0.95**50 / 2:.2g}", "0.038 to 0.038", "10/20 (27 to 73 %)")
    assert [row[:3] for row in rates.rows if row[0] == IMDB] == [
        ("IMDb", label, when)
        for label in ("RNN, orthogonal", "gru", "LSTM, forget bias 1")
        for when in ("before", "after")
    ]
    assert rates.rows[0][3:] == ("0.600 ± 0.000", "0.600 ± 0.000", f"{0.6**50 / 2:.2g}", "25.0", "50.0")
    assert mixed.rows == [("RNN, orthogonal", "10", "0.950 ± 0.000", "10", "0.960 ± 0.000")]
    assert set(found.figures) == {"gradient_flow", "imdb", "left", "rates", "mixed"}
    assert len([axes for axes in found.figures["gradient_flow"].axes if axes.get_visible()]) == 3
    assert len([axes for axes in found.figures["imdb"].axes if axes.get_visible()]) == 3
    assert [verdict.verdict for verdict in found.verdicts] == [
        HOLDS, IN_PART, IN_PART, HOLDS, UNDECIDED, HOLDS, UNDECIDED, FAILS,
    ], "an arm that was not run leaves its part open"  # fmt: skip


def test_with_seeds_that_are_not_the_protocols_nothing_is_found(measured: Path) -> None:
    for file in ("results.csv", "validation.csv", "learning_steps.csv"):
        rows = (measured / file).read_text()
        (measured / file).write_text(
            "\n".join(line.replace(",6", ",16").replace(",7", ",17") for line in rows.splitlines())
        )
    found = STUDY.findings(measured)
    assert (found.tables, found.verdicts) == ([], [])


def test_values_of_an_arm_are_those_of_its_seeds() -> None:
    rates = [*rates_of(ARMS, False), *rates_of(ARMS, True)]
    assert by_seed(rates, GENERATED, "gru", False, lambda one: one.seed) == {seed: seed for seed in SEEDS}
    assert by_seed(rates, IMDB, "gru", False, lambda one: one.seed) == {}
