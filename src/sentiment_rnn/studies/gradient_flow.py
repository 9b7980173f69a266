"""Why does one encoder remember and another not? The gradient on its way back through the states, start by start."""

import numpy as np
from scipy.stats import spearmanr

from sentiment_rnn import runtime
from sentiment_rnn.analysis.statistics import Interval
from sentiment_rnn.analysis.tables import Table
from sentiment_rnn.studies.findings import Findings, Verdict, csv_text, judged, least_to_most, listed, mean_of
from sentiment_rnn.studies.gradient_figures import flow_figure, rate_figure, span_figure
from sentiment_rnn.studies.measured import (
    LONGEST,
    SHARE,
    BySeed,
    Measured,
    before_training,
    during_training,
    learnt_spans,
    reaches,
)
from sentiment_rnn.studies.spans import LEARN
from sentiment_rnn.studies.starts import LABELS, distance_of
from sentiment_rnn.tracking.results import runs_of
from sentiment_rnn.tracking.store import Store

EXPERIMENTS = ("gradient_flow_imdb",)
NEEDS = {"learning": LEARN}
AT_ONE_DISTANCE = "memory_learn_100"
"""The sweep of the learning study whose runs keep a checkpoint of every epoch."""


def findings(store: Store) -> Findings:
    """What the sweeps say, and what the spans of the learning study say of it."""
    runtime.prepare(runtime.cores())
    generated = runs_of(store, AT_ONE_DISTANCE)
    measured = [
        *during_training(store, "generated, distance 100", [run for run in generated if distance_of(run) == 100]),
        *during_training(store, "IMDb", runs_of(store, "gradient_flow_imdb")),
    ]
    before = list(before_training(store, [run for run in generated if distance_of(run) == LONGEST]))
    reached, found = reaches(before), learnt_spans(store)
    everything = [*measured, *before]
    return Findings(
        tables=[rate_table(everything), span_table(before, reached, found)],
        figures={
            "gradient_flow": flow_figure(measured, before),
            "rates": rate_figure(everything),
            "span": span_figure(reached, found),
        },
        results=csv_text(
            ("corpus", "encoder", "seed", "epoch", "rate", "predicted_rate", "denormal_share", "zero_share"),
            [
                (m.corpus, m.encoder, m.seed, m.epoch, m.flow.rate, m.flow.predicted, m.flow.denormal, m.flow.vanished)
                for m in everything
            ],
        ),
        verdicts=verdicts(measured, before, reached, found),
    )


def rate_table(measured: list[Measured]) -> Table:
    """Measured and predicted rate per step, before and after training; the shares of elements lost in float32."""
    rows = []
    for corpus in dict.fromkeys(m.corpus for m in measured):
        of_corpus = [m for m in measured if m.corpus == corpus]
        for name in [n for n in LABELS if any(m.encoder == n for m in of_corpus)]:
            for epoch in sorted({0, max(m.epoch for m in of_corpus)}):
                flows = [m.flow for m in of_corpus if m.encoder == name and m.epoch == epoch]
                rows.append((
                    corpus, LABELS[name], "before training" if epoch == 0 else f"after {epoch} epochs",
                    mean_of([f.rate for f in flows], 3), mean_of([f.predicted for f in flows], 3),
                    f"{100 * np.mean([f.denormal for f in flows]):.1f}",
                    f"{100 * np.mean([f.vanished for f in flows]):.1f}",
                ))  # fmt: skip
    columns = ("reviews", "encoder", "when", "rate per step", "theory", "denormal [%]", "zero [%]")
    return Table("What a gradient is multiplied by at each step back; elements of ∂L/∂h lost in float32", columns, rows)


def span_table(before: list[Measured], reached: BySeed, found: BySeed) -> Table:
    """Reach before training beside the memory span after it."""
    rows = []
    for name in [n for n in LABELS if n in reached]:
        rate = mean_of([m.flow.rate for m in before if m.encoder == name], 3)
        tokens = (listed(by_seed[seed] for seed in sorted(by_seed)) for by_seed in (reached[name], found[name]))
        rows.append((LABELS[name], rate, *tokens))
    columns = ("encoder", "rate per step before training", "reach [tokens], by seed", "span learnt [tokens], by seed")
    return Table(f"How far back {SHARE:g} of the gradient is left before training, and the span learnt", columns, rows)


def verdicts(measured: list[Measured], before: list[Measured], reached: BySeed, found: BySeed) -> list[Verdict]:
    """Whether the gradient vanishes, and whether starts that let it reach further learn longer spans."""
    uniform, usual = ([m.flow.rate for m in before if m.encoder == name] for name in ("rnn_uniform", "rnn"))
    trained = {
        corpus: [m.flow.rate for m in measured if m.corpus == corpus and m.encoder.startswith("rnn") and m.epoch > 0]
        for corpus in dict.fromkeys(m.corpus for m in measured)
    }
    vanishes = [bool(rates) and all(rate < 1 for rate in rates) for rates in (uniform, usual, *trained.values())]
    while_trained = " and ".join(f"{least_to_most(rates, 3)} ({corpus})" for corpus, rates in trained.items())
    correlation = rank_correlation(reached, found)
    return [
        Verdict(
            "The gradient of a vanilla RNN decays at each step back.",
            judged(all(vanishes), any(vanishes)),
            f"Before training it is multiplied by {least_to_most(uniform, 3)} at each step with a uniform start, by "
            f"{least_to_most(usual, 3)} with an orthogonal one; while it is trained, by {while_trained}, least and "
            "most of starts, seeds and epochs.",
        ),
        Verdict(
            "That is the cause: a start whose gradient reaches further learns a longer span.",
            judged(correlation.low > 0.5, correlation.low > 0),
            f"Over {len(reached)} starts the reach of the gradient before training and the span learnt at one distance "
            f"have a rank correlation of {correlation.estimate:.2f} ({correlation.low:.2f} to {correlation.high:.2f}).",
        ),
    ]


def rank_correlation(reached: BySeed, found: BySeed, resamples: int = 2000, seed: int = 0) -> Interval:
    """Spearman's correlation of the means over seeds, a pair a start, with a 95 % bootstrap interval.

    The starts are resampled, not the runs, since the seeds of a start are near-copies; NaN where all are alike.
    """
    random = np.random.default_rng(seed)
    pairs = np.array([(np.mean(list(reached[n].values())), np.mean(list(found[n].values()))) for n in reached])
    drawn = [pairs[random.integers(0, len(pairs), len(pairs))] for _ in range(resamples)]
    values = [_spearman(sample) for sample in [pairs, *drawn]]
    low, high = np.nanquantile(values[1:], [0.025, 0.975]) if np.isfinite(values[1:]).any() else (np.nan, np.nan)
    return Interval(values[0], float(low), float(high))


def _spearman(pairs: np.ndarray) -> float:
    if not np.ptp(pairs[:, 0]) or not np.ptp(pairs[:, 1]):
        return float("nan")
    return float(spearmanr(pairs[:, 0], pairs[:, 1]).statistic)
