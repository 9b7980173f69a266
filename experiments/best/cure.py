"""What a language model leaves in a vanilla RNN, by `protocols/2026-11-29_cure.md`: gradient and memory."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from tqdm import tqdm

from experiments.gradient.state_gradients import NOTHING
from experiments.imdb.filler import MARGIN, MOST, STATE, Setting, areas, lost, what_is_kept
from experiments.lab.findings import Findings
from experiments.lab.results import values_of
from experiments.lab.rules import NO_SEED, Evidence, Numbers, Verdict, judged, most, tally
from experiments.lab.statistics import geometric_interval, sign_p
from experiments.lab.study import Protocol, Study
from experiments.lab.sweeps import Measured, trained_runs
from sentiment_rnn import runtime
from sentiment_rnn.report.statistics import percent, spread, t_interval, with_deviation
from sentiment_rnn.report.tables import Table
from sentiment_rnn.tracking.results import RecordedRun
from sentiment_rnn.tracking.store import Store

BACK = 100
"""Steps back at which the gradient is measured."""
BEFORE, AFTER = "left_before", "left_after"
"""Share of the gradient at the last token that is left `BACK` steps back, before training and after it."""
SETTINGS = (Setting(0), Setting(MOST))
"""Neutral tokens behind a review."""
CLAIM = "remembers"
ARMS = ("rnn", "rnn_pretrained")
"""From drawn weights, and from a language model."""


def measure(study: Study, protocol: Protocol, store: Store, overrides: Sequence[str] = ()) -> Measured:
    """Gradient and areas of every run that is compared."""
    runtime.prepare(runtime.cores())
    runs = [
        (sweep, run)
        for sweep in protocol.sweeps if sweep.compared
        for run in trained_runs(store, sweep.name, overrides)
    ]  # fmt: skip
    found = Measured()
    for sweep, run in tqdm(runs, "Measuring", unit=" runs", disable=None, leave=False):
        for condition, metric, value in measures_of(run):
            found.rows.append(
                (sweep.name, protocol.name, *sweep.arms, condition, run.seed, None, "test", metric, value)
            )
    return found


def measures_of(run: RecordedRun) -> Iterator[tuple[str, str, float]]:
    """Condition, metric and value of all that is measured of a run."""
    steps, before, after = run.gradients
    (at,) = np.flatnonzero(steps == BACK)
    yield "", BEFORE, max(before[at] / before[0], NOTHING)
    yield "", AFTER, max(after[at] / after[0], NOTHING)
    for setting, of, area in areas(run, SETTINGS):
        if of == STATE:
            yield setting.condition, STATE, area


def findings(evidence: Evidence, table: pd.DataFrame) -> Findings:
    """Accuracy, gradient and memory of both arms, and the verdict on memory; nothing before they were measured."""
    rows = table[table.protocol == evidence.protocol.name]
    rows = rows[rows.seed.isin({seed for arm in evidence.arms for seed in evidence.protocol.seeds(arm, "")})]
    areas_of = {
        arm: rows[(rows.arm == arm) & (rows.metric == STATE)].pivot(index="seed", columns="condition", values="value")
        for arm in evidence.arms
    }
    if not {*ARMS} <= areas_of.keys() or any(of_arm.empty for of_arm in areas_of.values()):
        return Findings()
    kept = {arm: what_is_kept(of_arm)[Setting(MOST).condition] for arm, of_arm in areas_of.items()}
    return Findings({"cure": cure_table(evidence, rows, kept)}, {CLAIM: verdict(evidence, kept)})


def cure_table(evidence: Evidence, rows: pd.DataFrame, kept: dict[str, pd.Series]) -> Table:
    """An arm a row: accuracy over its seeds, gradient that is left, and what its state keeps of a review."""
    left = {metric: values_of(rows, metric) for metric in (BEFORE, AFTER)}
    lines = []
    for arm in evidence.arms:
        accuracies = 100 * np.array([*evidence.scores[arm, ""].values()])
        shares = (geometric_interval([*of[arm, ""].values()]).estimate for of in left.values())
        keeps = percent(t_interval([*kept[arm]]), unit="") if len(kept[arm]) > 1 else ""
        lines.append((
            evidence.label(arm), with_deviation(spread(accuracies), 1), f"{accuracies.min():.1f}",
            f"{accuracies.max():.1f}", *(f"{share:.2g}" for share in shares), keeps,
            f"{len(kept[arm])}/{len(accuracies)}",
        ))  # fmt: skip
    title = (
        f"Test accuracy [%], mean ± deviation; gradient left {BACK} steps back before and after training, geometric "
        f"means; share [%] kept over {MOST} neutral tokens (95 % t interval), of the seeds that know something"
    )
    return Table(title, ("arm", "mean", "worst", "best", "left before", "after", "kept", "seeds"), lines)


def verdict(evidence: Evidence, kept: dict[str, pd.Series]) -> Verdict:
    """Whether most seeds from a language model keep more than `MARGIN` more, by the sign test of the protocol."""
    drawn, pretrained = ARMS
    leads = (kept[pretrained] - kept[drawn]).dropna()
    whole = all(evidence.whole(arm, "") for arm in ARMS)
    row = Numbers(f"over {100 * MARGIN:g} points more", evidence.label(pretrained), NO_SEED, evidence.label(drawn))
    if leads.empty:
        return Verdict(judged(None), (row,))
    ahead = lost(leads)
    p = sign_p(*ahead)
    return Verdict(judged(most(*ahead, p) if whole else None), (row._replace(number=tally(*ahead), p=f"{p:.2g}"),))
