"""Why does one encoder remember and another not? The gradient on its way back through the states."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from sentiment_rnn import runtime
from sentiment_rnn.report.statistics import Interval, t_interval, with_bounds
from sentiment_rnn.report.tables import Table, csv_text
from sentiment_rnn.studies.gradient_flow.figures import flow_figure, rate_figure, span_figure
from sentiment_rnn.studies.gradient_flow.measurements import (
    LONGEST,
    SHARE,
    UNTRAINED,
    Rate,
    TokensBySeed,
    before_training,
    during_training,
    learnt_spans,
    reaches,
)
from sentiment_rnn.studies.kit.encoder_groups import Styles, distance_of, plain_styles_of, styles_of
from sentiment_rnn.studies.kit.findings import Findings, least_to_most, listed, mean_of
from sentiment_rnn.studies.kit.measurements import Measurements, read_rows, read_styles
from sentiment_rnn.studies.kit.memory_spans import LEARN
from sentiment_rnn.studies.kit.study import Study, Sweep
from sentiment_rnn.studies.kit.verdicts import Verdict, above, below, every, judged
from sentiment_rnn.tracking.results import results_of_sweeps
from sentiment_rnn.tracking.store import Store

REACHES = "reach.csv"
"""Reach before training and span learnt, one row per encoder and seed."""
AT_ONE_DISTANCE = "memory_learn_100"
"""The sweep of the learning study whose runs keep a checkpoint of every epoch."""


def measure(store: Store) -> Measurements:
    """The gradients of the runs on IMDb and of those of the learning study."""
    runtime.prepare(runtime.cores())
    generated, imdb = results_of_sweeps(store, AT_ONE_DISTANCE), results_of_sweeps(store, "gradient_flow_imdb")
    styles = styles_of([*generated, *imdb])
    measured = [
        *during_training("generated, distance 100", [result for result in generated if distance_of(result) == 100]),
        *during_training("IMDb", imdb),
    ]
    before = list(before_training([result for result in generated if distance_of(result) == LONGEST]))
    reached, learnt = reaches(before), learnt_spans(results_of_sweeps(store, *LEARN))
    rates = [
        (m.corpus, m.encoder, m.seed, m.epoch, m.flow.rate, m.flow.predicted, m.flow.denormal, m.flow.vanished)
        for m in [*measured, *before]
    ]
    tokens = [
        (encoder, seed, reach, learnt[encoder][seed])
        for encoder, by_seed in reached.items()
        for seed, reach in by_seed.items()
    ]
    return Measurements.of_rows(
        ("corpus", "encoder", "seed", "epoch", "rate", "predicted_rate", "denormal_share", "zero_share"),
        rates,
        styles,
        {REACHES: csv_text(("encoder", "seed", "reach", "span"), tokens)},
        {"gradient_flow": flow_figure(measured, before, styles, plain_styles_of(imdb))},
    )


def findings(folder: Path) -> Findings:
    """Findings from the decay rates, the reaches and the spans."""
    rates, styles = read_rates(folder), read_styles(folder)
    reached, learnt = (read_tokens(folder, column) for column in ("reach", "span"))
    return Findings(
        tables=[decay_rate_table(rates, styles), reach_table(rates, reached, learnt, styles)],
        verdicts=verdicts(rates, reached, learnt),
        figures={"rates": rate_figure(rates, styles), "span": span_figure(reached, learnt, styles)},
    )


def read_rates(folder: Path) -> list[Rate]:
    """The rows of `results.csv`."""
    return [
        Rate(
            row["corpus"], row["encoder"], int(row["seed"]), int(row["epoch"]),
            *(float(row[column]) for column in ("rate", "predicted_rate", "denormal_share", "zero_share")),
        )
        for row in read_rows(folder)
    ]  # fmt: skip


def read_tokens(folder: Path, column: str) -> TokensBySeed:
    """A column of `reach.csv`, by encoder and seed."""
    tokens: TokensBySeed = {}
    for row in read_rows(folder, REACHES):
        tokens.setdefault(row["encoder"], {})[int(row["seed"])] = int(row[column])
    return tokens


def decay_rate_table(rates: Sequence[Rate], styles: Styles) -> Table:
    """Measured and predicted rate per step, before and after training; the shares of elements lost in float32."""
    rows = []
    for corpus in dict.fromkeys(rate.corpus for rate in rates):
        of_corpus = [rate for rate in rates if rate.corpus == corpus]
        for encoder in dict.fromkeys(rate.encoder for rate in of_corpus):
            for epoch in sorted({0, max(rate.epoch for rate in of_corpus)}):
                chosen = [rate for rate in of_corpus if rate.encoder == encoder and rate.epoch == epoch]
                rows.append((
                    corpus, styles[encoder].label, "before training" if epoch == 0 else f"after {epoch} epochs",
                    mean_of([rate.measured for rate in chosen], 3), mean_of([rate.predicted for rate in chosen], 3),
                    f"{100 * np.mean([rate.denormal for rate in chosen]):.1f}",
                    f"{100 * np.mean([rate.vanished for rate in chosen]):.1f}",
                ))  # fmt: skip
    columns = ("reviews", "encoder", "when", "rate per step", "theory", "denormal [%]", "zero [%]")
    return Table("What a gradient is multiplied by at each step back; elements of ∂L/∂h lost in float32", columns, rows)


def reach_table(rates: Sequence[Rate], reached: TokensBySeed, learnt: TokensBySeed, styles: Styles) -> Table:
    """Reach before training beside the memory span after it."""
    rows = []
    for encoder in reached:
        rate = mean_of(_before_training(rates, encoder), 3)
        tokens = (listed(by_seed[seed] for seed in sorted(by_seed)) for by_seed in (reached[encoder], learnt[encoder]))
        rows.append((styles[encoder].label, rate, *tokens))
    columns = ("encoder", "rate per step before training", "reach [tokens], by seed", "span learnt [tokens], by seed")
    return Table(f"How far back {SHARE:g} of the gradient is left before training, and the span learnt", columns, rows)


def verdicts(rates: Sequence[Rate], reached: TokensBySeed, learnt: TokensBySeed) -> list[Verdict]:
    """Whether the gradient vanishes, and whether initializations that let it reach further learn longer spans.

    The parts of the first claim: the uniform and the orthogonal RNN before training, and the RNNs while they are
    trained, on each corpus. There it has to decay with every initialization after every epoch. The parts of the second:
    the correlation is positive, and it is strong (above 0.5).
    """
    uniform, usual = (t_interval(_before_training(rates, encoder)) for encoder in ("rnn_uniform", "rnn"))
    trained: dict[str, dict[tuple[str, int], list[float]]] = {}
    for rate in rates:
        if rate.encoder.startswith("rnn") and rate.epoch > 0:
            of_corpus = trained.setdefault(rate.corpus, {})
            of_corpus.setdefault((rate.encoder, rate.epoch), []).append(rate.measured)
    intervals = {corpus: [t_interval(values) for values in groups.values()] for corpus, groups in trained.items()}
    while_trained = " and ".join(
        f"{least_to_most([one.estimate for one in of_corpus], 3)} on {corpus} ({_decided(of_corpus)})"
        for corpus, of_corpus in intervals.items()
    )
    correlation = rank_correlation(reached, learnt)
    return [
        Verdict(
            "The gradient of a vanilla RNN decays at each step back.",
            judged(
                below(uniform, 1), below(usual, 1),
                *(every(below(one, 1) for one in of_corpus) for of_corpus in intervals.values()),
            ),
            f"Before training it is multiplied by {with_bounds(uniform, 3)} at each step with uniform initialization, "
            f"by {with_bounds(usual, 3)} with orthogonal. While it is trained, the means over seeds are "
            f"{while_trained}.",
        ),
        Verdict(
            "That is the cause: an initialization whose gradient reaches further learns a longer span.",
            judged(above(correlation, 0), above(correlation, 0.5)),
            f"Over {len(reached)} initializations the reach of the gradient before training and the span learnt at one "
            f"distance have a rank correlation of {with_bounds(correlation, 2)}.",
        ),
    ]  # fmt: skip


def _before_training(rates: Sequence[Rate], encoder: str) -> list[float]:
    """Rates of an encoder before training, on the reviews of the greatest distance."""
    return [rate.measured for rate in rates if rate.corpus == UNTRAINED and rate.encoder == encoder]


def _decided(intervals: Sequence[Interval]) -> str:
    """How many of some rates decay, grow, or are open."""
    parts = [below(interval, 1) for interval in intervals]
    return (
        f"of {len(parts)} initializations and epochs {parts.count(True)} decay, {parts.count(False)} grow and "
        f"{parts.count(None)} are open"
    )


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
    measure=measure,
    findings=findings,
    needs={"learning": LEARN},
)
