"""Is it the gradient? What it is multiplied by at each step back, by experiments/gradient_flow/protocol.md."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sentiment_rnn import runtime
from sentiment_rnn.report.shares import counted
from sentiment_rnn.report.tables import Table
from sentiment_rnn.studies.gradient_flow.claims import Mixed, left_of, mixed_arms, verdicts
from sentiment_rnn.studies.gradient_flow.figures import flow_figure, left_figure, mixed_figure, rate_figure
from sentiment_rnn.studies.gradient_flow.measurements import (
    CURVES,
    RATES,
    SEEDS,
    STEPS,
    Rate,
    by_seed,
    curves_csv,
    gradients,
    rates_csv,
    read_curves,
    read_rates,
)
from sentiment_rnn.studies.kit.counted_seeds import read_seeds, seeds_measured
from sentiment_rnn.studies.kit.encoder_groups import Styles, styles_of
from sentiment_rnn.studies.kit.findings import Findings, mean_of
from sentiment_rnn.studies.kit.learnt_shares import seeds_above
from sentiment_rnn.studies.kit.measurements import ENCODERS, Measurements, styles_csv
from sentiment_rnn.studies.kit.planned_runs import GENERATED, IMDB, planned_runs
from sentiment_rnn.studies.kit.scores import Scores
from sentiment_rnn.studies.kit.study import Study, Sweep
from sentiment_rnn.studies.kit.verdicts import undecided
from sentiment_rnn.tracking.results import results_of_sweeps
from sentiment_rnn.tracking.store import Store

ON_IMDB, READ_IMDB = "real_text", ("rnn", "gru", "lstm")
"""The sweep of real_text whose models are measured, and those of its encoders that carry a state."""


def measure(store: Store, sweeps: Sequence[Sweep]) -> Measurements:
    """Which seeds learn, and the gradients of their models and of those that read IMDb."""
    runtime.prepare(runtime.cores())
    generated = results_of_sweeps(store, *(sweep.experiment for sweep in sweeps))
    imdb = planned_runs(results_of_sweeps(store, ON_IMDB), READ_IMDB, SEEDS[IMDB])
    measured = [*gradients(GENERATED, generated), *gradients(IMDB, imdb)]
    files = seeds_measured(generated).files
    files |= {RATES: rates_csv(measured), CURVES: curves_csv(measured)}
    return Measurements(files | {ENCODERS: styles_csv(styles_of([*generated, *imdb]))})


def findings(folder: Path) -> Findings:
    """Findings from the files; none where no seed of the protocol has been run."""
    seeds, rates, curves = read_seeds(folder, SEEDS[GENERATED]), read_rates(folder), read_curves(folder)
    scores, styles = seeds.scores, seeds.styles
    if not scores:
        return Findings([], [])
    mixed = mixed_arms(rates, scores)
    read_imdb = min(len(by_seed(rates, IMDB, arm, True, lambda one: one.theory)) for arm in READ_IMDB)
    missing = max(seeds.missing, len(SEEDS[IMDB]) - read_imdb)
    return Findings(
        tables=[left_table(rates, scores, styles), rate_table(rates, styles), mixed_table(mixed, styles)],
        verdicts=undecided(verdicts(rates, scores, styles), missing),
        figures={
            "gradient_flow": flow_figure(curves, GENERATED, styles),
            "imdb": flow_figure(curves, IMDB, styles),
            "left": left_figure(rates, scores, styles),
            "rates": rate_figure(rates, styles),
            "mixed": mixed_figure(mixed, styles),
        },
    )


def left_table(rates: Sequence[Rate], scores: Scores, styles: Styles) -> Table:
    """What is left of the gradient before training beside the seeds that learn, from the least to the most."""
    left = {arm: left_of(rates, arm) for arm in scores}
    rows = [
        (
            styles[arm].label, f"{left[arm].estimate:.2g}", f"{left[arm].low:.2g} to {left[arm].high:.2g}",
            counted(*seeds_above(scores[arm][STEPS])),
        )
        for arm in sorted(scores, key=lambda arm: left[arm].estimate)
    ]  # fmt: skip
    title = (
        f"Share of the gradient at the last token that is left {STEPS} steps back before training, geometric mean and "
        f"95 % interval; seeds that learn {STEPS} tokens"
    )
    return Table(title, ("encoder", "left", "interval", "learn"), rows)


def rate_table(rates: Sequence[Rate], styles: Styles) -> Table:
    """Measured and predicted rate per step, what is left, and the shares of elements lost in float32."""
    groups: dict[tuple[str, str, bool], list[Rate]] = {}
    for one in rates:
        groups.setdefault((one.corpus, one.encoder, one.trained), []).append(one)
    rows = [
        (
            corpus, styles[arm].label, "after" if trained else "before",
            mean_of([one.measured for one in group], 3), mean_of([one.theory for one in group], 3),
            f"{left_of(rates, arm, corpus, trained).estimate:.2g}",
            f"{100 * np.mean([one.denormal for one in group]):.1f}",
            f"{100 * np.mean([one.vanished for one in group]):.1f}",
        )
        for (corpus, arm, trained), group in groups.items()
    ]  # fmt: skip
    title = (
        "What a gradient is multiplied by at each step back, before and after training, mean ± deviation over seeds; "
        f"geometric mean of the share that is left {STEPS} steps back; elements of ∂L/∂h lost in float32"
    )
    return Table(title, ("reviews", "encoder", "training", "rate", "theory", "left", "denormal [%]", "zero [%]"), rows)


def mixed_table(mixed: Sequence[Mixed], styles: Styles) -> Table:
    """Rates after training of the seeds that learn and of those that do not."""
    rows = [
        (styles[arm].label, str(len(learn)), mean_of(learn, 3), str(len(fail)), mean_of(fail, 3))
        for arm, learn, fail in mixed
    ]
    title = (
        "Arms of which some seeds learn and some do not: the rate after training of both, mean ± deviation over seeds"
    )
    return Table(title, ("encoder", "learn", "their rate", "do not", "their rate"), rows)


STUDY = Study(
    name="gradient_flow",
    order=90,
    sweeps=(Sweep("gradient_flow_50"),),
    measure=measure,
    findings=findings,
    needs={"real_text": ON_IMDB},
    keeps_correct=True,
)
