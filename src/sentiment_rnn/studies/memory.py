"""How far back does each encoder remember? Trained on mixed distances (held), beside trained at one (learnt)."""

from pathlib import Path

from matplotlib.artist import Artist
from matplotlib.figure import Figure

from sentiment_rnn.report.figures import new_figure, styled
from sentiment_rnn.report.statistics import Interval, accuracy_difference, percent, points
from sentiment_rnn.report.tables import Table
from sentiment_rnn.studies.kit.encoder_groups import Styles, initialization_of, styles_of
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
    held,
    learnt,
    read_scores,
    spans,
)
from sentiment_rnn.studies.kit.study import Study, Sweep
from sentiment_rnn.studies.kit.verdicts import Verdict, above, below, judged
from sentiment_rnn.tracking.results import results_of_sweeps
from sentiment_rnn.tracking.store import Store


def measure(store: Store) -> Measurements:
    """Test accuracy in these sweeps and in those of the learning study."""
    hold, learn = results_of_sweeps(store, "memory_hold"), results_of_sweeps(store, *LEARN)
    rows = accuracy_rows("hold", held(hold)) + accuracy_rows("learn", learnt(learn))
    rates = learning_rates_csv(results_of_sweeps(store, "memory_hold_rate"), hold, validation_accuracy)
    return Measurements.of_rows(COLUMNS, rows, styles_of([*hold, *learn]), {RATES: rates})


def findings(folder: Path) -> Findings:
    """Findings from the test accuracies in both settings."""
    hold, learn, styles = read_scores(folder, "hold"), read_scores(folder, "learn"), read_styles(folder)
    return Findings(
        tables=[
            held_span_table(hold, learn, styles),
            accuracy_by_distance_table("trained on mixed distances", hold, styles),
            learning_rate_table("Validation accuracy [%] by learning rate, one seed of its own", folder, styles),
        ],
        verdicts=verdicts(hold, learn, styles),
        figures={"memory": memory_figure(hold, learn, styles)},
    )


def held_span_table(hold: Scores, learn: Scores, styles: Styles) -> Table:
    """The memory span of each encoder in each setting; empty for a setting that it was not trained in."""
    rows = []
    for encoder in dict.fromkeys([*hold, *learn]):
        cells = []
        for scores in (hold, learn):
            of_mean, of_seeds = spans(scores[encoder]) if encoder in scores else ("", [])
            cells += [str(of_mean), listed(of_seeds)]
        rows.append((styles[encoder].label, *cells))
    columns = ("encoder", "mixed distances [tokens]", "by seed", "one distance [tokens]", "by seed")
    return Table("Memory span: the longest distance up to which test accuracy stays above 90 %", columns, rows)


@styled
def memory_figure(hold: Scores, learn: Scores, styles: Styles) -> Figure:
    """Accuracy by distance, one panel per setting."""
    figure, panels = new_figure(2, width=5.6, height=4.6)
    draw_accuracy(panels[0], "Can it remember? (trained on mixed distances)", hold, styles)
    draw_accuracy(panels[1], "Can it learn to remember? (trained at one distance)", learn, styles)
    lines: dict[str, Artist] = {}
    for axes in panels:
        for line, label in zip(*axes.get_legend_handles_labels(), strict=True):
            lines.setdefault(label, line)
    figure.legend(list(lines.values()), list(lines), loc="outside lower center", ncols=3)
    return figure


def verdicts(hold: Scores, learn: Scores, styles: Styles) -> list[Verdict]:
    """The claims on memory.

    They are judged by the usual initializations: orthogonal for the RNN (near the end uniform too), forget bias 1 for
    the LSTM. The LSTM can only cure where the RNN forgets. It cures there where it remembers, and in part where its
    best initialization is ahead of the RNN.
    """
    near = {
        (setting, encoder): _near(scores[encoder])
        for setting, scores in (("learnt", learn), ("held", hold))
        for encoder in ("rnn", "rnn_uniform")
    }
    longest = max(learn["rnn"])
    rnn_held, rnn_learnt = (scores["rnn"][longest] for scores in (hold, learn))
    lstm_held, lstm_learnt = (scores["lstm"][longest] for scores in (hold, learn))
    forgets = [below(rnn.interval, REMEMBERS) for rnn in (rnn_held, rnn_learnt)]
    cured = [
        above(lstm.interval, REMEMBERS)
        for lstm, forgot in zip((lstm_held, lstm_learnt), forgets, strict=True)
        if forgot
    ]
    lstms = [encoder for encoder in learn if encoder.startswith("lstm")]
    best = max(lstms, key=lambda encoder: learn[encoder][longest].accuracies.mean())
    lead = accuracy_difference(learn[best][longest].accuracies, rnn_learnt.accuracies)
    # Where the usual initialization cures it, there is nothing left for another to do.
    partly = [above(lead, 0)] if forgets[1] and cured[-1] is not True else []
    return [
        Verdict(
            "A vanilla RNN has a good short-term memory.",
            judged(*(above(accuracy, REMEMBERS) for accuracy in near.values())),
            f"At 2 and at 5 tokens, the worse of the two: trained at these distances it is right in "
            f"{percent(near['learnt', 'rnn'])} with orthogonal and in {percent(near['learnt', 'rnn_uniform'])} with "
            f"uniform initialization, trained on mixed distances in {percent(near['held', 'rnn'])} and in "
            f"{percent(near['held', 'rnn_uniform'])}.",
        ),
        Verdict(
            "A vanilla RNN has a bad long-term memory.",
            judged(*forgets),
            f"At {longest} tokens it is right in {percent(rnn_held.interval)} when trained on mixed distances and in "
            f"{percent(rnn_learnt.interval)} when trained at this one.",
        ),
        Verdict(
            "The LSTM's gates and cell state cure it.",
            judged(*cured, *partly),
            f"At {longest} tokens it is right in {percent(lstm_held.interval)} when trained on mixed distances and in "
            f"{percent(lstm_learnt.interval)} when trained at this one. Of its initializations, "
            f"{initialization_of(styles[best].label)} is the best there: {percent(learn[best][longest].interval)}, "
            f"{points(lead)} points ahead of the RNN.",
        ),
    ]


def _near(distances: ByDistance) -> Interval:
    """Accuracy at 2 or at 5 tokens, whichever is worse."""
    return min((distances[distance].interval for distance in (2, 5)), key=lambda accuracy: accuracy.estimate)


STUDY = Study(
    name="memory",
    order=20,
    sweeps=(Sweep("memory_hold_rate", chooses_rates=True), Sweep("memory_hold")),
    measure=measure,
    findings=findings,
    needs={"learning": LEARN},
)
