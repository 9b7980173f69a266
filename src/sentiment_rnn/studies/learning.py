"""Can an encoder learn to hold, when nothing but the gradient reaches back from the end to the clause?"""

from collections.abc import Iterable

import numpy as np
from matplotlib.figure import Figure
from mlflow.entities import Run

from sentiment_rnn.analysis.figures import new_figure, styled
from sentiment_rnn.analysis.statistics import bootstrap_accuracy, bootstrap_difference, percent
from sentiment_rnn.analysis.tables import Table
from sentiment_rnn.studies.findings import Findings, Verdict, csv_text, judged, points
from sentiment_rnn.studies.rates import rate_table, validation_accuracy
from sentiment_rnn.studies.spans import (
    LEARN,
    Scores,
    accuracy_rows,
    accuracy_table,
    draw_accuracy,
    learnt,
    spans,
)
from sentiment_rnn.studies.starts import LABELS, distance_of
from sentiment_rnn.tracking.results import runs_of
from sentiment_rnn.tracking.store import Store

EXPERIMENTS = ("memory_learn_rate", *LEARN)


def findings(store: Store) -> Findings:
    """What the sweeps say."""
    scores = learnt(store)
    return Findings(
        tables=[
            span_table(scores),
            accuracy_table("trained at one distance", scores),
            rate_table(
                "Validation accuracy [%] by learning rate, one seed of its own, half of the steps",
                runs_of(store, "memory_learn_rate"),
                runs_of(store, *LEARN),
                validation_accuracy,
                part=chosen_at,
                names=LABELS,
            ),
        ],
        figures={"learning": learning_figure(scores)},
        results=csv_text(("setting", "encoder", "distance", "seed", "test/accuracy"), accuracy_rows("learn", scores)),
        verdicts=verdicts(scores),
    )


def chosen_at(run: Run) -> str:
    """The distance at which the learning rate of a run was chosen."""
    distance = distance_of(run)
    return "20 tokens" if distance <= 20 else "50 tokens" if distance == 50 else "100 tokens"


def span_table(scores: Scores) -> Table:
    """The span that each encoder learns."""
    rows = []
    for encoder, distances in scores.items():
        of_mean, of_seeds = spans(distances)
        rows.append((LABELS[encoder], str(of_mean), ", ".join(map(str, of_seeds))))
    title = "Memory span learnt at one distance: the longest up to which test accuracy stays above 90 %"
    return Table(title, ("encoder", "of the mean [tokens]", "of each seed"), rows)


@styled
def learning_figure(scores: Scores) -> Figure:
    """Accuracy by the distance that a run was trained and tested at."""
    figure, (axes,) = new_figure(1, width=8.4, height=4.6)
    draw_accuracy(axes, "Can it learn to hold? (trained and tested at one distance)", scores)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right upper")
    return figure


def verdicts(scores: Scores) -> list[Verdict]:
    """Whether the LSTM learns with every seed to hold what the vanilla RNN learns with none: by their usual starts, and
    its best start beside any of the RNN's."""
    usual = {name: spans(scores[name]) for name in ("rnn", "lstm")}
    best = {kind: max((n for n in scores if n.startswith(kind)), key=lambda n: spans(scores[n])[0]) for kind in usual}
    longest = max(scores["rnn"])
    far = bootstrap_accuracy(scores["rnn"][longest].correct)
    past = min((distance for distance in scores["rnn"] if distance > usual["rnn"][0]), default=longest)
    lead = bootstrap_difference(scores["lstm"][past].correct, scores["rnn"][past].correct, 2000)
    of_any_rnn = [found for name in scores if name.startswith("rnn") for found in spans(scores[name])[1]]
    apart = (
        min(usual["lstm"][1]) > max(usual["rnn"][1]),
        min(spans(scores[best["lstm"]])[1]) > max(of_any_rnn),
    )
    lstms = {LABELS[n].removeprefix("LSTM, "): spans(scores[n]) for n in scores if n.startswith("lstm")}
    spanned = [found for found, _ in lstms.values()]
    by_start = ", ".join(f"{start} {found} ({_listed(seeds)})" for start, (found, seeds) in lstms.items())
    reach = {
        kind: f"{spans(scores[name])[0]} ({LABELS[name].split(', ')[1]}: {_listed(spans(scores[name])[1])})"
        for kind, name in best.items()
    }
    return [
        Verdict(
            "An LSTM learns to hold what a vanilla RNN does not.",
            judged(all(apart), any(apart)),
            f"Trained at one distance, the span of the RNN is {usual['rnn'][0]} tokens ({_listed(usual['rnn'][1])} by "
            f"seed) and that of the LSTM {usual['lstm'][0]} ({_listed(usual['lstm'][1])}); of their best starts "
            f"{reach['rnn']} and {reach['lstm']}. At {past} tokens the LSTM leads the RNN by {points(lead)} points; at "
            f"{longest} the RNN is right in {percent(far)}.",
        ),
        Verdict(
            "An LSTM learns to hold anything, whatever its start.",
            judged(min(spanned) >= longest, float(np.median(spanned)) >= longest),
            f"Span of the mean over seeds, of {longest} tokens (and of each seed): {by_start}.",
        ),
    ]


def _listed(found: Iterable[int]) -> str:
    return ", ".join(map(str, found))
