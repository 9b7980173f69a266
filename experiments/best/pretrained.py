"""How good RNN, GRU and LSTM get from a language model, by `protocols/2026-11-30_pretrained.md`."""

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from experiments.imdb.word_pairs import FILMS, SWEEP, clustered
from experiments.lab.findings import Findings
from experiments.lab.rules import Evidence, Numbers, Verdict, above, judged, within
from experiments.lab.study import Arm, Protocol, Study, find_study
from experiments.lab.sweeps import Measured
from experiments.lab.table import Correct, Key, read_correct, read_results
from sentiment_rnn.config.loading import source_of
from sentiment_rnn.config.run import ReviewConfig
from sentiment_rnn.config.store import run_config
from sentiment_rnn.errors import UserError
from sentiment_rnn.report.figures import GUIDE, ink, label_ends, line_of, new_figure, styled
from sentiment_rnn.report.statistics import percent, points
from sentiment_rnn.report.tables import Table
from sentiment_rnn.tracking.names import PARAMETERS
from sentiment_rnn.tracking.results import RunResult, find_sweep, results_of
from sentiment_rnn.tracking.store import Store

WEIGHTS, MINUTES, TOKENS = "weights", "minutes", "tokens"
"""Of a run: trained weights, minutes of training, and tokens that it read."""
UNITS = {WEIGHTS: 1e6, TOKENS: 1e6, MINUTES: 1.0}
"""In which the table has them."""
IN_TRAIN = "in_train.npy"
"""Test reviews whose text is in train too: int [K], their positions."""
WORTH = 0.01
"""Difference in accuracy that counts."""


class Row(NamedTuple):
    """One line of the table."""

    label: str
    study: str
    sweep: str
    arm: str
    words: str = ""
    """The sweep of its language model."""


ROWS = {
    "pairs": Row("NBSVM, words and pairs", "imdb", SWEEP, "NBSVM, words and pairs"),
    "rnn": Row("RNN, two directions", "imdb", "variants_directions", "rnn_mean_max_two_way"),
    "gru": Row("GRU", "imdb", "real_text", "gru"),
    "lstm": Row("LSTM, two directions", "imdb", "variants_directions", "lstm_mean_max_two_way"),
} | {
    f"{name}_pretrained": Row(
        f"{name.upper()}, from a language model", "best", f"pretrained_{name}", f"{name}_pretrained_512",
        f"pretrained_words_{name}",
    )
    for name in ("rnn", "gru", "lstm")
}  # fmt: skip
COMPARED = {
    "lstm": ("lstm_pretrained", "lstm", WORTH),
    "rnn": ("rnn_pretrained", "rnn", WORTH),
    "linear": ("lstm_pretrained", "pairs", 0.0),
    "behind": ("lstm_pretrained", "rnn_pretrained", WORTH),
    "gru": ("gru_pretrained", "lstm_pretrained", WORTH),
}
"""By claim: the two rows, and the difference from which one is better, or up to which it is as good."""
AS_GOOD = "gru"


def measure(study: Study, protocol: Protocol, store: Store, overrides: Sequence[str] = ()) -> Measured:
    """Weights, minutes and tokens of the runs in a store, and which test reviews are in train."""
    found = Measured()
    for sweep in protocol.sweeps:
        with suppress(UserError):  # not in this store: one that was measured before
            for run in results_of(store, find_sweep(store, sweep.name, finished=True)):
                at = sweep.name, protocol.name, *sweep.arms, "", run.seed, None
                found.rows += [(*at, "train", *cost) for cost in costs_of(run)]
    config: ReviewConfig = run_config("data=imdb", *overrides)
    reviews = source_of(config.data).read()
    texts = {review.text for split in ("train", "validation") for review in reviews[split]}
    double = [place for place, review in enumerate(reviews["test"]) if review.text in texts]
    np.save(content := io.BytesIO(), np.array(double, "<u2"))
    found.files[IN_TRAIN] = content.getvalue()
    return found


def costs_of(run: RunResult) -> Iterator[tuple[str, float]]:
    """Weights, minutes of training without validation, and tokens read."""
    seconds, speed = (np.array(run.curve(f"train/{name}")[1]) for name in ("epoch_seconds", "tokens_per_second"))
    yield WEIGHTS, run.metrics[PARAMETERS]
    yield MINUTES, seconds.sum() / 60
    yield TOKENS, float((seconds * speed).sum())


def findings(evidence: Evidence, table: pd.DataFrame) -> Findings:
    """Accuracies and costs of the rows that were run, the verdicts, and the figure; nothing before one was measured."""
    folders = {"best": evidence.study.output, "imdb": find_study("imdb").output}
    runs = {study: read_correct(folder) for study, folder in folders.items()}
    right = {name: of for name, row in ROWS.items() if len(of := seeds_of(row, runs[row.study]))}
    if not (folders["best"] / IN_TRAIN).is_file():
        return Findings()
    films, double = np.load(folders["imdb"] / FILMS), np.load(folders["best"] / IN_TRAIN)
    rows = pd.concat([read_results(folders["imdb"]), table])
    planned = {name: len(evidence.study.sweep(row.sweep).seeds) for name, row in ROWS.items() if row.words}
    whole = {name: of for name, of in right.items() if len(of) >= planned.get(name, 0)}
    return Findings(
        {"pretrained": best_table(right, rows, films, double)},
        {claim.id: verdict(claim.id, whole, films) for claim in evidence.protocol.claims},
        {"minutes": accuracy_by_minutes(right, rows, evidence.study.arms)},
    )


def seeds_of(row: Row, runs: Mapping[Key, Correct]) -> np.ndarray:
    """bool [seeds, N], which test reviews each run of a row reads rightly."""
    return np.array([of.right for (sweep, arm, *_), of in runs.items() if (sweep, arm) == (row.sweep, row.arm)])


def best_table(right: Mapping[str, np.ndarray], rows: pd.DataFrame, films: np.ndarray, double: np.ndarray) -> Table:
    """A line for each row: what a run of it costs, and how accurate it is."""
    others = np.setdiff1d(np.arange(len(films)), double)
    lines = []
    for name, of in right.items():
        row, share = ROWS[name], of.mean(0)
        own = rows[(rows.sweep == row.sweep) & (rows.arm == row.arm)]
        validation = own[(own.split == "validation") & own.metric.isin(["best_accuracy", "accuracy"])].value.mean()
        perplexity = rows[(rows.sweep == row.words) & (rows.metric == "perplexity")].value.mean()
        numbers = perplexity, *(of_run(row, rows, metric) / unit for metric, unit in UNITS.items())
        lines.append((
            row.label, *("" if np.isnan(number) else f"{number:.3g}" for number in numbers), str(len(of)),
            f"{100 * validation:.1f}", percent(clustered(share, films)).replace(" %", ""),
            f"{100 * share[others].mean():.1f}",
        ))  # fmt: skip
    title = (
        "Perplexity of the language model; weights and tokens read [millions] and minutes of training on 2 cores, the "
        "language model's too; accuracy [%] on validation and test, means over seeds with 95 % intervals over films, "
        f"and without the {len(double)} test reviews whose text is in train"
    )
    columns = "model", "perplexity", "weights", "tokens", "minutes", "seeds", "validation", "test", "without them"
    return Table(title, columns, lines)


def of_run(row: Row, rows: pd.DataFrame, metric: str) -> float:
    """Mean of a measure over the runs of a row; what its language model read or took comes on top. NaN where it was not
    measured."""
    measured = rows[rows.metric == metric].groupby("sweep").value.mean()
    words = measured.get(row.words, 0.0) if metric != WEIGHTS else 0.0
    return float(measured.get(row.sweep, np.nan) + words)


def verdict(claim: str, right: Mapping[str, np.ndarray], films: np.ndarray) -> Verdict:
    """What the difference of two rows says, review by review; open where one has not run."""
    first, second, worth = COMPARED[claim]
    if not {first, second} <= right.keys():
        return Verdict(judged(None), (Numbers("", ROWS[first].label, against=ROWS[second].label),))
    one, other = right[first].mean(0), right[second].mean(0)
    difference = clustered(one - other, films)
    shares = percent(clustered(one, films)), percent(clustered(other, films))
    decided = within(difference, worth) if claim == AS_GOOD else above(difference, worth)
    numbers = Numbers("", ROWS[first].label, shares[0], ROWS[second].label, shares[1], points(difference))
    return Verdict(judged(decided), (numbers,))


@styled
def accuracy_by_minutes(right: Mapping[str, np.ndarray], rows: pd.DataFrame, arms: Mapping[str, Arm]) -> Figure:
    """Test accuracy against minutes of training, a dot for each seed; a line for each model that starts from none."""
    figure, (axes,) = new_figure(height=3.4)
    longest = max(of_run(ROWS[name], rows, MINUTES) for name in right if ROWS[name].words)
    axes.set_xlim(0, 1.05 * longest)
    lines = []
    for name, of in right.items():
        row, scores = ROWS[name], 100 * of.mean(1)
        if row.words:
            style = arms[row.arm]
            at, marker = of_run(row, rows, MINUTES), line_of(style.encoder)["marker"]
            axes.scatter([at] * len(scores), scores, s=34, color=style.color, marker=marker, alpha=0.65, linewidth=0)
            axes.annotate(row.label, (at, scores.mean()), xytext=(-8, 0), textcoords="offset points", ha="right",
                          va="center", color=ink(style.color))  # fmt: skip
        else:
            lines += axes.plot(axes.get_xlim(), 2 * [scores.mean()], **GUIDE, label=f"{row.label}: {scores.mean():.1f}")
    axes.set_ylim(*axes.get_ylim())
    label_ends(figure, axes, lines)
    figure.supxlabel("minutes of training on 2 cores, with the language model", fontsize="medium")
    figure.supylabel("test accuracy [%]", fontsize="medium")
    return figure
