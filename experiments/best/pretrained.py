"""Accuracy of RNN, GRU and LSTM that start from a language model, by `protocols/2026-11-30_pretrained.md`, compared
with other classifiers, by `2026-12-01_recipe.md` and `2026-12-02_linear.md`."""

import io
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.stats import ttest_ind

from experiments.lab.figures import label_ends
from experiments.lab.findings import Findings
from experiments.lab.results import Correct, Key, read_correct, read_results
from experiments.lab.rules import Evidence, Numbers, Verdict, above, judged
from experiments.lab.statistics import LEVEL, clustered, points
from experiments.lab.study import Study, Sweep, find_study
from experiments.lab.sweeps import Measured
from sentiment_rnn.data.review import Review
from sentiment_rnn.report.plotting import GUIDE, line_of, new_figure, styled
from sentiment_rnn.report.statistics import percent
from sentiment_rnn.report.tables import Table
from sentiment_rnn.tracking.names import PARAMETERS
from sentiment_rnn.tracking.results import RecordedRun
from sentiment_rnn.tracking.store import Store

WEIGHTS, MINUTES, TOKENS = "weights", "minutes", "tokens"
"""Costs of a run: number of trained weights, minutes of training, and tokens that it read."""
UNITS = {WEIGHTS: 1e6, TOKENS: 1e6, MINUTES: 1.0}
"""Units of the costs in the table."""
FILMS = "films.npy"
"""The film of each test review, in the folder of the study `imdb`: uint16 [N]."""
WORTH = 0.01
"""Difference in accuracy from which a row counts as better."""
IN_TRAIN = "in_train.npy"
"""Positions of the test reviews whose text is also in train, in the folder of the study `best`: uint16 [K]. They are
found with the measurements of the protocol `linear`."""
SEEDS = 3
"""Least number of seeds with which a network is compared."""
PUBLISHED = {"LSTM, adversarial, published": 94.09, "LSTM, forward and backward, published": 95.4}
"""Test accuracies [%] by IMDb's texts alone (Miyato et al. 2017, table 2) and by general text too (Howard & Ruder
2018). The figure shows them as levels."""
PUBLISHED_LINEAR = {
    "NB logistic, words and pairs, published": 91.55,
    "NB logistic, words, pairs and triples, published": 91.82,
}
"""Test accuracies [%] of the code of Mesnil et al. 2015 (github.com/mesnilgr/nbsvm)."""
LEVELS = "bag", "triples_published"
"""Rows without minutes that the figure shows as levels."""
PARTS = "recipe"
"""The protocol of arms with one part of the recipe changed; their rows are on its own page."""
ON_OTHER_PAGES = ("words", "pairs", "triples", "shuffled", "words_published")
"""Rows of linear classifiers that are only on linear.md."""
PRETRAINED = "_pretrained"
"""Suffix in `ROWS` of the name of an encoder's row that starts from a language model."""


class Row(NamedTuple):
    """One line of the table."""

    label: str
    study: str
    arm: str
    words: str = ""
    """The sweep of its language model."""
    seeds: int = SEEDS
    """The row is compared if it has at least so many seeds."""


def of_gru(part: str, arm: str) -> Row:
    """The row of a GRU (one seed) that starts from the language model, with one part of the recipe changed."""
    return Row(f"GRU, {part}", "best", arm, "pretrained_words_gru", seeds=1)


def linear(what: str) -> Row:
    """The row of a logistic regression on log-count ratios."""
    return Row(f"NB logistic, {what}", "best", f"NB logistic, {what}", seeds=1)


ROWS = {
    "bag": Row("bag of words", "imdb", "bag", seeds=10),
    "words": linear("words"),
    "pairs": linear("words and pairs"),
    "triples": linear("words, pairs and triples"),
    "shuffled": linear("words and pairs, shuffled"),
    "words_published": linear("words, as published"),
    "pairs_published": linear("words and pairs, as published"),
    "triples_published": linear("words, pairs and triples, as published"),
    "rnn": Row("RNN, two directions", "imdb", "rnn_mean_max_two_way", seeds=10),
    "gru": Row("GRU, last state", "imdb", "gru", seeds=10),
    "gru_two_way": Row("GRU, two directions", "imdb", "gru_mean_max_two_way", seeds=10),
    "lstm": Row("LSTM, two directions", "imdb", "lstm_mean_max_two_way", seeds=10),
    "rnn_pretrained": Row("RNN, pretrained", "best", "rnn_pretrained_512", "pretrained_words_rnn"),
    "rnn_last": Row("RNN, pretrained, last state", "best", "rnn_last", "pretrained_words_rnn"),
    "gru_pretrained": Row("GRU, pretrained", "best", "gru_pretrained_512", "pretrained_words_gru"),
    "gru_last": Row("GRU, pretrained, last state", "best", "gru_last", "pretrained_words_gru"),
    "gru_together": Row("GRU, pretrained, with n-grams", "best", "gru_together", "together_words"),
    "gru_no_embedding_dropout": of_gru("no dropout on embeddings", "gru_no_embedding_dropout"),
    "gru_no_head_dropout": of_gru("no dropout before the head", "gru_no_head_dropout"),
    "gru_one_rate": of_gru("one rate", "gru_one_rate"),
    "gru_weight_dropout": of_gru("weight dropout", "gru_weight_dropout"),
    "gru_averaged": of_gru("averaged", "gru_averaged"),
    "gru_unfrozen": of_gru("unfrozen from the top", "gru_unfrozen"),
    "lstm_pretrained": Row("LSTM, pretrained", "best", "lstm_pretrained_512", "pretrained_words_lstm"),
    "lstm_last": Row("LSTM, pretrained, last state", "best", "lstm_last", "pretrained_words_lstm"),
}
COMPARED = {
    "lstm": ("lstm_pretrained", "lstm"),
    "rnn": ("rnn_pretrained", "rnn"),
    "pairs": ("pairs", "words"),
}
"""By claim: a row, and the row that it should beat by more than `WORTH`."""
COMMAND = "python -m experiments.lab study {study} --{of} {names} --output runs/again/{study}"
"""Command that trains a row again."""


def measure_run(study: Study, sweep: Sweep, arm: str, run: RecordedRun, store: Store) -> Measured:
    """Weights, minutes and tokens of a run."""
    at = sweep.name, sweep.protocol, arm, "", run.seed, None
    return Measured([(*at, "train", *cost) for cost in costs_of(run)])


def in_train(reviews: Mapping[str, Sequence[Review]]) -> bytes:
    """The content of `IN_TRAIN`."""
    texts = {review.text for split in ("train", "validation") for review in reviews[split]}
    double = [place for place, review in enumerate(reviews["test"]) if review.text in texts]
    np.save(content := io.BytesIO(), np.array(double, "<u2"))
    return content.getvalue()


def costs_of(run: RecordedRun) -> Iterator[tuple[str, float]]:
    """Weights, minutes of training without validation, and tokens read."""
    seconds, speed = (np.array(run.curve(f"train/{name}")[1]) for name in ("epoch_seconds", "tokens_per_second"))
    yield WEIGHTS, run.metrics[PARAMETERS]
    yield MINUTES, seconds.sum() / 60
    yield TOKENS, float((seconds * speed).sum())


def findings(evidence: Evidence, table: pd.DataFrame) -> Findings:
    """The verdicts; for `recipe` also the rows of its arms; for `pretrained` the other rows with all seeds, and the
    costs of all rows. Empty until a run of `pretrained` has been measured."""
    studies = {"best": evidence.study, "imdb": find_study("imdb")}
    folders = {name: study.output for name, study in studies.items()}
    own = evidence.protocol.name
    if own == "pretrained" and not evidence.scores:
        return Findings()
    runs = {name: planned_answers(study) for name, study in studies.items()}
    right = {name: of for name, row in ROWS.items() if len(of := seeds_of(row.arm, runs[row.study]))}
    films = np.load(folders["imdb"] / FILMS)
    whole = {name: of for name, of in right.items() if len(of) >= ROWS[name].seeds}
    claims = evidence.protocol.claims
    verdicts = {claim.id: found for claim in claims if (found := verdict(claim.id, whole, films))}
    if own not in ("pretrained", PARTS):
        return Findings({}, verdicts)
    tables = {"best": table, "imdb": read_results(folders["imdb"])}
    rows = pd.concat(planned_rows(studies[name], of) for name, of in tables.items())
    parts = {arm for sweep in evidence.study.protocol(PARTS).sweeps for arm in sweep.arms}
    of_parts = [name for name in right if ROWS[name].study == "best" and ROWS[name].arm in parts]
    if own == PARTS:
        return Findings({"parts": best_table(of_parts, right, rows, films)} if of_parts else {}, verdicts)
    shown = [name for name in whole if name not in (*of_parts, *ON_OTHER_PAGES)]
    double = np.load(evidence.study.folder / IN_TRAIN)
    commands = {name: command_of(ROWS[name], studies[ROWS[name].study], runs[ROWS[name].study]) for name in right}
    return Findings(
        {
            "accuracy": with_published(best_table(shown, right, rows, films)),
            "rows": with_published(whole_table(right, rows, films, double, commands)),
        },
        verdicts,
        {"minutes": minutes_figure({name: whole[name] for name in shown}, rows, films)},
    )


def planned_answers(study: Study) -> dict[Key, Correct]:
    """The runs of a study with planned seeds, and results that no sweep trained."""
    planned = planned_seeds(study)
    return {key: run for key, run in read_correct(study.output).items() if key[-1] in planned.get(key[0], key[-1:])}


def planned_rows(study: Study, table: pd.DataFrame) -> pd.DataFrame:
    """The rows of results with planned seeds, and those that no sweep trained."""
    planned = planned_seeds(study)
    runs = zip(table.sweep, table.seed, strict=True)
    return table[np.array([seed in planned.get(sweep, (seed,)) for sweep, seed in runs], bool)]


def planned_seeds(study: Study) -> dict[str, tuple[int, ...]]:
    """The seeds of each sweep of a study."""
    return {sweep.name: sweep.seeds for protocol in study.protocols.values() for sweep in protocol.sweeps}


def seeds_of(arm: str, runs: Mapping[Key, Correct]) -> np.ndarray:
    """bool [seeds, N], which test reviews each run of an arm classifies correctly."""
    return np.array([of.right for (_, of_run, *_), of in runs.items() if of_run == arm])


def command_of(row: Row, study: Study, runs: Mapping[Key, Correct]) -> str:
    """The command that trains a row again: its searches or its language model, and its sweeps; without sweeps, its
    protocol."""
    sweeps = {sweep.name: sweep for protocol in study.protocols.values() for sweep in protocol.sweeps}
    own = dict.fromkeys(sweep for sweep, arm, *_ in runs if arm == row.arm)
    if not own.keys() <= sweeps.keys():
        return COMMAND.format(study=row.study, of="protocols", names=",".join(own))
    first = [row.words] if row.words else []
    first += dict.fromkeys(search for name in own for search in sweeps[name].rates)
    return COMMAND.format(study=row.study, of="sweeps", names=",".join([*first, *own]))


def best_table(names: Sequence[str], right: Mapping[str, np.ndarray], rows: pd.DataFrame, films: np.ndarray) -> Table:
    """A line for each of these rows: its accuracy, and the difference to the same encoder of `pretrained`."""
    lines = []
    for name, of in ((name, right[name]) for name in names):
        row, share, pretrained = ROWS[name], of.mean(0), name.partition("_")[0] + PRETRAINED
        minutes = of_run(row, rows, MINUTES)
        over = pretrained in right and pretrained != name
        lines.append((
            row.label, told(minutes, ".2g" if minutes < 100 else ".0f"), str(len(of)),
            percent(clustered(share, films), unit=""),
            points(clustered(share - right[pretrained].mean(0), films)) if over else "",
        ))  # fmt: skip
    title = (
        "Minutes on 2 cores, with the language model; test accuracy [%]; difference to *pretrained* [points]; 95 % "
        "intervals over films"
    )
    return Table(title, ("model", "minutes", "seeds", "test", "difference"), lines)


def whole_table(
    right: Mapping[str, np.ndarray],
    rows: pd.DataFrame,
    films: np.ndarray,
    double: np.ndarray,
    commands: Mapping[str, str],
) -> Table:
    """A line for each row: its costs, its accuracy on all test reviews and without those in train, and the command that
    trains it again."""
    others = np.setdiff1d(np.arange(len(films)), double)
    lines = []
    for name, of in right.items():
        row, share = ROWS[name], of.mean(0)
        numbers = [of_run(row, rows, metric) / unit for metric, unit in UNITS.items()]
        accurate = [percent(clustered(share[some], films[some]), unit="") for some in (slice(None), others)]
        of_words = rows[rows.sweep == row.words]
        perplexity, models = mean_of(of_words, "perplexity"), of_words.seed.nunique()
        lines.append((
            row.label, *(told(number, ".3g") for number in (perplexity, *numbers)),
            str(models or ""), str(len(of)), told(validation_of(row, rows), ".1f"), *accurate, commands[name],
        ))  # fmt: skip
    columns = (
        "model", "perplexity", "weights [millions]", "tokens [millions]", "minutes", "language models", "seeds",
        "validation [%]",
        "test [%]", f"without {len(double)} reviews in train [%]", "command",
    )  # fmt: skip
    return Table("What trains each row, and what it takes", columns, lines)


def with_published(table: Table) -> Table:
    """The table, and a line for each published accuracy, which has no other number."""
    published = [
        tuple(
            {"model": label, "test": f"{accuracy:g}"}.get(column.removesuffix(" [%]"), "") for column in table.columns
        )
        for label, accuracy in (PUBLISHED_LINEAR | PUBLISHED).items()
    ]
    return table._replace(rows=[*table.rows, *published])


@styled
def minutes_figure(right: Mapping[str, np.ndarray], rows: pd.DataFrame, films: np.ndarray) -> Figure:
    """Test accuracy by minutes of training, with the language model; and levels to compare with."""
    figure, (axes,) = new_figure(height=3.9)
    styles, drawn = find_study("best").arms, []
    for name, of in right.items():
        if not np.isnan(minutes := of_run(ROWS[name], rows, MINUTES)):
            share, low, high = 100 * np.array(clustered(of.mean(0), films))
            style = styles[ROWS[name].arm]
            axes.vlines(minutes, low, high, color=style.color, alpha=0.4, linewidth=2.5)
            drawn += axes.plot(
                minutes, share, line_of(style.encoder)["marker"], color=style.color, label=ROWS[name].label
            )
    levels = {ROWS[name].label: 100 * float(right[name].mean()) for name in LEVELS if name in right}
    for label, level in (levels | PUBLISHED).items():
        axes.axhline(level, **GUIDE)
        axes.annotate(f"{label} {level:.1f}", (0.5, level), va="bottom", fontsize="small", color="#555555")
    axes.set(xlim=(0, None), ylim=(87, 96.5), xlabel="minutes of training on 2 cores, with the language model")
    axes.set_title("Test accuracy on IMDb [%]; bars: 95 % intervals over films", fontsize="medium", fontweight="normal")
    label_ends(figure, axes, drawn)
    return figure


def told(number: float, form: str) -> str:
    """The number, formatted with `form`; empty for NaN."""
    return "" if np.isnan(number) else format(number, form)


def validation_of(row: Row, rows: pd.DataFrame) -> float:
    """Mean validation accuracy [%] of a row's runs; NaN where it was not measured."""
    own = rows[(rows.study == row.study) & (rows.arm == row.arm) & (rows.split == "validation")]
    return 100 * float(own[own.metric.isin(["best_accuracy", "accuracy"])].value.mean())


def mean_of(rows: pd.DataFrame, metric: str) -> float:
    """Mean of a measure; NaN where it was not measured."""
    return float(rows[rows.metric == metric].value.mean())


def of_run(row: Row, rows: pd.DataFrame, metric: str) -> float:
    """A cost of a run of a row; what its language model reads and takes is added."""
    own = mean_of(rows[rows.arm == row.arm], metric)
    return own + mean_of(rows[rows.sweep == row.words], metric) if row.words and metric != WEIGHTS else own


def verdict(claim: str, right: Mapping[str, np.ndarray], films: np.ndarray) -> Verdict | None:
    """The verdict on the difference of two rows, review by review; None if one of them has not run.

    Its interval is over films. For networks, the difference must also be larger than chance differences between seeds,
    else the verdict is open (see the deviations of the protocols). Linear classifiers have no seeds, since nothing in
    their training is random.
    """
    first, second = COMPARED[claim]
    if not {first, second} <= right.keys():
        return None
    one, other = ((ROWS[name].label, right[name].mean(0)) for name in (first, second))
    difference = clustered(one[1] - other[1], films)
    accuracies = [percent(clustered(share, films)) for _, share in (one, other)]
    numbers = Numbers("", one[0], accuracies[0], other[0], accuracies[1], points(difference))
    decided = above(difference, WORTH)
    if len(right[first]) > 1:
        p = ttest_ind(right[first].mean(1) - WORTH, right[second].mean(1)).pvalue
        decided = decided if p <= LEVEL else None
        numbers = numbers._replace(over_seeds=f"{p:.2g}")
    return Verdict(judged(decided), (numbers,))
