"""Random searches for learning rate and clipping: the draws, their scores, and the best draw.

Arms are compared at equal numbers of draws. An arm that needs more of them is harder to tune, not worse.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from experiments.lab.results import RESULTS, read_results
from experiments.lab.study import Study, Sweep, find_study
from sentiment_rnn.report.tables import Table


class Draw(NamedTuple):
    """One draw of a random search."""

    number: int
    learning_rate: float
    clip_norm: float
    """Norm to which the gradient is clipped; 0 does not clip."""
    score: float
    """Score on validation [%], the mean over seeds."""


def draws_of(table: pd.DataFrame, sweep: str) -> dict[str, list[Draw]]:
    """The draws of a search, by arm. A draw that diverged has the lowest score of its arm; with several seeds it has
    0."""
    of_sweep = table[(table.sweep == sweep) & table.draw.notna()]
    found: dict[str, list[Draw]] = {}
    for arm, of_arm in of_sweep.groupby("arm", sort=False):
        scores = of_arm[of_arm.metric == "score"]
        worst = 0.0 if scores.seed.nunique() > 1 or scores.value.isna().all() else scores.value.min()
        score = (
            scores.fillna({"value": worst}).groupby("draw").value.mean().round(3 if scores.seed.nunique() > 1 else 6)
        )
        rows = zip(of_arm.metric, of_arm.draw, of_arm.value, strict=True)
        drawn = {(metric, number): value for metric, number, value in rows}
        found[str(arm)] = [
            Draw(int(number), drawn["learning_rate", number], drawn["clip_norm", number], mean)
            for number, mean in score.items()
        ]
    return found


def best_draws(draws: Iterable[Draw]) -> list[Draw]:
    """The draws sorted by score, the best first; ties go to the lower learning rate."""
    return sorted(draws, key=lambda draw: (-draw.score, draw.learning_rate))


def best_draw(draws: Iterable[Draw]) -> Draw:
    """The draw with the best score. Ties go to the lower learning rate, and then to the first."""
    return best_draws(draws)[0]


def chosen_draws(study: Study, sweep: Sweep) -> dict[str, int | None]:
    """The draw that each arm of a sweep gets: the one in its settings, the best of its searches, or in a final the one
    of its rank; None if no search was run."""
    if (given := sweep.settings.get("optimizer.draw")) is not None:
        return dict.fromkeys(sweep.arms, given)
    searches: list[dict[str, list[Draw]]] = []
    for name in sweep.rates:
        other, _, search = name.rpartition("/")
        # A study with another output folder uses the committed draws if it has no search of its own there.
        draws: dict[str, list[Draw]] = {}
        for folder in [find_study(other).folder] if other else dict.fromkeys([study.folder, study.output]):
            if (folder / RESULTS).is_file():
                draws |= draws_of(read_results(folder), search)
        searches.append(draws)
    chosen: dict[str, int | None] = {}
    for arm in sweep.arms:
        encoder = study.arms[arm].encoder
        named = sweep.rates_of.get(arm, arm)
        of_arm = [draws.get(named) or draws.get(encoder) for draws in searches]
        tried = [best_draws(draws) for draws in of_arm if draws]
        if sweep.least:
            tried = [next((draws for draws in tried if draws[0].score > sweep.least), tried[-1])] if tried else []
        ranked = best_draws(draw for draws in tried for draw in draws)[max(0, sweep.rank - 1) :]
        chosen[arm] = ranked[0].number if ranked else None
    return chosen


def expected_best(scores: Sequence[float]) -> np.ndarray:
    """float [N], the expected best score of 1 to N draws from N scores, with replacement (Dodge et al. 2019,
    arXiv:1909.03004, equation 3).

    The i-th smallest score is the largest of n draws with probability (i / N)^n - ((i - 1) / N)^n.
    """
    ordered = np.sort(np.asarray(scores, float))
    draws = np.arange(1, len(ordered) + 1)[:, None]
    at_most = (np.arange(len(ordered) + 1) / len(ordered)) ** draws
    return np.asarray(np.diff(at_most) @ ordered)


def finals_table(draws: Mapping[str, Sequence[Draw]], study: Study, title: str) -> Table:
    """Table of the draws that were tried again, the best first."""
    rows = [
        (study.arms[arm].label, f"{draw.score:.4g}", f"{draw.learning_rate:.2g}", f"{draw.clip_norm:.2g}")
        for arm in study.arms if arm in draws for draw in best_draws(draws[arm])
    ]  # fmt: skip
    return Table(f"{title}: the best draws again, with other seeds", ("arm", "score", "learning rate", "clip"), rows)


def search_table(draws: Mapping[str, Sequence[Draw]], study: Study, title: str) -> Table:
    """Table of the expected best score by number of draws, and the best draw. Numbers of draws that no arm has are left
    out."""
    most = max(map(len, draws.values()))
    shown = [count for count in (1, 2, 4, 8, 16) if count <= most]
    rows = []
    for arm in (arm for arm in study.arms if arm in draws):
        of_arm, best = draws[arm], best_draw(draws[arm])
        expected = expected_best([draw.score for draw in of_arm])
        cells = [f"{expected[count - 1]:.4g}" if count <= len(of_arm) else "" for count in shown]
        rate = f"{best.learning_rate:.2g}", f"{best.clip_norm:.2g}"
        rows.append((study.arms[arm].label, *cells, str(len(of_arm)), f"{best.score:.4g}", *rate))
    title = f"{title}: the best to be expected by number of draws of a random search, and the best draw"
    return Table(title, ("arm", *map(str, shown), "draws", "best", "learning rate", "clip"), rows)
