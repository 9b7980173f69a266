"""Factor of the gradient at each step back, by `protocols/2026-11-27_gradient_flow.md`."""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import product

import numpy as np
import pandas as pd
from tqdm import tqdm

from experiments.gradient import figures
from experiments.gradient.models import (
    AFTER,
    BEFORE,
    GENERATED,
    IMDB,
    ON_IMDB,
    committed,
    condition,
    data_of,
    models_with,
    of_model,
    over_seeds,
    planned_runs,
    probed,
    values_of_models,
    verdicts_on,
)
from experiments.gradient.state_gradients import gradient_flow
from experiments.lab.findings import Findings, mean_of
from experiments.lab.rules import (
    MOST,
    Evidence,
    Numbers,
    Verdict,
    above,
    below,
    judged,
    tally,
)
from experiments.lab.statistics import (
    clopper_pearson,
    geometric_interval,
    with_bounds,
)
from experiments.lab.study import Protocol, Study
from experiments.lab.sweeps import Measured
from sentiment_rnn import runtime
from sentiment_rnn.data.batching import Batch
from sentiment_rnn.report.statistics import Interval, t_interval
from sentiment_rnn.report.tables import Table, csv_text
from sentiment_rnn.tasks.reviews import gradient_sample
from sentiment_rnn.tracking.store import Store

READ_IMDB = ("rnn", "gru", "lstm")
"""Arms of the sweep on IMDb that carry a state."""
SEEDS = {GENERATED: range(60, 80), IMDB: range(20, 30)}
"""Seeds of the protocol, by reviews."""
REVIEWS = 64
"""Number of reviews, one batch, on which the gradient is measured."""
STEPS = 50
"""Steps back over which the gradient is measured: the deciding clause of the generated reviews ends there."""
LAG = str(STEPS)
LOST = ("denormal_share", "zero_share")
"""Metrics of the elements of ∂L/∂h that are lost in float32."""

CURVES = "curves.csv"
"""File with the gradient by lag, as a share of that at the last token: median, least and most over seeds."""

Gradients = dict[tuple[str, str, str], list[np.ndarray]]
"""Shares by lag, float [T], one array per seed, by reviews, arm and training."""


def measure(study: Study, protocol: Protocol, store: Store, overrides: Sequence[str] = ()) -> Measured:
    """Measure the gradients of the models of the protocol's own sweep and of the models that read IMDb."""
    runtime.prepare(runtime.cores())
    (own,) = (sweep for sweep in protocol.sweeps if sweep.compared)
    generated = planned_runs(store, own.name, own.arms, SEEDS[GENERATED], overrides)
    imdb = planned_runs(store, ON_IMDB, READ_IMDB, SEEDS[IMDB])
    runs = [*((own.name, GENERATED, run) for run in generated), *((ON_IMDB, IMDB, run) for run in imdb)]
    found, gradients = Measured(), Gradients()
    for sweep, reviews, run in tqdm(runs, "Gradients", unit=" runs", disable=None, leave=False):
        data = data_of(run)
        sample = longer_than(STEPS, gradient_sample(data, run.seed, REVIEWS))
        for training, flow in probed(run, data, partial(gradient_flow, batch=sample)):
            at = sweep, protocol.name, run.encoder, condition(reviews, training), run.seed, None, "train"
            metrics = {"rate": flow.rate(STEPS), "theory": flow.predicted, "left": flow.left(STEPS)}
            metrics |= zip(LOST, (flow.denormal, flow.vanished), strict=True)
            found.rows += [(*at, metric, value) for metric, value in metrics.items()]
            gradients.setdefault((reviews, run.encoder, training), []).append(flow.inputs)
    found.files[CURVES] = curves_csv(gradients)
    return found


def longer_than(steps: int, batch: Batch) -> Batch:
    """The reviews of a batch that are longer than `steps` tokens."""
    long = batch.lengths > steps
    return Batch(*(part[long] for part in batch))


def curves_csv(gradients: Gradients) -> str:
    """The content of `curves.csv`, up to the longest lag that the samples of all seeds have."""
    rows: list[tuple[object, ...]] = []
    for (reviews, arm, training), of_seeds in gradients.items():
        longest = min(map(len, of_seeds))
        shares = np.stack([of_seed[:longest] for of_seed in of_seeds])
        over = zip(np.median(shares, 0), shares.min(0), shares.max(0), strict=True)
        rows += [(reviews, arm, int(training == AFTER), lag, *of_lag) for lag, of_lag in enumerate(over)]
    return csv_text(("corpus", "arm", "trained", "lag", "left", "least", "most"), rows)


def findings(evidence: Evidence, table: pd.DataFrame) -> Findings:
    """Tables, figures and verdicts; empty if no seed of the protocol has been run."""
    values = values_of_models(evidence, SEEDS)
    if not evidence.scores or values.empty:
        return Findings()
    curves, styles = pd.read_csv(committed(evidence.study, CURVES)), evidence.study.arms
    left = {arm: left_of(values, arm) for arm in evidence.arms}
    planned = [arm for sweep in evidence.protocol.sweeps if sweep.compared for arm in sweep.arms]
    read = [(GENERATED, arm) for arm in planned] + [(IMDB, arm) for arm in READ_IMDB]
    missing = max(len(SEEDS[reviews]) - len(of_model(values, "left", reviews, arm, AFTER)) for reviews, arm in read)
    return Findings(
        {"left": left_table(evidence, left), "rates": rate_table(evidence, values)},
        verdicts_on(verdicts(evidence, values), missing),
        {"decay": figures.decay(curves, styles)},
    )


def left_of(values: pd.DataFrame, arm: str, reviews: str = GENERATED, training: str = BEFORE) -> Interval:
    """Geometric mean over seeds of the share of the gradient that is left `STEPS` tokens before the end."""
    return over_seeds(geometric_interval, of_model(values, "left", reviews, arm, training))


def left_table(evidence: Evidence, left: Mapping[str, Interval]) -> Table:
    """The gradient that is left before training, beside the seeds that succeed; sorted by the gradient, the least
    first."""
    rows = [
        (evidence.label(arm), f"{estimate:.2g}", f"{low:.2g} to {high:.2g}", tally(*evidence.learn(arm, LAG)))
        for arm, (estimate, low, high) in sorted(left.items(), key=lambda item: item[1].estimate)
    ]
    return Table(
        f"Share of the gradient at the last token that is left {STEPS} steps back before training, geometric mean and "
        f"95 % interval; seeds that succeed at lag {STEPS}, with the exact 95 % interval [%]",
        ("arm", "left", "interval", "seeds that succeed"),
        rows,
    )


def rate_table(evidence: Evidence, values: pd.DataFrame) -> Table:
    """Measured and predicted rate per step, what is left, and the shares of elements lost in float32."""
    rows = [
        (
            reviews, evidence.label(arm), training,
            *(mean_of(of_model(values, metric, reviews, arm, training), 3) for metric in ("rate", "theory")),
            f"{left_of(values, arm, reviews, training).estimate:.2g}",
            *(f"{100 * np.mean(of_model(values, metric, reviews, arm, training)):.1f}" for metric in LOST),
        )
        for reviews, arm, training in models_with(values, "rate")
    ]  # fmt: skip
    return Table(
        "What a gradient is multiplied by at each step back, before and after training, mean ± deviation over seeds; "
        f"geometric mean of the share that is left {STEPS} steps back; elements of ∂L/∂h lost in float32",
        ("reviews", "arm", "training", "rate", "theory", "left", "denormal [%]", "zero [%]"),
        rows,
    )


def verdicts(evidence: Evidence, values: pd.DataFrame) -> dict[str, Verdict]:
    """Verdicts by the rules of the protocol, by the claim's id."""
    of = partial(of_model, values)
    rates = {arm: over_seeds(t_interval, of("rate", GENERATED, arm, BEFORE)) for arm in ("rnn_uniform", "rnn")}
    higher = {
        Numbers(f"higher rate, {condition(*at)}", evidence.label("lstm"), against=evidence.label("rnn")):
        of("rate", at[0], "lstm", at[1]) - of("rate", at[0], "rnn", at[1])
        for at in product((GENERATED, IMDB), (BEFORE, AFTER))
    }  # fmt: skip
    decays = judged(*(below(rate, 1) for rate in rates.values()))
    return {
        "decays": Verdict(decays, described(evidence, "per step back, before training", rates)),
        "lstm_decays_less": in_most_seeds(higher),
    }


def described(evidence: Evidence, what: str, found: Mapping[str, Interval]) -> tuple[Numbers, ...]:
    """A row of numbers for each arm that was run."""
    known = {arm: one for arm, one in found.items() if not math.isnan(one.estimate)}
    return tuple(Numbers(what, evidence.label(arm), with_bounds(one, 3)) for arm, one in known.items())


def in_most_seeds(found: Mapping[Numbers, pd.Series]) -> Verdict:
    """Verdict on whether the differences of every row are above 0 in most seeds; a row without seeds is open."""
    counts = {row: (int((of > 0).sum()), int(of.count())) for row, of in found.items() if of.count()}
    parts = [above(clopper_pearson(*counts[row]), MOST) if row in counts else None for row in found]
    return Verdict(judged(*parts), tuple(row._replace(number=tally(*count)) for row, count in counts.items()))
