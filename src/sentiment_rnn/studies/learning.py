"""Can an encoder learn to hold, when nothing but the gradient reaches back from the end to the clause?"""

import numpy as np
from matplotlib.figure import Figure

from sentiment_rnn.report.figures import new_figure, styled
from sentiment_rnn.report.statistics import bootstrap_accuracy, bootstrap_difference, percent
from sentiment_rnn.report.tables import Table
from sentiment_rnn.studies.kit.encoder_groups import Styles, distance_of, initialization_of, styles_of
from sentiment_rnn.studies.kit.findings import Findings, Verdict, csv_text, judged, listed, points
from sentiment_rnn.studies.kit.learning_rates import learning_rate_table, validation_accuracy
from sentiment_rnn.studies.kit.memory_spans import (
    LEARN,
    Scores,
    accuracy_by_distance_table,
    accuracy_rows,
    draw_accuracy,
    learnt,
    spans,
)
from sentiment_rnn.studies.kit.study import Study, Sweep
from sentiment_rnn.tracking.results import RunResult, results_of_sweeps
from sentiment_rnn.tracking.store import Store


def findings(store: Store) -> Findings:
    """Findings from the sweeps at one distance."""
    results = results_of_sweeps(store, *LEARN)
    scores, styles = learnt(results), styles_of(results)
    return Findings(
        tables=[
            learnt_span_table(scores, styles),
            accuracy_by_distance_table("trained at one distance", scores, styles),
            learning_rate_table(
                "Validation accuracy [%] by learning rate, one seed of its own, half of the steps",
                results_of_sweeps(store, "memory_learn_rate"),
                results,
                validation_accuracy,
                condition=chosen_at,
            ),
        ],
        figures={"learning": learning_figure(scores, styles)},
        results=csv_text(("setting", "encoder", "distance", "seed", "test/accuracy"), accuracy_rows("learn", scores)),
        verdicts=verdicts(scores, styles),
    )


def chosen_at(result: RunResult) -> str:
    """The distance at which the learning rate of a run was chosen."""
    distance = distance_of(result)
    return "20 tokens" if distance <= 20 else "50 tokens" if distance == 50 else "100 tokens"


def learnt_span_table(scores: Scores, styles: Styles) -> Table:
    """The span that each encoder learns."""
    rows = []
    for encoder, distances in scores.items():
        of_mean, of_seeds = spans(distances)
        rows.append((styles[encoder].label, str(of_mean), listed(of_seeds)))
    title = "Memory span learnt at one distance: the longest up to which test accuracy stays above 90 %"
    return Table(title, ("encoder", "of the mean [tokens]", "of each seed"), rows)


@styled
def learning_figure(scores: Scores, styles: Styles) -> Figure:
    """Accuracy by the distance that a run was trained and tested at."""
    figure, (axes,) = new_figure(1, width=8.4, height=4.6)
    draw_accuracy(axes, "Can it learn to hold? (trained and tested at one distance)", scores, styles)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right upper")
    return figure


def verdicts(scores: Scores, styles: Styles) -> list[Verdict]:
    """Whether the LSTM learns with every seed to hold what the vanilla RNN learns with none.

    Both are judged by their usual initializations, and the LSTM's best initialization beside any of the RNN's.
    """
    by_encoder = {encoder: spans(by_distance) for encoder, by_distance in scores.items()}
    rnns, lstms = (
        {encoder: found for encoder, found in by_encoder.items() if encoder.startswith(kind)}
        for kind in ("rnn", "lstm")
    )
    (rnn, rnn_seeds), (lstm, lstm_seeds) = rnns["rnn"], lstms["lstm"]
    best_rnn, best_lstm = (max(kind, key=lambda encoder: by_encoder[encoder][0]) for kind in (rnns, lstms))
    longest = max(scores["rnn"])
    far = bootstrap_accuracy(scores["rnn"][longest].correct)
    past = min((distance for distance in scores["rnn"] if distance > rnn), default=longest)
    lead = bootstrap_difference(scores["lstm"][past].correct, scores["rnn"][past].correct, 2000)
    apart = (
        min(lstm_seeds) > max(rnn_seeds),
        min(lstms[best_lstm][1]) > max(max(seeds) for _, seeds in rnns.values()),
    )
    lstm_spans = [of_mean for of_mean, _ in lstms.values()]
    initializations = {encoder: initialization_of(style.label) for encoder, style in styles.items()}
    by_initialization = ", ".join(
        f"{initializations[encoder]} {of_mean} ({listed(seeds)})" for encoder, (of_mean, seeds) in lstms.items()
    )
    best_spans = " and ".join(
        f"{by_encoder[encoder][0]} ({initializations[encoder]}: {listed(by_encoder[encoder][1])})"
        for encoder in (best_rnn, best_lstm)
    )
    return [
        Verdict(
            "An LSTM learns to hold what a vanilla RNN does not.",
            judged(all(apart), any(apart)),
            f"Trained at one distance, the span of the RNN is {rnn} tokens ({listed(rnn_seeds)} by seed) and that of "
            f"the LSTM {lstm} ({listed(lstm_seeds)}); of their best starts {best_spans}. At {past} tokens the LSTM "
            f"leads the RNN by {points(lead)} points; at {longest} the RNN is right in {percent(far)}.",
        ),
        Verdict(
            "An LSTM learns to hold anything, whatever its start.",
            judged(min(lstm_spans) >= longest, float(np.median(lstm_spans)) >= longest),
            f"Span of the mean over seeds, of {longest} tokens (and of each seed): {by_initialization}.",
        ),
    ]


STUDY = Study(
    name="learning",
    order=10,
    sweeps=(Sweep("memory_learn_rate", chooses_rates=True), *map(Sweep, LEARN)),
    findings=findings,
)
