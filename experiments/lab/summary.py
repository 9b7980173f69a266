"""Summary of all studies: their claims with verdicts, and the table on the page of cells."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import yaml

from experiments.lab.findings import Found
from experiments.lab.reach import SEARCH, success_interval
from experiments.lab.reach_findings import share
from experiments.lab.rules import Evidence, Numbers, Verdict, worst_to_best
from experiments.lab.study import Claim, Protocol, Study, known
from sentiment_rnn.report.tables import Table

CHOSEN = "findings.yaml"
"""File with the claims of the report's first table, by question."""
TITLE = "Claims and verdicts, with 95 % intervals"
NUMBERS = {"most": "seeds that succeed", "learns": "seeds that succeed", "own": "number",
    "reaches": "S(4) [%]", "wider": "window [%]"}  # fmt: skip
"""Titles of a claim's numbers, by the first word of its rule. For other rules, the title is the study's score."""
LAGS = 50, 100, 200
"""Lags of the study `reach` that are shown."""
NONE = "–"
"""Text in place of a number that was not measured."""
PARITY = "parity over 40 steps, tested over 160"
"""A condition of the study `capacity`."""
AT_LAST_STATE = "real_text", "new_cells", "slow_gates"
"""Protocols of IMDb with encoders that are read at their last state."""
SEARCHED = f"Searches of {SEARCH} draws that succeed [%], with 95 % intervals over draws"
COLUMNS = ("encoder", *(f"lag {lag}" for lag in LAGS), "IMDb [%]")


class Judged(NamedTuple):
    """A claim of a study, with its verdict."""

    study: Study
    protocol: Protocol
    claim: Claim
    verdict: Verdict

    @property
    def name(self) -> str:
        """`lag/schedule.usual`."""
        return f"{self.study.name}/{self.protocol.name}.{self.claim.id}"


def judged_claims(findings: Sequence[Found]) -> list[Judged]:
    """Every claim that was judged, in the order of the studies."""
    return [
        Judged(study, protocol, claim, found[name].verdicts[claim.id])
        for study, found in findings
        for name, protocol in study.protocols.items() if name in found
        for claim in protocol.claims if claim.id in found[name].verdicts
    ]  # fmt: skip


def chosen_tables(
    experiments: Path,
    claims: Sequence[Judged],
    text: Callable[[Judged], str] = lambda one: one.claim.text,
    study: Callable[[Judged], str] = lambda _: "",
) -> dict[str, Table]:
    """A table for each question of `findings.yaml`, with the numbers of its claims.

    Args:
        text: function from a claim to its text in the table.
        study: title of the last column, which is left out if this is empty.

    Raises:
        UserError: a named claim was not judged.
    """
    by_name: Mapping[str, Judged] = {one.name: one for one in claims}
    tables = {}
    for name, of in yaml.safe_load((experiments / CHOSEN).read_text(encoding="utf-8")).items():
        chosen = [known(one, by_name, f"{CHOSEN}: {name} names claim {one}") for one in of["claims"]]
        table = claims_table(chosen, text, study, left_out=("difference", "margin", "p", "over_seeds"))
        tables[name] = table._replace(title=f"{of['question']} {table.title}")
    return tables


def protocol_table(study: Study, protocol: Protocol, claims: Sequence[Judged]) -> Table:
    """The claims of a protocol, with all numbers."""
    own = [one for one in claims if (one.study.name, one.protocol.name) == (study.name, protocol.name)]
    return claims_table(own, lambda one: one.claim.text)


def verdict_table(full: Table, numbers: str) -> Table:
    """A row for each claim of a `protocol_table`, with its verdict.

    Args:
        numbers: link to the full table.
    """
    rows = [row[:2] for row in full.rows if row[0]]
    return Table(f"Claims and verdicts ([numbers]({numbers}))", full.columns[:2], rows)


def claims_table(
    claims: Sequence[Judged],
    text: Callable[[Judged], str],
    study: Callable[[Judged], str] = lambda _: "",
    left_out: Sequence[str] = (),
) -> Table:
    """A row for each part of a claim; columns that no part needs are left out.

    Args:
        text: function from a claim to its text in the table.
        study: title of the last column.
        left_out: further columns that are left out.
    """
    parts = [part for one in claims for part in one.verdict.rows]
    number = " or ".join(
        dict.fromkeys(NUMBERS.get(one.claim.rule.split("_")[0], f"{one.study.score} [%]") for one in claims)
    )
    margins = {part.margin for part in parts if part.difference}
    (margin,) = margins if len(margins) == 1 else ("",)
    lags_alone = all(part.condition.isdigit() for part in parts)
    names = {
        "claim": "claim", "verdict": "verdict", "condition": "lag" if lags_alone else "condition",
        "arm": "arm", "number": number, "against": "against", "other": number,
        "difference": f"difference [points{margin and f'; margin {margin}'}]", "margin": "margin [points]",
        "ahead": "seeds ahead by more than the margin", "p": "adjusted p",
        "over_seeds": "p over seeds", "study": "study",
    }  # fmt: skip

    def condition(part: Numbers) -> str:
        return f"lag {part.condition}" if part.condition.isdigit() and not lags_alone else part.condition

    rows = [
        part._replace(condition=condition(part))._asdict()
        | ({} if place else {"claim": text(one), "verdict": one.verdict.verdict, "study": study(one)})
        for one in claims for place, part in enumerate(one.verdict.rows)
    ]  # fmt: skip
    left = {*left_out, "margin"} if margin else {*left_out}
    shown = [name for name in names if name not in left and any(row.get(name) for row in rows)]
    return Table(TITLE, [names[name] for name in shown], [[row.get(name, "") for name in shown] for row in rows])


def learned_table(findings: Iterable[Found]) -> Table:
    """Table of successful searches, IMDb and parity for every arm of the study `reach`."""
    found = list(findings)
    capacity = next((of["capacity"].evidence for study, of in found if study.name == "capacity" and of), None)
    rows = [(*row, counted(capacity, arm, PARITY)) for arm, row in rows_of_arms(found).items()]
    return Table(f"{SEARCHED}; IMDb: worst to best seed; parity: seeds that succeed", (*COLUMNS, "parity"), rows)


def counted(evidence: Evidence | None, arm: str, condition: str) -> str:
    """`10/10`: the seeds of an arm that succeed, and all planned seeds."""
    if evidence is None or evidence.whole(arm, condition) is None:
        return NONE
    return "{}/{}".format(*evidence.learn(arm, condition))


def rows_of_arms(findings: Iterable[Found]) -> dict[str, tuple[str, ...]]:
    """A row for each arm of the study `reach`: successful searches at each lag, and IMDb."""
    studies = {study.name: (study, found) for study, found in findings}
    (reach, searched), (_, imdb) = studies["reach"], studies["imdb"]
    drawn = searched["reach"].drawn
    on_imdb = [imdb[protocol].evidence for protocol in AT_LAST_STATE if protocol in imdb]
    rows: dict[str, tuple[str, ...]] = {}
    for name, arm in reach.arms.items():
        cells: list[str] = []
        for lag in LAGS:
            runs = drawn.runs(name, str(lag)) if drawn else None
            cells.append(share(success_interval(runs, SEARCH)) if runs else NONE)
        scores = next((scores for of in on_imdb if of and (scores := of.whole(name, ""))), None)
        rows[name] = (arm.label, *cells, worst_to_best(scores) if scores else NONE)
    return rows
