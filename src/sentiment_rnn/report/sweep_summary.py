"""Results of a sweep in a few lines and a few numbers, for its parent run in MLflow's list."""

import math
import re
from collections.abc import Iterable, Sequence

from sentiment_rnn.report.comparison import Arm
from sentiment_rnn.report.statistics import accuracy_interval, percent, with_deviation
from sentiment_rnn.report.tables import Table, markdown
from sentiment_rnn.tracking.names import BEST_ACCURACY, BEST_LOSS
from sentiment_rnn.tracking.results import RunResult, validation_rank

ACCURACY = "test/accuracy"
SHOWN = {ACCURACY: "test accuracy", "test/loss": "test loss", BEST_LOSS: "validation loss"}
"""What is told of an arm: the first of these that its runs have. A language model is not tested."""
ROWS = 30
"""Rows of the table at most: a description is a tag, and MLflow cuts long tags."""


def summary_text(arms: Sequence[Arm], jobs: int) -> str:
    """Number of finished runs, the best run on validation, and a row for each arm, in Markdown.

    Args:
        jobs: how many runs the sweep has.
    """
    title = f"{sum(len(arm.runs) for arm in arms)} of {jobs} runs finished"
    if best := _best(arms):
        arm, run, metric = best
        title += f"; best on validation: {arm.label}, seed {run.seed} ({_shown(metric, run.metrics[metric])})"
    shown = _first_of(SHOWN, arms)
    what = SHOWN[shown] + (" (95 % interval)" if shown == ACCURACY else "")
    columns = ("arm", f"mean {what}", "seeds")
    rows = [(arm.label, _score(arm, shown), str(len(arm.runs))) for arm in arms[:ROWS]]
    left = f"\n… and {len(arms) - ROWS} more\n" if len(arms) > ROWS else ""
    return markdown([Table(title, columns, rows)]) + left


def summary_metrics(arms: Sequence[Arm], of_arms: bool = True) -> dict[str, float]:
    """Metrics of the parent run: `runs/finished`, the best run's `best/val/accuracy` and `best/test/accuracy`, and each
    arm's mean, `lstm/test/accuracy`; of other tasks the losses, and of a language model those on validation.

    Args:
        of_arms: false for a search, in which each trial is an arm.
    """
    shown = _first_of(SHOWN, arms)
    found = {"runs/finished": float(sum(len(arm.runs) for arm in arms))}
    if best := _best(arms):
        _, run, metric = best
        found[f"best/{_bare(metric)}"] = run.metrics[metric]
        found[f"best/{_bare(shown)}"] = run.metrics[shown]
    if of_arms:
        found |= {f"{_metric_name(arm.name)}/{_bare(shown)}": arm.metric(shown).mean for arm in arms}
    return {name: value for name, value in found.items() if not math.isnan(value)}


def _best(arms: Sequence[Arm]) -> tuple[Arm, RunResult, str] | None:
    """The best run on validation, its arm and the metric that says so; None where no run has one."""
    metric = _first_of((BEST_ACCURACY, BEST_LOSS), arms)
    scored = [(arm, run) for arm in arms for run in arm.runs if not math.isnan(run.metrics[metric])]
    if not scored:
        return None
    return *min(scored, key=lambda pair: validation_rank(pair[1])), metric


def _first_of(metrics: Iterable[str], arms: Sequence[Arm]) -> str:
    """The first of these metrics that a run has; that of the loss on validation where none has any."""
    runs = [run for arm in arms for run in arm.runs]
    return next((name for name in metrics if any(not math.isnan(run.metrics[name]) for run in runs)), BEST_LOSS)


def _bare(metric: str) -> str:
    return metric.replace("best_", "")


def _score(arm: Arm, metric: str) -> str:
    if metric == ACCURACY:
        return percent(accuracy_interval([run.metrics[metric] for run in arm.runs]))
    return with_deviation(arm.metric(metric), 4)


def _shown(metric: str, value: float) -> str:
    return f"{100 * value:.1f} %" if metric == BEST_ACCURACY else f"loss {value:.4f}"


def _metric_name(arm: str) -> str:
    """MLflow takes letters, digits, spaces and some marks: `lstm, max_tokens=25` becomes `lstm max_tokens 25`."""
    return " ".join(re.sub(r"[^\w./-]+", " ", arm, flags=re.ASCII).split())
