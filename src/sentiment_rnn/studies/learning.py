"""Can an encoder learn to hold, when nothing but the gradient reaches back from the end to the clause?"""

import numpy as np
from matplotlib.figure import Figure
from mlflow.entities import Run

from sentiment_rnn.analysis.figures import new_figure, styled
from sentiment_rnn.analysis.statistics import bootstrap_accuracy, bootstrap_difference, percent
from sentiment_rnn.analysis.tables import Table
from sentiment_rnn.studies.findings import Findings, Verdict, csv_text, judged, listed, points
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
from sentiment_rnn.studies.starts import LABELS, distance_of, start_of
from sentiment_rnn.tracking.results import runs_of
from sentiment_rnn.tracking.store import Store

EXPERIMENTS = ("memory_learn_rate", *LEARN)


def findings(store: Store) -> Findings:
    """What the sweeps say."""
    runs = runs_of(store, *LEARN)
    scores = learnt(store, runs)
    return Findings(
        tables=[
            span_table(scores),
            accuracy_table("trained at one distance", scores),
            rate_table(
                "Validation accuracy [%] by learning rate, one seed of its own, half of the steps",
                runs_of(store, "memory_learn_rate"),
                runs,
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
        rows.append((LABELS[encoder], str(of_mean), listed(of_seeds)))
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
    found = {name: spans(by_distance) for name, by_distance in scores.items()}
    rnns, lstms = ({n: found[n] for n in found if n.startswith(kind)} for kind in ("rnn", "lstm"))
    (rnn, rnn_seeds), (lstm, lstm_seeds) = rnns["rnn"], lstms["lstm"]
    best_rnn, best_lstm = (max(starts, key=lambda name: found[name][0]) for starts in (rnns, lstms))
    longest = max(scores["rnn"])
    far = bootstrap_accuracy(scores["rnn"][longest].correct)
    past = min((distance for distance in scores["rnn"] if distance > rnn), default=longest)
    lead = bootstrap_difference(scores["lstm"][past].correct, scores["rnn"][past].correct, 2000)
    apart = (
        min(lstm_seeds) > max(rnn_seeds),
        min(lstms[best_lstm][1]) > max(max(seeds) for _, seeds in rnns.values()),
    )
    spanned = [of_mean for of_mean, _ in lstms.values()]
    by_start = ", ".join(f"{start_of(name)} {of_mean} ({listed(seeds)})" for name, (of_mean, seeds) in lstms.items())
    reach = " and ".join(
        f"{found[name][0]} ({start_of(name)}: {listed(found[name][1])})" for name in (best_rnn, best_lstm)
    )
    return [
        Verdict(
            "An LSTM learns to hold what a vanilla RNN does not.",
            judged(all(apart), any(apart)),
            f"Trained at one distance, the span of the RNN is {rnn} tokens ({listed(rnn_seeds)} by seed) and that of "
            f"the LSTM {lstm} ({listed(lstm_seeds)}); of their best starts {reach}. At {past} tokens the LSTM leads "
            f"the RNN by {points(lead)} points; at {longest} the RNN is right in {percent(far)}.",
        ),
        Verdict(
            "An LSTM learns to hold anything, whatever its start.",
            judged(min(spanned) >= longest, float(np.median(spanned)) >= longest),
            f"Span of the mean over seeds, of {longest} tokens (and of each seed): {by_start}.",
        ),
    ]
