"""The findings of `reach` are what its protocol says, for whoever relies on them.

`reach_from_protocol` was written from the protocol's text by somebody who had not read the lab's code. It and the lab
read the same results.csv, made up or committed. The protocol states the seed of every resample, so bounds agree too.
"""

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import reach_from_protocol as protocol

from experiments.lab import reach
from experiments.lab.reach_findings import DrawnEvidence, adjusted_p, judge, parts_of, tables, verdicts
from experiments.lab.results import read_results, results_csv, rows_of
from experiments.lab.rules import FAILS, HOLDS, IN_PART, UNDECIDED
from experiments.lab.statistics import LEVEL
from experiments.lab.study import find_study

STUDY = find_study("reach")
ARMS, LAGS = tuple(STUDY.arms), (50, 100, 200, 400)
EXACTLY = 1e-12
WORDS = {"holds": HOLDS, "in part": IN_PART, "does not hold": FAILS, "inconclusive": UNDECIDED}
COMMITTED = STUDY.folder / "results.csv"


def made_up(random: np.random.Generator) -> pd.DataFrame:
    """Runs of all arms at all lags, and new draws: windows of any width, ties, and runs that diverged.

    At 100 no ReLU RNN succeeds, every LRU does, and an LSTM of two layers ends as one of one. Few RNNs succeed at 50.
    There a run of the RNN that stays orthogonal is missing, so a comparison is open.
    """
    rows: list[tuple[object, ...]] = []
    sweeps = [("reach", arm, lag, range(100, 132)) for arm, lag in itertools.product(ARMS, LAGS)]
    seed = random.integers(1000)
    twins = [np.random.default_rng(seed), np.random.default_rng(seed)]
    for sweep, arm, lag, draws in [*sweeps, *(("again", arm, 100, range(200, 232)) for arm in ("lstm", "gru"))]:
        runs = twins.pop() if (sweep, lag) == ("reach", 100) and arm in ("lstm", "lstm_layers_2") else random
        width = {("rnn_relu", 100): 0.0, ("lru", 100): 1.0, ("rnn", 50): 0.05}.get((arm, lag), runs.random())
        for draw in draws:
            good = runs.random() < width
            for seed in (10 * draw, 10 * draw + 1):
                if (sweep, arm, lag, seed) == ("reach", "rnn_orthogonal", 50, 1311):
                    continue
                at = f"{sweep}_{arm}_{lag}", "reach", arm, str(lag), seed, draw
                rows += [(*at, "train", "learning_rate", 0.001), (*at, "train", "clip_norm", 1.0)]
                if runs.random() < 0.1 and width < 1:
                    rows.append((*at, "validation", "final_accuracy", np.nan))
                    continue
                learned = width == 1 or (good and runs.random() < 0.9)
                final = runs.choice([0.9, 0.99, 0.995]) if learned else runs.choice([0.5, 0.9, runs.uniform(0.5, 0.9)])
                trained = runs.choice([900, 1350, 1800]) if learned else 1800
                validation = {
                    "final_accuracy": final,
                    "trained_steps": trained,
                    "steps": runs.choice([225, 450, trained]) if learned else trained,
                    "learned": float(learned),
                }
                test = {"accuracy": runs.choice([0.9001, 0.99]) if learned else runs.choice([0.9, 0.6])}
                test |= {f"accuracy_at_{lag * tenths // 10}": runs.choice([0.9, 0.95]) for tenths in (8, 10, 12)}
                for split, measured in (("validation", validation), ("test", test)):
                    rows += [(*at, split, metric, value) for metric, value in measured.items()]
    return rows_of("reach", rows)


def read_both(folder: Path) -> tuple[pd.DataFrame, DrawnEvidence]:
    """The rows of results.csv, and the same as the lab reads them."""
    table = read_results(folder)
    own = pd.read_csv(folder / "results.csv", dtype=str, keep_default_na=False)
    return own, DrawnEvidence(STUDY, STUDY.protocol("reach"), table[table.protocol == "reach"])


def check_arms(rows: pd.DataFrame, evidence: DrawnEvidence) -> int:
    """Compare S(k), intervals, windows and what is shown without a verdict; returns how many arms are whole."""
    shown = tables(evidence)
    of_table = {
        name: {(arm, at): cells for arm, at, *cells in shown[name].rows if at}
        for name in ("apart", "steps")
        if name in shown
    }
    whole = 0
    sweeps = [("reach", arm, lag) for arm, lag in itertools.product(ARMS, LAGS)]
    for prefix, arm, lag in [*sweeps, ("again", "lstm", 100), ("again", "gru", 100)]:
        expected, runs = (
            protocol.read_arm(rows, prefix, arm, lag),
            evidence.runs(arm, str(lag), again=prefix == "again"),
        )
        assert (expected is None) == (runs is None), (prefix, arm, lag)
        if expected is None or runs is None:
            continue
        whole += 1
        for k in protocol.SIZES:
            bounds = float(protocol.search_success(expected, k)), *protocol.interval(expected, k)
            assert reach.success_interval(runs, k) == pytest.approx(bounds, abs=EXACTLY), (prefix, arm, lag, k)
        count, low, high = protocol.window(expected)
        assert reach.window_interval(runs) == pytest.approx((count / 32, low, high), abs=EXACTLY)
        assert reach.best_draw(runs) == runs.draws[expected.best_draw()]
        if (prefix, lag) == ("reach", 100):
            fresh = rows.draw[rows.sweep == f"best_{arm}_100"]
            assert set(fresh) <= {runs.draws[expected.best_draw()]}, f"{arm}: fresh seeds are at the best draw"
        if prefix == "reach":
            key, succeed = (evidence.label(arm), str(lag)), int(expected.succeeds.sum())
            apart = [f"{expected.above_90_at(at)}/{succeed}" for at in sorted(expected.at_lag)]
            assert of_table["apart"][key] == apart
            passed = [f"{64 * expected.passed_by(step)}/64" for step in range(225, 1801, 225)]
            assert of_table["steps"][key] == passed
    return whole


def check_claims(rows: pd.DataFrame, evidence: DrawnEvidence) -> dict[int, str]:
    """Compare every part of every claim; returns the verdicts by the claims' numbers."""
    parts = protocol.judge_parts(rows)
    adjusted = adjusted_p(evidence)
    assert len(adjusted) == sum(part.corrected is not None for part in parts) == 15
    ruled = verdicts(evidence)
    expected = protocol.verdicts(parts)
    for number, claim in enumerate(evidence.protocol.claims, 1):
        of_claim = {(*part.arms, str(part.lag)): part for part in parts if part.claim == number}
        assert set(parts_of(claim)) == set(of_claim)
        for key, part in of_claim.items():
            p = adjusted.get((claim.id, key), 1.0)
            if part.corrected is not None:
                assert p == pytest.approx(part.corrected, abs=EXACTLY), (claim.id, key)
                assert abs(p - LEVEL) > EXACTLY, "rounding would decide"
            true, _ = judge(claim, evidence, key, p)
            assert true == part.true, (claim.id, key)
            if part.rule in ("further", "alike", "agrees") and part.difference is not None:
                first, second = (evidence.runs(arm, key[-1]) for arm in (*part.arms, *part.arms)[:2])
                again = part.rule == "agrees"
                if again:
                    first = evidence.runs(key[0], key[-1], again=True)
                assert first is not None
                assert second is not None
                assert part.interval is not None
                found = reach.success_difference(first, second, again=again)
                assert found == pytest.approx((float(part.difference), *part.interval), abs=EXACTLY), (claim.id, key)
        if claim.id in ruled:
            assert ruled[claim.id].verdict == WORDS[expected[number]], claim.id
        else:
            assert expected[number] == "inconclusive", "no part of it was run"
    return expected


@pytest.mark.parametrize("seed", range(2))
def test_made_up_results_have_the_findings_that_the_protocol_says(seed: int, tmp_path: Path) -> None:
    (tmp_path / "results.csv").write_text(results_csv(made_up(np.random.default_rng(seed))))
    rows, evidence = read_both(tmp_path)
    assert check_arms(rows, evidence) == len(ARMS) * len(LAGS) + 2 - 1
    check_claims(rows, evidence)


def test_committed_results_have_the_findings_that_the_protocol_says() -> None:
    if not COMMITTED.is_file():
        pytest.skip("the study reach has no committed results yet")
    rows, evidence = read_both(STUDY.folder)
    assert check_arms(rows, evidence)
    check_claims(rows, evidence)
