"""What is measured: test losses, how much of the task they say is kept, and the draws of the searches."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from sentiment_rnn.errors import UserError
from sentiment_rnn.studies.kit.encoder_groups import by_encoder, styles_of
from sentiment_rnn.studies.kit.margin_comparisons import TaskScores
from sentiment_rnn.studies.kit.measurements import Measurements, read_rows, reading
from sentiment_rnn.studies.kit.random_search import Draw, read_search, search_csv
from sentiment_rnn.studies.kit.study import Sweep
from sentiment_rnn.studies.kit.sweep_runs import compared_and_searched
from sentiment_rnn.studies.textbook.claims import SEEDS, TASKS
from sentiment_rnn.tracking.names import BASELINE, BEST_LOSS
from sentiment_rnn.tracking.results import RunResult
from sentiment_rnn.tracking.store import Store


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


@reading
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


def whole_tasks(scores: TaskScores) -> TaskScores:
    """The tasks that have all their seeds; of the others nothing is decided."""
    return {task: arms for task, arms in scores.items() if {*SEEDS} == set(next(iter(arms.values())))}


@reading
def read_searches(folder: Path) -> dict[str, dict[str, list[Draw]]]:
    """The draws of each arm, by task; raises `UserError` where a file is damaged."""
    files = {task: search_file(task) for task in TASKS}
    return {task: read_search(folder, file) for task, file in files.items() if (folder / file).is_file()}
