"""The study of gradients judges its claims as its protocol says, from what it measures of models of runs."""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from trained_runs import trained_run

from experiments.gradient import gradient_flow, models
from experiments.gradient.gradient_flow import (
    SEEDS,
    STEPS,
    findings,
    verdicts,
)
from experiments.gradient.models import (
    AFTER,
    BEFORE,
    GENERATED,
    IMDB,
    condition,
    data_of,
    planned_runs,
    probed,
    values_of_models,
)
from experiments.lab.results import read_results, rows_of
from experiments.lab.rules import HOLDS, IN_PART, UNDECIDED, Evidence, Numbers, evidence_of
from experiments.lab.study import find_study
from experiments.lab.sweeps import Row
from sentiment_rnn.errors import UserError
from sentiment_rnn.tracking.results import RecordedRun

STUDY = find_study("gradient")
PROTOCOL = STUDY.protocols["gradient_flow"]
ARMS = {
    "rnn_uniform": 0.6, "rnn": 0.947, "rnn_gain": 1.0, "rnn_relu": 0.992, "gru": 0.74, "lstm_forget_0": 0.75,
    "lstm": 0.97, "lstm_forget_3": 1.02, "lstm_forget_5": 1.03, "lstm_chrono_50": 0.99, "lstm_chrono": 0.997,
    "lstm_chrono_2000": 0.999,
}  # fmt: skip
"""Rates before training, a little like those that were measured."""
KNOWN = dict.fromkeys(ARMS, 20) | {"rnn_uniform": 0, "lstm_forget_0": 13, "lstm_forget_3": 0, "lstm_forget_5": 0}
"""How many seeds of each learn."""
READ = {BEFORE: {"rnn": 0.95, "gru": 0.74, "lstm": 0.97}, AFTER: {"rnn": 0.9, "gru": 0.99, "lstm": 0.95}}
"""Rates on IMDb."""


def rates(
    arms: Mapping[str, float], training: str, reviews: str = GENERATED, theory: Mapping[str, float] | None = None
) -> Iterator[Row]:
    """Rows of each arm with the same rate in all seeds, up to a thousandth; `left` is a power of the rate."""
    for arm, rate in arms.items():
        for seed in SEEDS[reviews]:
            found = rate + 0.001 * (seed % 3 - 1)
            metrics = {"rate": found, "theory": (theory or {}).get(arm, found), "left": found**STEPS}
            metrics |= {"denormal_share": 0.25, "zero_share": 0.5}
            at = "made", "gradient_flow", arm, condition(reviews, training), seed, None, "train"
            yield from ((*at, metric, value) for metric, value in metrics.items())


def accuracies(learning: Mapping[str, int]) -> Iterator[Row]:
    """So many seeds of each arm learn, the first."""
    for arm, learn in learning.items():
        for place, seed in enumerate(SEEDS[GENERATED]):
            accuracy = 0.99 if place < learn else 0.5
            yield "gradient_flow_50", "gradient_flow", arm, "50", seed, None, "test", "accuracy", accuracy


def evidence_on(*rows: Iterator[Row]) -> Evidence:
    return evidence_of(STUDY, PROTOCOL, rows_of("gradient", [row for of in rows for row in of]))


def rows_made(
    after: Mapping[str, float] | None = None,
    learning: Mapping[str, int] | None = None,
    theory: Mapping[str, float] | None = None,
) -> list[Iterator[Row]]:
    """All that a whole protocol has."""
    trained = after or dict.fromkeys(ARMS, 1.0) | {"lstm": 1.01}
    imdb = [rates(arms, training, IMDB) for training, arms in READ.items()]
    return [accuracies(learning or KNOWN), rates(ARMS, BEFORE, theory=theory), rates(trained, AFTER), *imdb]


def judge(**made: Any) -> dict[str, str]:
    """The verdict on each claim."""
    evidence = evidence_on(*rows_made(**made))
    return {claim: one.verdict for claim, one in verdicts(evidence, values_of_models(evidence, SEEDS)).items()}


def test_verdicts_follow_the_numbers() -> None:
    assert judge() == {"decays": HOLDS, "lstm_decays_less": HOLDS}
    assert judge(after=dict.fromkeys(ARMS, 1.0)) == {"decays": HOLDS, "lstm_decays_less": IN_PART}


def test_while_a_seed_is_missing_nothing_is_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gradient_flow, "figures", Mock())
    evidence = evidence_on(*rows_made())
    table = evidence.table[~(evidence.table.condition.str.startswith(IMDB) & (evidence.table.seed == 29))]
    found = findings(replace(evidence, table=table), table)
    assert {verdict.verdict for verdict in found.verdicts.values()} == {UNDECIDED}
    assert {verdict.rows[-1] for verdict in found.verdicts.values()} == {Numbers("seeds still to come", number="1")}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RecordedRun:
    return trained_run(tmp_path_factory.mktemp("run"), "lstm", seed=20, lag=60)


def test_models_of_a_run_give_each_kind_of_committed_number(run: RecordedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "trained_runs", lambda *_: [run])
    monkeypatch.setattr(gradient_flow, "READ_IMDB", ("lstm",))
    monkeypatch.setattr(gradient_flow, "SEEDS", {GENERATED: range(21), IMDB: range(20, 30)})
    protocol = replace(PROTOCOL, sweeps=(replace(PROTOCOL.sweeps[-1], arms=("lstm",)),))
    store: Any = None
    found = gradient_flow.measure(STUDY, protocol, store)
    committed = read_results(STUDY.folder)
    own = committed[(committed.protocol == "gradient_flow") & committed.condition.str.endswith("training")]
    kinds = ["sweep", "protocol", "condition", "split", "metric"]
    measured = rows_of("gradient", found.rows)
    assert set(measured[kinds].itertuples(index=False)) == set(own[kinds].itertuples(index=False))
    values = {row[-2]: row[-1] for row in found.rows if row[3] == condition(GENERATED, BEFORE)}
    assert values["theory"] == pytest.approx(0.73, abs=0.02), "of an LSTM with forget bias 1"
    assert isinstance(found.files["curves.csv"], str)
    header, first, *_ = found.files["curves.csv"].splitlines()
    assert (header, first) == ("corpus,arm,trained,lag,left,least,most", "generated,lstm,0,0,1,1,1")


def test_runs_are_those_of_the_protocol_by_arm_and_seed(run: RecordedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    others = [copy.deepcopy(run) for _ in range(3)]
    for other, seed in zip(others, (22, 1, 21), strict=True):
        other.run.data.params["seed"] = str(seed)
    monkeypatch.setattr(models, "trained_runs", lambda *_: [*others, run])
    store: Any = None
    found = planned_runs(store, "real_text", ("lstm",), range(20, 30))
    assert [one.seed for one in found] == [20, 21, 22]
    with pytest.raises(UserError, match=r"no run of encoder=rnn has a seed of the protocol \(20 to 29\)"):
        planned_runs(store, "real_text", ("lstm", "rnn"), range(20, 30))


def test_an_encoder_that_cannot_be_unrolled_is_refused_by_name(run: RecordedRun) -> None:
    def probe(_: object) -> None:
        raise ValueError("Gru: expected one layer")

    with pytest.raises(UserError, match=r"^run \w+: Gru: expected one layer; leave encoder=lstm out of this study$"):
        list(probed(run, data_of(run), probe))


def test_curves_that_are_gone_are_one_line(tmp_path: Path) -> None:
    evidence = replace(evidence_on(*rows_made()), study=replace(STUDY, output=tmp_path))
    with pytest.raises(UserError, match=r"curves.csv: not there; put the committed file back"):
        findings(evidence, evidence.table)
