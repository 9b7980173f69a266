"""What a random search over hyperparameters is worth: the best validation score to be expected of so many draws.

Arms are compared at equal numbers of draws. An arm that needs more of them is harder to tune, not worse.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sentiment_rnn.report.figures import styled
from sentiment_rnn.report.tables import Table, csv_text
from sentiment_rnn.studies.kit.arm_panels import BEHIND, arm_panels
from sentiment_rnn.studies.kit.encoder_groups import Styles
from sentiment_rnn.studies.kit.measurements import read_rows, reading
from sentiment_rnn.tracking.results import RunResult


class Draw(NamedTuple):
    """One draw of a random search."""

    learning_rate: float
    clip: float
    """Largest norm of the gradient; 0 does not clip."""
    score: float
    """On validation."""


def search_csv(
    results: Iterable[RunResult],
    score: Callable[[RunResult], float],
    arm_of: Callable[[RunResult], str] = lambda result: result.encoder,
    by_seed: bool = False,
) -> str:
    """The content of `search.csv`: a row for each run, those of an arm together. One that diverged has no score.

    Args:
        by_seed: each draw was tried with several seeds; those of a seed stand together, and there is a column of it.
    """
    by_arm: dict[str, list[RunResult]] = {}
    for result in results:
        by_arm.setdefault(arm_of(result), []).append(result)
    rows = []
    for arm, runs in by_arm.items():
        for run in sorted(runs, key=lambda run: run.seed) if by_seed else runs:
            clip, found = float(run.config.optimizer.gradient_clip_norm), math.nan if run.diverged else score(run)
            rows.append((arm, run.learning_rate, clip, *([run.seed] if by_seed else []), found))
    return csv_text(("encoder", "learning_rate", "clip", *(["seed"] if by_seed else []), "score"), rows)


@reading
def read_search(folder: Path, file: str) -> dict[str, list[Draw]]:
    """The draws of each arm, from what `search_csv` wrote; one that diverged has the lowest score of its arm."""
    draws: dict[str, list[Draw]] = {}
    for row in read_rows(folder, file):
        draws.setdefault(row["encoder"], []).append(Draw(*(float(row[name]) for name in Draw._fields)))
    for arm, of_arm in draws.items():
        worst = min((draw.score for draw in of_arm if not math.isnan(draw.score)), default=0.0)
        draws[arm] = [draw._replace(score=worst) if math.isnan(draw.score) else draw for draw in of_arm]
    return draws


def best_draw(draws: Iterable[Draw]) -> Draw:
    """The draw of the best score; of equal scores, that of the lower learning rate, and then the first."""
    return min(draws, key=lambda draw: (-draw.score, draw.learning_rate))


def expected_best(scores: Sequence[float]) -> np.ndarray:
    """float [N], the best score to be expected of 1 to N draws from N scores, with replacement (Dodge et al. 2019,
    arXiv:1909.03004, equation 3).

    Of n draws the i-th smallest score is the largest with probability (i / N)^n - ((i - 1) / N)^n.
    """
    ordered = np.sort(np.asarray(scores, float))
    draws = np.arange(1, len(ordered) + 1)[:, None]
    at_most = (np.arange(len(ordered) + 1) / len(ordered)) ** draws
    return np.asarray(np.diff(at_most) @ ordered)


def search_table(
    draws: Mapping[str, Sequence[Draw]],
    styles: Styles,
    score: str = "Best validation score",
    counts: Sequence[int] = (1, 2, 4, 8, 16),
) -> Table:
    """The expected best score by number of draws, and the best draw; counts that no arm has are left out.

    Args:
        score: what the scores are.
    """
    most = max(len(of_arm) for of_arm in draws.values())
    shown = [count for count in counts if count <= most]
    rows = []
    for arm, of_arm in draws.items():
        expected = expected_best([draw.score for draw in of_arm])
        best = best_draw(of_arm)
        cells = [f"{expected[count - 1]:.4g}" if count <= len(of_arm) else "" for count in shown]
        rows.append(
            (styles[arm].label, *cells, str(len(of_arm)), f"{best.score:.4g}", f"{best.learning_rate:.2g}",
             f"{best.clip:.2g}")
        )  # fmt: skip
    title = f"{score}: the best to be expected by number of draws of a random search, and the best draw"
    return Table(title, ("encoder", *map(str, shown), "draws", "best", "learning rate", "clip"), rows)


@styled
def search_figure(
    draws: Mapping[str, Sequence[Draw]], styles: Styles, score: str = "validation accuracy [%]"
) -> Figure:
    """The expected best score against the number of draws, a panel for each arm.

    Args:
        score: what the scores are.
    """
    expected = {arm: expected_best([draw.score for draw in of_arm]) for arm, of_arm in draws.items()}

    def draw(axes: Axes, arm: str) -> None:
        for other in expected.values():
            axes.plot(range(1, len(other) + 1), other, color=BEHIND, linewidth=1)
        own = expected[arm]
        axes.plot(range(1, len(own) + 1), own, color=styles[arm].color, marker="o", markersize=3)
        axes.locator_params(axis="x", integer=True)

    return arm_panels(expected, styles, "draws of learning rate and clipping", f"expected best {score}", draw)
