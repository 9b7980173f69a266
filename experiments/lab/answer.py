"""What each encoder of `answer.yaml` was measured to do: README's table, and the one on the page of cells."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import yaml

from experiments.lab.findings import Findings, Found, searched_where_run, shares_of
from experiments.lab.rules import Evidence, tally, worst_to_best
from experiments.lab.table import read_results
from experiments.lab.tables import span
from sentiment_rnn.report.tables import Table

ANSWER = "answer.yaml"
SHOWN = 100
"""The lag of which the seeds are shown."""
NONE = "–"
"""Text in place of a number that was not measured."""
TASKS = {"parity": "parity over 40 steps, tested over 160", "recall": "recall 4 pairs over 2 steps"}
"""Conditions of the study `capacity`, by the names of their columns."""
AT_LAST_STATE = "real_text", "new_cells"
"""Protocols of IMDb with encoders that are read at their last state."""
WARNING = "Each number at a lag rests on one search, which chose one draw of learning rate and clipping"
"""What the numbers of a row do not say."""
COLUMNS = ("encoder", "longest lag", f"seeds at lag {SHOWN}", "IMDb [%]")


def answer_table(experiments: Path, findings: Iterable[Found]) -> Table:
    """README's rows, with exact intervals, and the size of each encoder's state per unit."""
    asked = yaml.safe_load((experiments / ANSWER).read_text(encoding="utf-8"))
    rows = rows_of_arms(asked["readme"], asked["draws"], findings, tally)
    return Table(
        f"Longest lag at which most seeds succeed (95 % interval above half), IMDb by seed. {WARNING}",
        (*COLUMNS, "state per unit"),
        [(*row, str(state)) for row, state in zip(rows, asked["readme"].values(), strict=True)],
    )


def learned_table(experiments: Path, findings: Iterable[Found]) -> Table:
    """The rows of README's table and the others, with the tasks of `TASKS` beside them."""
    asked, found = yaml.safe_load((experiments / ANSWER).read_text(encoding="utf-8")), list(findings)
    arms = [*asked["readme"], *asked["others"]]
    capacity = next((of["capacity"].evidence for study, of in found if study.name == "capacity" and of), None)
    rows = [
        (*row, *(counted(capacity, arm, task) for task in TASKS.values()))
        for arm, row in zip(arms, rows_of_arms(arms, asked["draws"], found, "{}/{}".format), strict=True)
    ]
    title = (
        "Seeds that succeed (at lags: figure), longest lag: interval above half; IMDb: worst to best; tasks: capacity. "
        f"{WARNING}"
    )
    return Table(title, (*COLUMNS, *TASKS), rows)


def counted(evidence: Evidence | None, arm: str, condition: str) -> str:
    """`10/10`, the seeds of an arm that succeed, of all that were planned."""
    if evidence is None or evidence.whole(arm, condition) is None:
        return NONE
    return "{}/{}".format(*evidence.learn(arm, condition))


def rows_of_arms(
    arms: Iterable[str],
    draws: Mapping[str, Mapping[str, Sequence[str]]],
    findings: Iterable[Found],
    said: Callable[[int, int], str],
) -> list[tuple[str, ...]]:
    """A row for each arm. Its lags are those of the leading figure, each with the rate that was searched there.

    Args:
        draws: arms that were trained at the shown lag with several draws, and what `by_draw` asks for.
        said: text for so many successes of so many seeds.
    """
    studies = {study.name: (study, found) for study, found in findings}
    (lag, by_protocol), (_, imdb) = studies["lag"], studies["imdb"]
    counts = searched_where_run(lag, read_results(lag.output))
    on_imdb = [imdb[protocol].evidence for protocol in AT_LAST_STATE if protocol in imdb]
    rows: list[tuple[str, ...]] = []
    for arm in arms:
        of_arm = counts.get(arm, {})
        longest = span(shares_of(of_arm))
        at_lag = said(*of_arm[SHOWN]) if SHOWN in of_arm else NONE
        at_lag = by_draw(by_protocol, draws[arm]) if arm in draws else at_lag
        scores = next((scores for of in on_imdb if of and (scores := of.whole(arm, ""))), None)
        accuracy = worst_to_best(scores) if scores else NONE
        rows.append((lag.arms[arm].label, str(longest), at_lag, accuracy))
    return rows


def by_draw(findings: Mapping[str, Findings], arms: Mapping[str, Sequence[str]]) -> str:
    """`0–14/20, by draw`, the fewest and the most seeds that succeed at the shown lag, over draws of rate and clipping.

    Args:
        arms: by protocol, the arms that are draws of one encoder.
    """
    counts = [
        evidence.learn(arm, str(SHOWN))
        for name, of in arms.items() if name in findings and (evidence := findings[name].evidence)
        for arm in of if evidence.whole(arm, str(SHOWN))
    ]  # fmt: skip
    if not counts:
        return NONE
    (seeds,) = {seeds for _, seeds in counts}  # so that the numbers can be compared
    fewest, most = min(counts)[0], max(counts)[0]
    return f"{fewest}–{most}/{seeds}, by draw" if fewest < most else f"{most}/{seeds} by every draw"
