"""How far back does each encoder remember? Held (trained on mixed distances) beside learnt (at one distance)."""

from matplotlib.figure import Figure

from sentiment_rnn.analysis.figures import new_figure, styled
from sentiment_rnn.analysis.statistics import Interval, bootstrap_accuracy, percent
from sentiment_rnn.analysis.tables import Table
from sentiment_rnn.studies.findings import Findings, Verdict, csv_text, judged, listed
from sentiment_rnn.studies.rates import rate_table, validation_accuracy
from sentiment_rnn.studies.spans import (
    LEARN,
    REMEMBERS,
    ByDistance,
    Scores,
    accuracy_rows,
    accuracy_table,
    draw_accuracy,
    held,
    learnt,
    spans,
)
from sentiment_rnn.studies.starts import LABELS, start_of
from sentiment_rnn.tracking.results import runs_of
from sentiment_rnn.tracking.store import Store

EXPERIMENTS = ("memory_hold_rate", "memory_hold")
NEEDS = {"learning": LEARN}


def findings(store: Store) -> Findings:
    """What these sweeps and those of the learning study say."""
    runs = runs_of(store, "memory_hold")
    hold, learn = held(store, runs), learnt(store, runs_of(store, *LEARN))
    return Findings(
        tables=[
            span_table(hold, learn),
            accuracy_table("trained on mixed distances", hold),
            rate_table(
                "Validation accuracy [%] by learning rate, one seed of its own",
                runs_of(store, "memory_hold_rate"),
                runs,
                validation_accuracy,
                names=LABELS,
            ),
        ],
        figures={"memory": memory_figure(hold, learn)},
        results=csv_text(
            ("setting", "encoder", "distance", "seed", "test/accuracy"),
            accuracy_rows("hold", hold) + accuracy_rows("learn", learn),
        ),
        verdicts=verdicts(hold, learn),
    )


def span_table(hold: Scores, learn: Scores) -> Table:
    """The memory span of each encoder in each setting."""
    rows = []
    for encoder in hold:
        cells = []
        for scores in (hold, learn):
            of_mean, of_seeds = spans(scores[encoder]) if encoder in scores else ("", [])
            cells += [str(of_mean), listed(of_seeds)]
        rows.append((LABELS[encoder], *cells))
    columns = ("encoder", "held [tokens]", "by seed", "learnt at one distance [tokens]", "by seed")
    return Table("Memory span: the longest distance up to which test accuracy stays above 90 %", columns, rows)


@styled
def memory_figure(hold: Scores, learn: Scores) -> Figure:
    """Accuracy by distance, a panel a setting."""
    figure, (left, right) = new_figure(2, width=5.6, height=4.6)
    draw_accuracy(left, "Can it hold? (trained on mixed distances)", hold)
    draw_accuracy(right, "Can it learn to hold? (trained at one distance)", learn)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def verdicts(hold: Scores, learn: Scores) -> list[Verdict]:
    """The claims on memory, by the encoders' usual starts: orthogonal for the RNN (near the end uniform too),
    forget bias 1 for the LSTM. The LSTM can only cure where the RNN forgets, and cures in part where another of its
    starts does, by the mean over seeds, as a span is."""
    taught, mixed = ({start: _shortest(scores[start]) for start in ("rnn", "rnn_uniform")} for scores in (learn, hold))
    longest = max(learn["rnn"])
    held_far, learnt_far = (bootstrap_accuracy(scores["rnn"][longest].correct) for scores in (hold, learn))
    forgets = [far.high < REMEMBERS for far in (held_far, learnt_far)]
    lstm_held, lstm_learnt = (bootstrap_accuracy(scores["lstm"][longest].correct) for scores in (hold, learn))
    cured = [far.low > REMEMBERS for far, forgot in zip((lstm_held, lstm_learnt), forgets, strict=True) if forgot]
    starts = [name for name in learn if name.startswith("lstm")]
    best = max(starts, key=lambda name: learn[name][longest].accuracies.mean())
    best_learnt = bootstrap_accuracy(learn[best][longest].correct)
    return [
        Verdict(
            "A vanilla RNN has a good short-term memory.",
            judged(
                all(found.low > REMEMBERS for found in (*taught.values(), *mixed.values())),
                all(found.low > REMEMBERS for found in taught.values()),
            ),
            f"At 2 and at 5 tokens, the worse of the two: trained at these distances it is right in "
            f"{percent(taught['rnn'])} with an orthogonal start and in {percent(taught['rnn_uniform'])} with a uniform "
            f"one, trained on mixed distances in {percent(mixed['rnn'])} and in {percent(mixed['rnn_uniform'])}.",
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
            f"{percent(lstm_learnt)} when trained at this one; of its starts, {start_of(best)} is "
            f"the best there, {percent(best_learnt)}.",
        ),
    ]


def _shortest(distances: ByDistance) -> Interval:
    """Accuracy at 2 or at 5 tokens, whichever is the worse."""
    return min((bootstrap_accuracy(distances[distance].correct) for distance in (2, 5)), key=lambda found: found.low)
