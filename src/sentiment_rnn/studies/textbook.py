"""How much do encoders keep in the textbook tasks, copying and adding? By experiments/textbook/protocol.md."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from sentiment_rnn.errors import UserError
from sentiment_rnn.report.figures import new_figure, styled
from sentiment_rnn.report.shares import counted, share_interval
from sentiment_rnn.report.statistics import BySeed, accuracy_interval
from sentiment_rnn.report.tables import Table
from sentiment_rnn.studies.kit.arm_panels import mark_rows
from sentiment_rnn.studies.kit.encoder_groups import Styles, by_encoder, styles_of
from sentiment_rnn.studies.kit.findings import Findings
from sentiment_rnn.studies.kit.learnt_shares import MOST
from sentiment_rnn.studies.kit.margin_comparisons import (
    Adjusted,
    Claim,
    Pair,
    Scores,
    adjusted_tests,
    comparison_tables,
    mean_score,
    verdicts_on,
)
from sentiment_rnn.studies.kit.measurements import Measurements, read_rows, read_styles
from sentiment_rnn.studies.kit.random_search import Draw, read_search, search_csv, search_figure, search_table
from sentiment_rnn.studies.kit.study import Study, Sweep
from sentiment_rnn.studies.kit.sweep_runs import compared_and_searched
from sentiment_rnn.studies.kit.verdicts import Verdict, above, judged
from sentiment_rnn.tracking.names import BASELINE, BEST_LOSS
from sentiment_rnn.tracking.results import RunResult
from sentiment_rnn.tracking.store import Store

LEARNS = 0.9
"""A seed learns a task where it keeps more than this share."""
MARGIN = 0.1
"""A difference in what is kept that counts as none."""
COPYING = {
    1: "copying 1 symbol over 27 steps",
    2: "copying 2 symbols over 26 steps",
    4: "copying 4 symbols over 24 steps",
    8: "copying 8 symbols over 20 steps",
}
"""By the number of binary symbols, each of which is kept for 28 steps. They are titles as `SequenceTaskConfig` has."""
ADDING = ("adding over 50 steps", "adding over 200 steps")
TASKS = (*COPYING.values(), *ADDING)
SEEDS = range(80, 100)


class LearningClaim(NamedTuple):
    """That most seeds of an arm learn a task; each task is a part."""

    number: int
    """In the protocol."""
    text: str
    arm: str
    tasks: tuple[str, ...]


def pairs(first: str, second: str, tasks: Sequence[str]) -> tuple[Pair, ...]:
    """Two arms, on each of some tasks."""
    return tuple(Pair(first, second, task) for task in tasks)


LEARNING = (
    LearningClaim(1, "A vanilla RNN keeps one bit for 28 steps.", "rnn", (COPYING[1],)),
    LearningClaim(2, "A vanilla RNN keeps eight bits for 28 steps.", "rnn", (COPYING[8],)),
    LearningClaim(3, "An LSTM keeps eight bits for 28 steps.", "lstm", (COPYING[8],)),
    LearningClaim(8, "An LSTM learns to add.", "lstm", ADDING),
    LearningClaim(9, "A vanilla RNN learns to add.", "rnn", ADDING),
)
SEVERAL_SYMBOLS = tuple(task for symbols, task in COPYING.items() if symbols > 1)
COMPARISONS = (
    Claim(4, "An LSTM usually keeps more bits than a vanilla RNN.", pairs("lstm", "rnn", SEVERAL_SYMBOLS), MARGIN),
    Claim(
        5, "A ReLU RNN that starts with the identity keeps as many bits as an LSTM.",
        pairs("rnn_relu", "lstm", SEVERAL_SYMBOLS), MARGIN, equal=True,
    ),
    Claim(6, "A GRU keeps as many bits as an LSTM.", pairs("gru", "lstm", SEVERAL_SYMBOLS), MARGIN, equal=True),
    Claim(
        7, "Chrono initialization for 50 steps usually makes an LSTM keep more bits.",
        pairs("lstm_chrono_50", "lstm", SEVERAL_SYMBOLS), MARGIN,
    ),
    Claim(
        10, "A ReLU RNN that starts with the identity adds as well as an LSTM.", pairs("rnn_relu", "lstm", ADDING),
        MARGIN, equal=True,
    ),
    Claim(11, "An LSTM usually adds better than a vanilla RNN.", pairs("lstm", "rnn", ADDING), MARGIN),
)  # fmt: skip


def measure(store: Store, sweeps: Sequence[Sweep]) -> Measurements:
    """Test losses of the runs of these sweeps, and the draws of those that choose rates.

    Raises:
        UserError: a sweep has not finished, or they do not compare; see `compared_and_searched`.
    """
    results, searched = compared_and_searched(store, sweeps)
    files: dict[str, str | bytes] = {
        search_file(task): search_csv((run for run in searched if task_of(run) == task), kept_on_validation)
        for task in sorted(set(map(task_of, searched)))
    }
    rows = [
        (
            task_of(run), encoder, run.seed, run.learning_rate, float(run.config.optimizer.gradient_clip_norm),
            run.metrics["test/loss"], run.metrics[BASELINE],
        )
        for encoder, group in by_encoder(results).items() for run in sorted(group, key=task_of)
    ]  # fmt: skip
    columns = ("task", "encoder", "seed", "peak_rate", "clip_norm", "test/loss", BASELINE)
    return Measurements.of_rows(columns, rows, styles_of([*results, *searched]), files)


def task_of(run: RunResult) -> str:
    """The title of a run's task."""
    return str(run.config.task.title)


def kept(loss: float, baseline: float) -> float:
    """Share of what is to be kept that the answers account for, by the loss of who remembers nothing; at least 0.

    Of symbols, it bounds from below what the states say of them (Barber & Agakov 2003). Of sums, it is the share of
    their variance.
    """
    return max(0.0, 1 - loss / baseline)


def kept_on_validation(run: RunResult) -> float:
    """What a run keeps at its best epoch [%], in whole numbers."""
    return round(100 * kept(run.metrics[BEST_LOSS], run.metrics[BASELINE]))


def search_file(task: str) -> str:
    """The file of the search on a task."""
    return f"search_{task.replace(' ', '_')}.csv"


def findings(folder: Path) -> Findings:
    """Findings from the files; where only searches have been run, theirs.

    Raises:
        UserError: a file is missing or damaged.
    """
    scores, styles, searches = read_scores(folder), read_styles(folder), read_searches(folder)
    tables = [search_table(draws, styles, f"Kept on validation [%], {task}") for task, draws in searches.items()]
    figures = {
        search_file(task).removesuffix(".csv"): search_figure(draws, styles, "share kept on validation [%]")
        for task, draws in searches.items()
    }
    if not scores:
        return Findings(tables, [], figures)
    whole = whole_tasks(scores)
    adjusted = adjusted_tests(COMPARISONS, whole)
    return Findings(
        tables=[
            kept_table(scores, styles),
            learnt_table(scores, styles),
            *comparison_tables(COMPARISONS, adjusted, whole, styles),
            *tables,
        ],
        verdicts=verdicts(adjusted, whole, styles),
        figures=kept_figures(scores, styles) | figures,
    )


def read_scores(folder: Path) -> dict[str, dict[str, dict[int, float]]]:
    """What each seed keeps of each task, by arm, in the protocol's order; of seeds that are not the protocol's, none.

    A task of which one arm has other seeds than another is left out. Its sweep is still being run.

    Raises:
        UserError: the file is missing or damaged.
    """
    rows, scores = read_rows(folder), {}
    for task in TASKS:
        found: dict[str, dict[int, float]] = {}
        for row in rows:
            if row["task"] == task and int(row["seed"]) in SEEDS:
                by_seed = found.setdefault(row["encoder"], {})
                by_seed[int(row["seed"])] = kept(loss_in(row, folder), float(row[BASELINE]))
        if len({frozenset(by_seed) for by_seed in found.values()}) == 1:
            scores[task] = found
    return scores


def loss_in(row: Mapping[str, str], folder: Path) -> float:
    """The test loss of a row of `results.csv`; raises `UserError` where it is no number."""
    if not math.isfinite(loss := float(row["test/loss"])):
        raise UserError(
            f"{folder}: the loss of {row['encoder']}, seed {row['seed']}, {row['task']} is {loss}; train all seeds of "
            "this encoder again with its next best draw"
        )
    return loss


def whole_tasks(scores: Scores) -> Scores:
    """The tasks that have all their seeds; of the others nothing is decided."""
    return {task: arms for task, arms in scores.items() if {*SEEDS} == set(next(iter(arms.values())))}


def read_searches(folder: Path) -> dict[str, dict[str, list[Draw]]]:
    """The draws of each arm, by task; raises `UserError` where a file is damaged."""
    files = {task: search_file(task) for task in TASKS}
    return {task: read_search(folder, file) for task, file in files.items() if (folder / file).is_file()}


def verdicts(adjusted: Adjusted, scores: Scores, styles: Styles) -> list[Verdict]:
    """By the rules of the protocol, in its order; a claim of which nothing was run is left out."""
    found = {claim.number: verdicts_on_learning(claim, scores, styles) for claim in LEARNING}
    found |= {claim.number: verdicts_on([claim], adjusted, scores, styles) for claim in COMPARISONS}
    return [verdict for number in sorted(found) for verdict in found[number]]


def verdicts_on_learning(claim: LearningClaim, scores: Scores, styles: Styles) -> list[Verdict]:
    """Whether most seeds of an arm learn: a verdict, or none where nothing was run.

    A task that was not run leaves its part open.
    """
    of_arm = {task: scores[task][claim.arm] for task in claim.tasks if claim.arm in scores.get(task, {})}
    if not of_arm:
        return []
    parts = [above(share_interval(*learnt(of_arm[task])), MOST) if task in of_arm else None for task in claim.tasks]
    counts = "; ".join(
        f"{task}, {counted(*learnt(of_arm[task]))} with {mean_score(of_arm[task])} kept"
        if task in of_arm else f"{task}, not run with all seeds"
        for task in claim.tasks
    )  # fmt: skip
    return [Verdict(claim.text, judged(*parts), f"Seeds of {styles[claim.arm].label} that learn: {counts}.")]


def learnt(by_seed: BySeed) -> tuple[int, int]:
    """How many seeds learn, and of how many."""
    return sum(score > LEARNS for score in by_seed.values()), len(by_seed)


def kept_table(scores: Scores, styles: Styles) -> Table:
    """The mean over seeds of what is kept."""
    title = (
        "Kept: share of the bits (copying) or of the variance (adding), the mean over seeds with its 95 % t interval"
    )
    return table_by_task(title, mean_score, scores, styles)


def learnt_table(scores: Scores, styles: Styles) -> Table:
    """How many seeds learn."""
    title = f"Seeds that learn, which keep more than {100 * LEARNS:g} %, with exact 95 % intervals"
    return table_by_task(title, lambda by_seed: counted(*learnt(by_seed)), scores, styles)


def table_by_task(title: str, cell: Callable[[BySeed], str], scores: Scores, styles: Styles) -> Table:
    """A row for each arm, a column for each task; nothing where an arm was not run."""
    rows = [
        (styles[arm].label, *(cell(arms[arm]) if arm in arms else "" for arms in scores.values()))
        for arm in arms_of(scores.values())
    ]
    return Table(title, ("encoder", *scores), rows)


def arms_of(tasks: Iterable[Mapping[str, BySeed]]) -> list[str]:
    """The arms that were run on some of these tasks."""
    return list(dict.fromkeys(arm for arms in tasks for arm in arms))


def kept_figures(scores: Scores, styles: Styles) -> dict[str, Figure]:
    """What is kept of each task, and the bits that are kept of so many, where more than one number was run."""
    copied = {symbols: scores[task] for symbols, task in COPYING.items() if task in scores}
    found = {"kept": kept_figure(scores, styles)}
    return found | ({"bits": bits_figure(copied, styles)} if len(copied) > 1 else {})


@styled
def bits_figure(copied: Mapping[int, Mapping[str, BySeed]], styles: Styles) -> Figure:
    """Bits that are kept against bits that are to be kept, a line for each arm, with t intervals."""
    figure, (axes,) = new_figure(1, width=6.4, height=3.9)
    axes.plot(list(copied), list(copied), color="#999999", linestyle="--", linewidth=1, label="all of them")
    for place, arm in enumerate(shown := arms_of(copied.values())):
        found = {
            symbols: accuracy_interval(list(arms[arm].values())) for symbols, arms in copied.items() if arm in arms
        }
        aside = 1.02 ** (place - (len(shown) - 1) / 2)  # so that no whisker hides another
        x = [aside * symbols for symbols in found]
        bits, low, high = np.transpose([symbols * np.array(interval) for symbols, interval in found.items()])
        label, color = styles[arm]
        axes.errorbar(x, bits, (bits - low, high - bits), label=label, color=color, marker="o", markersize=5, capsize=2)
    axes.set_xscale("log", base=2)
    axes.set_xticks(list(copied), [str(symbols) for symbols in copied])
    axes.minorticks_off()
    axes.set(xlabel="bits to keep for 28 steps", ylabel="bits kept (mean with 95 % interval)", ylim=(0, None))
    figure.legend(loc="outside right center")
    return figure


@styled
def kept_figure(scores: Scores, styles: Styles) -> Figure:
    """What is kept, one dot per seed: a panel for each task, a row for each arm."""
    arms = arms_of(scores.values())
    figure, panels = new_figure(len(scores), width=2.2 + 2.2 / len(scores), height=1.2 + 0.4 * len(arms))
    for axes, (task, of_task) in zip(panels, scores.items(), strict=True):
        for row, arm in enumerate(arms):
            if arm in of_task:
                values = list(of_task[arm].values())
                axes.scatter(values, [row] * len(values), color=styles[arm].color, s=26, alpha=0.6, clip_on=False)
        axes.axvline(LEARNS, color="#999999", linestyle="--", linewidth=1)
        mark_rows(axes, [styles[arm].label if axes is panels[0] else "" for arm in arms])
        axes.set(title=task.replace(" over", "\nover"), xlim=(-0.04, 1.04))
        axes.set_xlabel("share kept")
    return figure


CASES = (*(f"copying_{symbols}" for symbols in COPYING), "adding_50", "adding_200")
SWEEPS = (
    *(Sweep(f"textbook_search_{case}", chooses_rates=True) for case in CASES),
    *(Sweep(f"textbook_{case}") for case in CASES),
)

STUDY = Study(
    name="textbook",
    order=30,
    sweeps=SWEEPS,
    measure=measure,
    findings=findings,
    in_parts=True,
)
