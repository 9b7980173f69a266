"""Can an encoder learn to remember, when nothing but the gradient reaches back from the end to the clause?"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from sentiment_rnn.report.figures import new_figure, styled
from sentiment_rnn.report.statistics import Interval, accuracy_difference, percent, points, welch_interval
from sentiment_rnn.report.tables import Table
from sentiment_rnn.studies.kit.encoder_groups import Styles, distance_of, initialization_of, styles_of
from sentiment_rnn.studies.kit.findings import Findings, listed
from sentiment_rnn.studies.kit.learning_rates import RATES, learning_rate_table, learning_rates_csv, validation_accuracy
from sentiment_rnn.studies.kit.measurements import Measurements, read_styles
from sentiment_rnn.studies.kit.memory_spans import (
    COLUMNS,
    LEARN,
    REMEMBERS,
    ByDistance,
    Scores,
    accuracy_by_distance_table,
    accuracy_rows,
    draw_accuracy,
    learnt,
    read_scores,
    spans,
)
from sentiment_rnn.studies.kit.study import Study, Sweep
from sentiment_rnn.studies.kit.verdicts import Verdict, above, every, judged
from sentiment_rnn.tracking.results import RunResult, results_of_sweeps
from sentiment_rnn.tracking.store import Store


def measure(store: Store) -> Measurements:
    """Test accuracy of the runs at one distance."""
    results = results_of_sweeps(store, *LEARN)
    rows = accuracy_rows("learn", learnt(results))
    rates = learning_rates_csv(results_of_sweeps(store, "memory_learn_rate"), results, validation_accuracy, chosen_at)
    return Measurements.of_rows(COLUMNS, rows, styles_of(results), {RATES: rates})


def findings(folder: Path) -> Findings:
    """Findings from the test accuracies."""
    scores, styles = read_scores(folder, "learn"), read_styles(folder)
    return Findings(
        tables=[
            learnt_span_table(scores, styles),
            accuracy_by_distance_table("trained at one distance", scores, styles),
            learning_rate_table(
                "Validation accuracy [%] by learning rate, one seed of its own, half of the steps", folder, styles
            ),
        ],
        verdicts=verdicts(scores, styles),
        figures={"learning": learning_figure(scores, styles)},
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
    draw_accuracy(axes, "Can it learn to remember? (trained and tested at one distance)", scores, styles)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right upper")
    return figure


def verdicts(scores: Scores, styles: Styles) -> list[Verdict]:
    """Whether the LSTM learns to remember further than the vanilla RNN.

    The first claim has two parts: the usual initializations, and the LSTM's best against each of the RNN's. They are
    judged by the difference in span, in doublings. The second claim is universal: one initialization that does not
    reach the longest distance refutes it.
    """
    by_encoder = {encoder: spans(by_distance) for encoder, by_distance in scores.items()}
    rnns, lstms = (
        {encoder: found for encoder, found in by_encoder.items() if encoder.startswith(kind)}
        for kind in ("rnn", "lstm")
    )
    (rnn, rnn_seeds), (lstm, lstm_seeds) = rnns["rnn"], lstms["lstm"]
    best_rnn, best_lstm = (max(kind, key=lambda encoder: by_encoder[encoder][0]) for kind in (rnns, lstms))
    longest = max(scores["rnn"])
    past = min((distance for distance in scores["rnn"] if distance > rnn), default=longest)
    lead = accuracy_difference(scores["lstm"][past].accuracies, scores["rnn"][past].accuracies)
    usual = doublings(scores["lstm"], scores["rnn"])
    best = {encoder: doublings(scores[best_lstm], scores[encoder]) for encoder in rnns}
    initializations = {encoder: initialization_of(style.label) for encoder, style in styles.items()}
    at_longest = {encoder: scores[encoder][longest].interval for encoder in lstms}
    return [
        Verdict(
            "An LSTM learns to remember further than a vanilla RNN.",
            judged(above(usual, 0), every(above(difference, 0) for difference in best.values())),
            f"Trained at one distance, the span of the RNN is {rnn} tokens ({listed(rnn_seeds)} by seed) and that of "
            f"the LSTM {lstm} ({listed(lstm_seeds)}): {_times(usual)}. At {past} tokens the LSTM leads the RNN by "
            f"{points(lead)} points. Of their best initializations, {initializations[best_lstm]} has a span of "
            f"{by_encoder[best_lstm][0]} ({listed(by_encoder[best_lstm][1])}) and {initializations[best_rnn]} one of "
            f"{by_encoder[best_rnn][0]} ({listed(by_encoder[best_rnn][1])}): {_times(best[best_rnn])}.",
        ),
        Verdict(
            "An LSTM learns to remember any distance, whatever its initialization.",
            judged(every(above(accuracy, REMEMBERS) for accuracy in at_longest.values())),
            f"At {longest} tokens it is right in "
            + ", ".join(f"{percent(accuracy)} with {initializations[name]}" for name, accuracy in at_longest.items())
            + f"; to remember is to be right in more than {100 * REMEMBERS:.0f} %.",
        ),
    ]


def doublings(first: ByDistance, second: ByDistance) -> Interval:
    """How many times the span of the first is that of the second, as a power of 2; no span counts as one token."""
    logarithms = [np.log2(np.maximum(1, spans(distances)[1])) for distances in (first, second)]
    return welch_interval(logarithms[0], logarithms[1])


def _times(power: Interval) -> str:
    """`1.3 times as far (0.5 to 3.4)`."""
    bounds = f" ({2**power.low:.2g} to {2**power.high:.2g})" if power.known else ""
    return f"{2**power.estimate:.2g} times as far{bounds}"


STUDY = Study(
    name="learning",
    order=10,
    sweeps=(Sweep("memory_learn_rate", chooses_rates=True), *map(Sweep, LEARN)),
    measure=measure,
    findings=findings,
)
