"""The figure that leads: shares of seeds by lag, each at the learning rate that was searched there."""

import pandas as pd
from matplotlib.figure import Figure

from experiments.lab.figures import share_lines
from experiments.lab.rules import evidence_of
from experiments.lab.study import Study
from sentiment_rnn.report.shares import clopper_pearson


def searched_where_run(study: Study, table: pd.DataFrame) -> dict[tuple[str, str], tuple[int, int]]:
    """How many seeds learn, and of how many, by arm and lag: of two protocols of `leading.from`, the later."""
    found = {}
    for name, lags in study.leading["from"].items():
        evidence = evidence_of(study, study.protocol(name), table)
        for arm, lag in evidence.scores:
            if int(lag) in lags and evidence.whole(arm, lag):
                found[arm, lag] = evidence.learn(arm, lag)
    return found


def leading_figure(study: Study, table: pd.DataFrame) -> Figure | None:
    """A line for each arm of `leading.arms`; None where a study has no such figure, or nothing of it was run."""
    found = searched_where_run(study, table) if study.leading else {}
    if not found:
        return None
    lags = sorted({int(lag) for _, lag in found})
    shares = {
        arm: {lag: clopper_pearson(*found[arm, str(lag)]) for lag in lags if (arm, str(lag)) in found}
        for arm in study.leading["arms"]
    }
    return share_lines(shares, study.arms)
