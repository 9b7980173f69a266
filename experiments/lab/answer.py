"""README's table: how far back each encoder of `answer.yaml` remembers, what it is worth on IMDb, and its state."""

from collections.abc import Iterable
from pathlib import Path

import yaml

from experiments.lab.findings import Found, by_arm, searched_where_run, shares_of
from experiments.lab.rules import tally, worst_to_best
from experiments.lab.table import read_results
from experiments.lab.tables import span
from sentiment_rnn.report.tables import Table

ANSWER = "answer.yaml"
SHOWN = 100
"""The lag of which the seeds are shown."""
NONE = "–"
"""Text in place of a number that was not measured."""


def answer_table(experiments: Path, findings: Iterable[Found]) -> Table:
    """A row for each encoder. Its lags are those of the leading figure, each with the rate that was searched there."""
    studies = {study.name: (study, found) for study, found in findings}
    lag, (_, imdb) = studies["lag"][0], studies["imdb"]
    counts, real_text = by_arm(searched_where_run(lag, read_results(lag.output))), imdb["real_text"].evidence
    rows = []
    for arm, state in yaml.safe_load((experiments / ANSWER).read_text(encoding="utf-8")).items():
        of_arm = counts.get(arm, {})
        longest = span(shares_of(of_arm))
        at_lag = tally(*of_arm[SHOWN]) if SHOWN in of_arm else NONE
        accuracy = worst_to_best(scores) if real_text and (scores := real_text.scores.get((arm, ""))) else NONE
        rows.append((lag.arms[arm].label, str(longest), at_lag, accuracy, state))
    return Table(
        "Longest lag with an interval above 50 % of seeds; exact 95 % intervals; IMDb from worst to best seed; H units",
        ("encoder", "longest lag", f"seeds at lag {SHOWN}", "IMDb [%]", "state"),
        rows,
    )
