"""How much of a review an encoder needs and can use, by pooling; what neutral sentences behind a review cost it."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from sentiment_rnn import runtime
from sentiment_rnn.report.statistics import (
    Interval,
    accuracy_difference,
    contrast_interval,
    percent,
    points,
    t_interval,
)
from sentiment_rnn.studies.filler.reading import BEHIND, IN_FRONT, REVIEWS, SENTENCES, Setting, answers
from sentiment_rnn.studies.kit.encoder_groups import plain_styles_of
from sentiment_rnn.studies.kit.findings import Findings
from sentiment_rnn.studies.kit.measurements import Measurements, read_rows, read_styles
from sentiment_rnn.studies.kit.study import Study, Sweep
from sentiment_rnn.studies.kit.verdicts import Verdict, above, below, judged
from sentiment_rnn.studies.length.figures import length_figure
from sentiment_rnn.studies.length.pooled import (
    PooledEncoder,
    ScoreBySeed,
    Scores,
    accuracies,
    accuracy_by_setting_table,
    by_setting,
    tokens_of,
)
from sentiment_rnn.tracking.results import RunResult, results_of_sweeps
from sentiment_rnn.tracking.store import Store

WHOLE = 400
"""`max_tokens` of the runs that read filler, and of the verdict."""
LITTLE = 0.1
"""A share of what it knew that counts as next to nothing."""
KNOWS = 0.6
"""AUROC from which a seed knows something that it can forget."""
AMOUNTS = (0, 25, 50, 100, 200, 400)
"""Neutral tokens behind a review."""
FILLER_IN_FRONT = f"{AMOUNTS[-1]} in front"
"""The largest amount of filler, but before the review."""
SETTINGS: dict[int | str, Setting] = {
    **{amount: Setting(SENTENCES, BEHIND, amount) for amount in AMOUNTS},
    FILLER_IN_FRONT: Setting(SENTENCES, IN_FRONT, AMOUNTS[-1]),
}
"""Settings of filler, as they are called in `results.csv`."""
BY_TOKENS, BY_FILLER = "accuracy by max_tokens", "AUROC by filler"
"""Measures in `results.csv`."""


def measure(store: Store) -> Measurements:
    """Test accuracy in the sweep over the number of tokens read, and AUROC with filler."""
    runtime.prepare(runtime.cores())
    results = results_of_sweeps(store, "length_tokens")
    styles = plain_styles_of(results)
    by_tokens = by_setting(results, tokens_of)
    read_with_filler = {
        pooled: filler_scores(runs)
        for pooled, runs in tqdm(
            by_tokens[WHOLE].items(), "Reading with filler", unit=" encoders", disable=None, leave=False
        )
    }
    whole = {pooled: [result.predictions for result in runs] for pooled, runs in by_tokens[WHOLE].items()}
    tokens = {
        amount: {pooled: accuracies(runs) for pooled, runs in groups.items()} for amount, groups in by_tokens.items()
    }
    filler = {at: {pooled: scores[at] for pooled, scores in read_with_filler.items()} for at in SETTINGS}
    measures: dict[str, Scores] = {BY_TOKENS: tokens, BY_FILLER: filler}
    rows = [
        (measure, at, *pooled, seed, value)
        for measure, by_amount in measures.items()
        for at, groups in by_amount.items()
        for pooled, by_seed in groups.items()
        for seed, value in by_seed.items()
    ]
    figures = {"length": length_figure(tokens, filler, whole, styles)}
    return Measurements.of_rows(("measure", "at", "encoder", "pooling", "seed", "value"), rows, styles, figures=figures)


def filler_scores(results: Sequence[RunResult]) -> dict[int | str, ScoreBySeed]:
    """Area under the ROC curve by setting of filler and by seed."""
    by_seed = {result.seed: answers(result, SETTINGS.values()) for result in results}
    return {at: {seed: found[setting] for seed, found in by_seed.items()} for at, setting in SETTINGS.items()}


def findings(folder: Path) -> Findings:
    """Findings from test accuracy by tokens read and AUROC by filler."""
    styles, (tokens, filler) = read_styles(folder), (read_measure(folder, name) for name in (BY_TOKENS, BY_FILLER))
    return Findings(
        tables=[
            accuracy_by_setting_table("Test accuracy [%] by the number of tokens read, the last ones", tokens, styles),
            accuracy_by_setting_table(
                f"AUROC [%] by the neutral tokens behind the review ({REVIEWS} reviews, trained on {WHOLE} tokens)",
                filler,
                styles,
            ),
        ],
        verdicts=verdicts(tokens[WHOLE], filler),
    )


def read_measure(folder: Path, measure: str) -> dict[Any, dict[PooledEncoder, ScoreBySeed]]:
    """One measure of `results.csv`, by setting (a number, or `FILLER_IN_FRONT`), encoder and pooling, and seed."""
    scores: dict[Any, dict[PooledEncoder, ScoreBySeed]] = {}
    for row in read_rows(folder):
        if row["measure"] == measure:
            at = int(row["at"]) if row["at"].isdigit() else row["at"]
            by_seed = scores.setdefault(at, {}).setdefault((row["encoder"], row["pooling"]), {})
            by_seed[int(row["seed"])] = float(row["value"])
    return scores


def verdicts(whole: Mapping[PooledEncoder, ScoreBySeed], filler: Scores) -> list[Verdict]:
    """Whether pooling over all states closes the gap, and whether filler makes the encoders forget.

    The first claim has two parts: pooling over all states closes some of the gap between the encoders, and more than
    half of it. The second has two as well: filler behind a review takes more from an RNN than as much in front, and
    from an LSTM less than `LITTLE`.

    Args:
        whole: test accuracy of the runs on `WHOLE` tokens.
    """
    last, everywhere = ({name: whole[name, pooling] for name in ("rnn", "lstm")} for pooling in ("last", "mean_max"))
    gaps = [accuracy_difference(*(list(of[name].values()) for name in ("lstm", "rnn"))) for of in (last, everywhere)]
    closed, most = (gap_closed(last, everywhere, share) for share in (0.0, 0.5))
    behind, front = (
        {name: lost(filler, at, name) for name in ("rnn", "lstm")} for at in (AMOUNTS[-1], FILLER_IN_FRONT)
    )
    # The same trained model read both, so these are pairs.
    place = _share({seed: share - front["rnn"][seed] for seed, share in behind["rnn"].items()})
    return [
        Verdict(
            "On real reviews the vanilla RNN's weakness is its memory, not what it sees in the words.",
            judged(above(closed, 0), above(most, 0)),
            f"With pooling at the last state the LSTM leads by {points(gaps[0])} points, with mean and max pooling by "
            f"{points(gaps[1])}; pooling over all states closes {points(closed)} points of the gap.",
        ),
        Verdict(
            "An RNN forgets the review over what comes after it, and an LSTM does not.",
            judged(above(place, 0), below(_share(behind["lstm"]), LITTLE)),
            f"{AMOUNTS[-1]} neutral tokens behind a review take {_shown(behind['rnn'])} of what the RNN's AUROC was "
            f"above chance, and {_shown(behind['lstm'])} of the LSTM's; in front of it {_shown(front['rnn'])} and "
            f"{_shown(front['lstm'])}. All are pooled at the last state; seeds whose AUROC was above {KNOWS:g}: "
            f"{len(behind['rnn'])} and {len(behind['lstm'])}.",
        ),
    ]


def gap_closed(last: Mapping[str, ScoreBySeed], everywhere: Mapping[str, ScoreBySeed], share: float) -> Interval:
    """By how much a gap in accuracy shrinks beyond a share of it, from pooling at the last state to all states.

    Each of the four means varies by itself, so that their variances add up.
    """
    weighted = [
        (list(last["lstm"].values()), 1 - share), (list(last["rnn"].values()), share - 1),
        (list(everywhere["lstm"].values()), -1.0), (list(everywhere["rnn"].values()), 1.0),
    ]  # fmt: skip
    return contrast_interval(weighted)


def lost(filler: Scores, at: int | str, encoder: str) -> ScoreBySeed:
    """The share of its AUROC above chance that filler takes from each seed that `KNOWS`, pooled at the last state."""
    before, after = filler[0][encoder, "last"], filler[at][encoder, "last"]
    return {seed: (before[seed] - after[seed]) / (before[seed] - 0.5) for seed in before if before[seed] > KNOWS}


def _share(lost_by_seed: ScoreBySeed) -> Interval:
    """Mean over seeds with its interval; without bounds where fewer than two seeds know anything."""
    values = list(lost_by_seed.values())
    return t_interval(values, high=1.0) if values else Interval(math.nan, math.nan, math.nan)


def _shown(lost_by_seed: ScoreBySeed) -> str:
    """`27.1 % (20.4 to 33.8)`."""
    return percent(_share(lost_by_seed)) if lost_by_seed else "nothing that can be measured"


STUDY = Study(name="length", order=60, sweeps=(Sweep("length_tokens"),), measure=measure, findings=findings)
