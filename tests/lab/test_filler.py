"""The study of filler tells what a state forgets from what is only harder to read, and judges it by its protocol."""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from experiments.imdb import filler
from experiments.imdb.filler import (
    ANSWER,
    ARMS,
    CONDITIONS,
    NOTHING,
    STATE,
    ByModel,
    area,
    discriminant,
    findings,
    losses_of_claims,
    states_of,
    verdicts,
    what_is_kept,
)
from experiments.lab.findings import Findings
from experiments.lab.results import rows_of
from experiments.lab.rules import FAILS, HOLDS, UNDECIDED, Evidence, evidence_of
from experiments.lab.study import find_study
from sentiment_rnn import runtime
from sentiment_rnn.config.store import run_config
from sentiment_rnn.engine.train import train
from sentiment_rnn.model.classifier import SentimentClassifier
from sentiment_rnn.tracking.names import IDENTITY_TAG, JOB_TAG, STUDY_TAG, SWEEP_TAG
from sentiment_rnn.tracking.store import existing_store
from stored_runs import runs_in

STUDY = find_study("imdb")
PROTOCOL = STUDY.protocol("filler")
SEEDS = range(20, 30)
BEFORE, AFTER = "400 neutral in front", "400 neutral behind"


def test_texts_of_any_length_are_read_as_each_alone_and_give_the_models_answer() -> None:
    torch.manual_seed(0)
    model = SentimentClassifier(
        50,
        embedding={"size": 6, "dropout": 0.0, "word_dropout": 0.0},
        encoder={"_target_": "sentiment_rnn.model.encoders.Lstm", "name": "lstm", "hidden_size": 5},
        pooling={"_target_": "sentiment_rnn.model.pooling.MeanMax", "name": "mean_max", "dropout": 0.0},
        optimizer={},
    ).eval()
    texts = [np.arange(2, 2 + length, dtype=np.int32) for length in (1, 7, 3)]
    together = states_of(model, texts)
    torch.testing.assert_close(together, torch.cat([states_of(model, [text]) for text in texts]))
    assert together.shape == (3, 10)
    longest = model(torch.from_numpy(texts[1]).long()[None], torch.tensor([7]))
    torch.testing.assert_close(model.output(together[1]), longest)


def test_a_line_divides_states_that_the_answer_does_not() -> None:
    random = np.random.default_rng(0)
    labels = np.arange(400) % 2 == 1
    # Two units that nearly agree: their difference tells the classes apart, and neither of them does.
    common = random.normal(size=400)
    states = np.stack([common + 0.1 * labels, common - 0.1 * labels, np.zeros(400)], 1)
    states[:, :2] += 0.02 * random.normal(size=(400, 2))
    assert area(states[:, 0], labels) < 0.6
    line = discriminant(states, labels)
    assert area(states @ line, labels) > 0.99
    assert np.isfinite(discriminant(np.zeros((4, 3)), labels[:4])).all()


def areas(**states: float) -> pd.DataFrame:
    """Areas of ten seeds of each arm: 0.9 in any setting, unless given for the state with the most filler behind."""
    return rows_of("imdb", [
        ("real_text", "filler", arm, condition, seed, None, "test", measure, value)
        for arm in ARMS for condition in CONDITIONS for seed in SEEDS
        for measure, value in ((ANSWER, 0.8), (STATE, states.get(arm, 0.9) if condition == AFTER else 0.9))
    ])  # fmt: skip


def found_in(table: pd.DataFrame) -> Findings:
    return findings(evidence_of(STUDY, PROTOCOL, table), table)


def test_the_line_that_reads_test_states_is_made_of_validation_reviews(monkeypatch: pytest.MonkeyPatch) -> None:
    labels, varied = np.array([True, False] * 50), np.random.default_rng(0).normal(size=100)
    on = {
        "validation": np.stack([labels + 0.1 * varied, varied], 1),  # the first unit tells, the second does not
        "test": np.stack([np.zeros(100), labels + 0.1 * varied], 1),  # the other way round
    }
    monkeypatch.setattr(filler, "data_of", lambda result: None)
    monkeypatch.setattr(filler, "load_tested", lambda result: SimpleNamespace(output=torch.nn.Linear(2, 1)))
    monkeypatch.setattr(
        filler, "read", lambda model, data, split, setting: (labels, torch.from_numpy(on[split]).float())
    )
    found = {of: value for _, of, value in filler.areas(None, [filler.RISING[0]])}  # type: ignore[arg-type]
    assert found[STATE] < 0.9
    assert area(on["test"] @ discriminant(on["test"], labels), labels) == 1


def test_the_share_kept_is_of_the_distance_between_the_classes() -> None:
    kept = what_is_kept(pd.DataFrame({NOTHING: [0.9, 1.0], AFTER: [0.75, 0.9]}))
    assert kept[AFTER][0] == pytest.approx(0.67449 / 1.28155, abs=1e-4)
    assert list(kept[NOTHING]) == [1.0, 1.0]
    assert kept[AFTER][1] == pytest.approx(1.28155 / 4.75342, abs=1e-4), "it has bounds"


def states(**losses: list[float]) -> ByModel:
    """Kept share of the state, by seed: all but the given losses with filler behind."""
    return {
        (STATE, arm): pd.DataFrame(
            {at: 1 - np.array(loss) if at == AFTER else np.ones(len(loss)) for at in CONDITIONS},
            index=range(20, 20 + len(loss)),
        )
        for arm, loss in losses.items()
    }


def judged(losses: Mapping[str, pd.Series], whole: bool = True) -> list[str]:
    evidence = Evidence(STUDY, PROTOCOL, pd.DataFrame(), {}, {}, {})
    return [verdict.verdict for verdict in verdicts(evidence, losses, whole).values()]


@pytest.mark.parametrize(
    ("rnn", "lstm", "expected"),
    [
        ([0.3] * 10, [0.0] * 10, [HOLDS, FAILS, FAILS, HOLDS]),
        ([0.3] * 10, [0.25] * 10, [HOLDS, FAILS, HOLDS, FAILS]),
        ([0.1] * 10, [0.0] * 10, [FAILS] * 4),  # a tenth is not more than a tenth
        ([0.3] * 9 + [0.0], [0.0] * 10, [HOLDS, FAILS, FAILS, HOLDS]),  # 0.021 twice: two other claims are clearer
        ([0.3] * 8 + [0.0] * 2, [0.0] * 10, [UNDECIDED, FAILS, FAILS, UNDECIDED]),
        ([0.3] * 5, [0.0] * 10, [UNDECIDED, FAILS, FAILS, UNDECIDED]),
        ([], [0.0] * 10, [UNDECIDED, FAILS, FAILS, UNDECIDED]),
    ],
)
def test_claims_are_judged_by_how_many_seeds_lose_more_than_a_tenth(
    rnn: list[float], lstm: list[float], expected: list[str]
) -> None:
    losses = losses_of_claims(states(rnn=rnn, gru=[0.05] * 10, lstm=lstm))
    assert judged(losses) == expected
    assert judged(losses, whole=False) == [UNDECIDED] * 4


def test_models_of_a_sweep_are_read_in_every_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "cores", lambda: 1)
    configs = [
        run_config(
            "data=generated", "data.train_reviews=120", "data.test_reviews=40", "data.max_lag=5",
            f"encoder={encoder}", "encoder.hidden_size=8", "embedding.size=8", "trainer.epochs=1", "trainer.threads=1",
            "trainer.accelerator=cpu", "tracking.system_metrics=false", "tracking.record=results",
            f"data.directory={tmp_path}/data", f"tracking.directory={tmp_path}/runs", "seed=20",
        )
        for encoder in ("gru", "rnn", "bag")
    ]  # fmt: skip
    for config in configs:
        train(config, [])
    store, (_, runs) = existing_store(configs[0].tracking), runs_in(tmp_path)
    jobs = {f"{JOB_TAG}{number}": run.data.tags[IDENTITY_TAG] for number, run in enumerate(runs)}
    tags = {SWEEP_TAG: "3", STUDY_TAG: "real_text"} | jobs
    store.client.set_terminated(store.client.create_run(store.experiment_id, tags=tags).info.run_id)
    table = rows_of("imdb", filler.measure(STUDY, PROTOCOL, store).rows)
    assert table[["sweep", "protocol", "arm", "seed", "condition", "metric"]].values.tolist() == [
        ["real_text", "filler", arm, 20, condition, measure]
        for arm in ("rnn", "gru") for condition in CONDITIONS for measure in (ANSWER, STATE)
    ]  # fmt: skip
    assert table.value.between(0, 1).all()
    behind, front = (table[table.condition == at].value.tolist() for at in (AFTER, BEFORE))
    assert behind != front
