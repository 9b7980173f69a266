"""How far back does each encoder remember? Held (trained on mixed distances) beside learnt (at one distance)."""

from matplotlib.artist import Artist
from matplotlib.figure import Figure

from sentiment_rnn.report.figures import new_figure, styled
from sentiment_rnn.report.statistics import Interval, bootstrap_accuracy, percent
from sentiment_rnn.report.tables import Table
from sentiment_rnn.studies.kit.encoder_groups import Styles, initialization_of, styles_of
from sentiment_rnn.studies.kit.findings import Findings, Verdict, csv_text, judged, listed
from sentiment_rnn.studies.kit.learning_rates import learning_rate_table, validation_accuracy
from sentiment_rnn.studies.kit.memory_spans import (
    LEARN,
    REMEMBERS,
    ByDistance,
    Scores,
    accuracy_by_distance_table,
    accuracy_rows,
    draw_accuracy,
    held,
    learnt,
    spans,
)
from sentiment_rnn.studies.kit.study import Study, Sweep
from sentiment_rnn.tracking.results import results_of_sweeps
from sentiment_rnn.tracking.store import Store


def findings(store: Store) -> Findings:
    """Findings from these sweeps and those of the learning study."""
    hold_results, learn_results = results_of_sweeps(store, "memory_hold"), results_of_sweeps(store, *LEARN)
    styles = styles_of([*hold_results, *learn_results])
    hold, learn = held(hold_results), learnt(learn_results)
    return Findings(
        tables=[
            held_span_table(hold, learn, styles),
            accuracy_by_distance_table("trained on mixed distances", hold, styles),
            learning_rate_table(
                "Validation accuracy [%] by learning rate, one seed of its own",
                results_of_sweeps(store, "memory_hold_rate"),
                hold_results,
                validation_accuracy,
            ),
        ],
        figures={"memory": memory_figure(hold, learn, styles)},
        results=csv_text(
            ("setting", "encoder", "distance", "seed", "test/accuracy"),
            accuracy_rows("hold", hold) + accuracy_rows("learn", learn),
        ),
        verdicts=verdicts(hold, learn, styles),
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
    columns = ("encoder", "held [tokens]", "by seed", "learnt at one distance [tokens]", "by seed")
    return Table("Memory span: the longest distance up to which test accuracy stays above 90 %", columns, rows)


@styled
def memory_figure(hold: Scores, learn: Scores, styles: Styles) -> Figure:
    """Accuracy by distance, one panel per setting."""
    figure, panels = new_figure(2, width=5.6, height=4.6)
    draw_accuracy(panels[0], "Can it hold? (trained on mixed distances)", hold, styles)
    draw_accuracy(panels[1], "Can it learn to hold? (trained at one distance)", learn, styles)
    lines: dict[str, Artist] = {}
    for axes in panels:
        for line, label in zip(*axes.get_legend_handles_labels(), strict=True):
            lines.setdefault(label, line)
    figure.legend(list(lines.values()), list(lines), loc="outside lower center", ncols=3)
    return figure


def verdicts(hold: Scores, learn: Scores, styles: Styles) -> list[Verdict]:
    """The claims on memory.

    They are judged by the usual initializations: orthogonal for the RNN (near the end uniform too), forget bias 1 for
    the LSTM. The LSTM can only cure where the RNN forgets. It cures in part where another of its initializations
    remembers, in the mean over seeds, as for a span.
    """
    near_learnt, near_held = (
        {encoder: _worse_near_accuracy(scores[encoder]) for encoder in ("rnn", "rnn_uniform")}
        for scores in (learn, hold)
    )
    longest = max(learn["rnn"])
    held_far, learnt_far = (bootstrap_accuracy(scores["rnn"][longest].correct) for scores in (hold, learn))
    forgets = [far.high < REMEMBERS for far in (held_far, learnt_far)]
    lstm_held, lstm_learnt = (bootstrap_accuracy(scores["lstm"][longest].correct) for scores in (hold, learn))
    cured = [far.low > REMEMBERS for far, forgot in zip((lstm_held, lstm_learnt), forgets, strict=True) if forgot]
    lstms = [encoder for encoder in learn if encoder.startswith("lstm")]
    best = max(lstms, key=lambda encoder: learn[encoder][longest].accuracies.mean())
    best_learnt = bootstrap_accuracy(learn[best][longest].correct)
    return [
        Verdict(
            "A vanilla RNN has a good short-term memory.",
            judged(
                all(accuracy.low > REMEMBERS for accuracy in (*near_learnt.values(), *near_held.values())),
                all(accuracy.low > REMEMBERS for accuracy in near_learnt.values()),
            ),
            f"At 2 and at 5 tokens, the worse of the two: trained at these distances it is right in "
            f"{percent(near_learnt['rnn'])} with an orthogonal start and in {percent(near_learnt['rnn_uniform'])} with "
            f"a uniform one, trained on mixed distances in {percent(near_held['rnn'])} and in "
            f"{percent(near_held['rnn_uniform'])}.",
        ),
        Verdict(
            "A vanilla RNN has a bad long-term memory.",
            judged(all(forgets), any(forgets)),
            f"At {longest} tokens it is right in {percent(held_far)} when trained on mixed distances and in "
            f"{percent(learnt_far)} when trained at this one.",
        ),
        Verdict(
            "The LSTM's gates and cell state cure it.",
            judged(bool(cured) and all(cured), any(cured) or (forgets[1] and best_learnt.estimate > REMEMBERS)),
            f"At {longest} tokens it is right in {percent(lstm_held)} when trained on mixed distances and in "
            f"{percent(lstm_learnt)} when trained at this one; of its starts, {initialization_of(styles[best].label)} "
            f"is the best there, {percent(best_learnt)}.",
        ),
    ]


def _worse_near_accuracy(distances: ByDistance) -> Interval:
    """Accuracy at 2 or at 5 tokens, whichever is worse."""
    near = (bootstrap_accuracy(distances[distance].correct) for distance in (2, 5))
    return min(near, key=lambda accuracy: accuracy.low)


STUDY = Study(
    name="memory",
    order=20,
    sweeps=(Sweep("memory_hold_rate", chooses_rates=True), Sweep("memory_hold")),
    findings=findings,
    needs={"learning": LEARN},
)
