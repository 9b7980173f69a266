"""Why does one encoder remember and another not? The gradient on its way back through the states."""

from collections.abc import Sequence

import numpy as np
from scipy.stats import spearmanr

from sentiment_rnn import runtime
from sentiment_rnn.report.statistics import Interval
from sentiment_rnn.report.tables import Table
from sentiment_rnn.studies.gradient_flow.figures import flow_figure, rate_figure, span_figure
from sentiment_rnn.studies.gradient_flow.measurements import (
    LONGEST,
    SHARE,
    Measured,
    TokensBySeed,
    before_training,
    during_training,
    learnt_spans,
    reaches,
)
from sentiment_rnn.studies.kit.encoder_groups import Styles, distance_of, plain_styles_of, styles_of
from sentiment_rnn.studies.kit.findings import Findings, Verdict, csv_text, judged, least_to_most, listed, mean_of
from sentiment_rnn.studies.kit.memory_spans import LEARN
from sentiment_rnn.studies.kit.study import Study, Sweep
from sentiment_rnn.tracking.results import results_of_sweeps
from sentiment_rnn.tracking.store import Store

AT_ONE_DISTANCE = "memory_learn_100"
"""The sweep of the learning study whose runs keep a checkpoint of every epoch."""


def findings(store: Store) -> Findings:
    """Findings from the runs on IMDb and those of the learning study."""
    runtime.prepare(runtime.cores())
    generated, imdb = results_of_sweeps(store, AT_ONE_DISTANCE), results_of_sweeps(store, "gradient_flow_imdb")
    styles = styles_of([*generated, *imdb])
    measured = [
        *during_training("generated, distance 100", [result for result in generated if distance_of(result) == 100]),
        *during_training("IMDb", imdb),
    ]
    before = list(before_training([result for result in generated if distance_of(result) == LONGEST]))
    reached, learnt = reaches(before), learnt_spans(results_of_sweeps(store, *LEARN))
    everything = [*measured, *before]
    return Findings(
        tables=[decay_rate_table(everything, styles), reach_table(before, reached, learnt, styles)],
        figures={
            "gradient_flow": flow_figure(measured, before, styles, plain_styles_of(imdb)),
            "rates": rate_figure(everything, styles),
            "span": span_figure(reached, learnt, styles),
        },
        results=csv_text(
            ("corpus", "encoder", "seed", "epoch", "rate", "predicted_rate", "denormal_share", "zero_share"),
            [
                (m.corpus, m.encoder, m.seed, m.epoch, m.flow.rate, m.flow.predicted, m.flow.denormal, m.flow.vanished)
                for m in everything
            ],
        ),
        verdicts=verdicts(measured, before, reached, learnt),
    )


def decay_rate_table(measured: Sequence[Measured], styles: Styles) -> Table:
    """Measured and predicted rate per step, before and after training; the shares of elements lost in float32."""
    rows = []
    for corpus in dict.fromkeys(m.corpus for m in measured):
        of_corpus = [m for m in measured if m.corpus == corpus]
        for encoder in dict.fromkeys(m.encoder for m in of_corpus):
            for epoch in sorted({0, max(m.epoch for m in of_corpus)}):
                flows = [m.flow for m in of_corpus if m.encoder == encoder and m.epoch == epoch]
                rows.append((
                    corpus, styles[encoder].label, "before training" if epoch == 0 else f"after {epoch} epochs",
                    mean_of([f.rate for f in flows], 3), mean_of([f.predicted for f in flows], 3),
                    f"{100 * np.mean([f.denormal for f in flows]):.1f}",
                    f"{100 * np.mean([f.vanished for f in flows]):.1f}",
                ))  # fmt: skip
    columns = ("reviews", "encoder", "when", "rate per step", "theory", "denormal [%]", "zero [%]")
    return Table("What a gradient is multiplied by at each step back; elements of ∂L/∂h lost in float32", columns, rows)


def reach_table(before: Sequence[Measured], reached: TokensBySeed, learnt: TokensBySeed, styles: Styles) -> Table:
    """Reach before training beside the memory span after it."""
    rows = []
    for encoder in reached:
        rate = mean_of([m.flow.rate for m in before if m.encoder == encoder], 3)
        tokens = (listed(by_seed[seed] for seed in sorted(by_seed)) for by_seed in (reached[encoder], learnt[encoder]))
        rows.append((styles[encoder].label, rate, *tokens))
    columns = ("encoder", "rate per step before training", "reach [tokens], by seed", "span learnt [tokens], by seed")
    return Table(f"How far back {SHARE:g} of the gradient is left before training, and the span learnt", columns, rows)


def verdicts(
    measured: Sequence[Measured], before: Sequence[Measured], reached: TokensBySeed, learnt: TokensBySeed
) -> list[Verdict]:
    """Whether the gradient vanishes, and whether initializations that let it reach further learn longer spans."""
    uniform, usual = ([m.flow.rate for m in before if m.encoder == encoder] for encoder in ("rnn_uniform", "rnn"))
    trained = {
        corpus: [m.flow.rate for m in measured if m.corpus == corpus and m.encoder.startswith("rnn") and m.epoch > 0]
        for corpus in dict.fromkeys(m.corpus for m in measured)
    }
    vanishes = [bool(rates) and all(rate < 1 for rate in rates) for rates in (uniform, usual, *trained.values())]
    while_trained = " and ".join(f"{least_to_most(rates, 3)} ({corpus})" for corpus, rates in trained.items())
    correlation = rank_correlation(reached, learnt)
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


def rank_correlation(reached: TokensBySeed, learnt: TokensBySeed, resamples: int = 2000, seed: int = 0) -> Interval:
    """Spearman's correlation of the means over seeds, one pair per encoder, with a 95 % bootstrap interval.

    The encoders are resampled, not the runs, since the seeds of an encoder are near-copies; NaN where all are alike.
    """
    random = np.random.default_rng(seed)
    pairs = np.array([(np.mean(list(reached[n].values())), np.mean(list(learnt[n].values()))) for n in reached])
    drawn = [pairs[random.integers(0, len(pairs), len(pairs))] for _ in range(resamples)]
    values = [_spearman(sample) for sample in [pairs, *drawn]]
    low, high = np.nanquantile(values[1:], [0.025, 0.975]) if np.isfinite(values[1:]).any() else (np.nan, np.nan)
    return Interval(values[0], float(low), float(high))


def _spearman(pairs: np.ndarray) -> float:
    if not np.ptp(pairs[:, 0]) or not np.ptp(pairs[:, 1]):
        return float("nan")
    return float(spearmanr(pairs[:, 0], pairs[:, 1]).statistic)


STUDY = Study(
    name="gradient_flow",
    order=40,
    sweeps=(Sweep("gradient_flow_imdb"),),
    findings=findings,
    needs={"learning": LEARN},
)
