"""The metrics of a run that a comparison shows: in its table and in `results.csv`.

What a run logs of its test has a column by itself. A line here gives a metric a title and a form of its own.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple

import numpy as np

from sentiment_rnn.report.statistics import Spread, with_deviation
from sentiment_rnn.tracking.names import BEST_ACCURACY, EPOCH_SECONDS, PARAMETERS, PEAK_MEMORY, TOKENS_PER_SECOND


def percent_with_deviation(value: Spread) -> str:
    """`88.1 ± 0.2 %`, or `88.1 %` for a single seed."""
    return f"{with_deviation(Spread(100 * value.mean, 100 * value.deviation), 1)} %"


DECIMALS = partial(with_deviation, places=3)
"""`0.881 ± 0.002`, or `0.881` for a single seed."""
WHOLE = "{0.mean:,.0f}".format
SECONDS = "{0.mean:.1f}".format


class Column(NamedTuple):
    """A metric, and how it is shown."""

    metric: str
    """As runs log it; also its column in `results.csv`."""
    title: str = ""
    """Title of its column in the table; empty where the table leaves it out."""
    form: Callable[[Spread], str] = DECIMALS
    """Function from mean and deviation over seeds to a cell."""

    def cell(self, value: Spread) -> str:
        """The cell; a blank where a run does not have the metric."""
        return "" if np.isnan(value.mean) else self.form(value)


SCORES = (
    Column(PARAMETERS, "parameters", WHOLE),
    Column(BEST_ACCURACY, "validation accuracy", percent_with_deviation),
    Column("test/accuracy", "test accuracy", percent_with_deviation),
    Column("test/f1", "F1"),
    Column("test/auroc", "AUROC"),
    Column("test/calibration_error"),
    Column("test/loss"),
    Column("test/loss_calibrated"),
    Column("test/calibration_error_calibrated"),
)
COSTS = (
    Column(EPOCH_SECONDS, "s / epoch", SECONDS),
    Column(TOKENS_PER_SECOND, "tokens / s", WHOLE),
    Column(PEAK_MEMORY),
)


def columns_of(metrics: Iterable[str]) -> list[Column]:
    """Columns of a comparison of these metrics: `SCORES`, `COSTS` and any other `test/…`."""
    named = {column.metric for column in SCORES}
    further = sorted(metric for metric in set(metrics) - named if metric.startswith("test/"))
    titled = (Column(metric, metric.removeprefix("test/").replace("_", " ")) for metric in further)
    return [*SCORES, *titled, *COSTS]
