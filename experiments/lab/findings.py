"""Findings of a protocol: tables, figures and a verdict on each claim, computed only from the committed results."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from experiments.lab import figures, reach_findings
from experiments.lab.rules import Evidence, Verdict, evidence_of, verdicts_of
from experiments.lab.search import Draw, draws_of, finals_table, search_table
from experiments.lab.study import SEARCH_SCORES, Protocol, Study, known
from experiments.lab.tables import TABLES
from sentiment_rnn.errors import UserError
from sentiment_rnn.report.statistics import spread, with_deviation
from sentiment_rnn.report.tables import Table


@dataclass(frozen=True)
class Findings:
    """Tables, verdicts and figures of a protocol's results."""

    tables: Mapping[str, Table] = field(default_factory=dict)
    """Tables by a short name; the first is the main one."""
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    """Verdicts by the claim's id."""
    figures: Mapping[str, Figure] = field(default_factory=dict)
    """Figures by file name without suffix."""
    evidence: Evidence | None = None
    """Results behind them."""
    drawn: reach_findings.DrawnEvidence | None = None
    """The evidence of a protocol whose draws are the unit."""


Found = tuple[Study, Mapping[str, Findings]]
"""A study, and the findings of its protocols that have run, by their name."""


def findings_of(study: Study, protocol: Protocol, table: pd.DataFrame) -> Findings:
    """The findings of a protocol; only the tables of its searches if nothing else was run."""
    if any(sweep.seeds_of_draw for sweep in protocol.sweeps):
        return drawn_findings(reach_findings.DrawnEvidence(study, protocol, table[table.protocol == protocol.name]))
    evidence, own = evidence_of(study, protocol, table), own_module(study, protocol)
    found: Findings = own.findings(evidence, table) if own else Findings()
    searches = search_tables(study, protocol, table)
    if not (evidence.scores or found.verdicts or found.tables):
        return Findings(searches, evidence=evidence)
    verdicts = verdicts_of(evidence) | dict(found.verdicts)
    check_shown(protocol)
    drawn = {name: FIGURES[name](evidence) for name in protocol.figures if evidence.conditions} | dict(found.figures)
    return Findings(
        {name: TABLES[name](evidence) for name in protocol.tables} | dict(found.tables) | searches,
        {claim.id: verdicts[claim.id] for claim in protocol.claims if claim.id in verdicts},
        {f"{protocol.name}_{name}": figure for name, figure in drawn.items()},
        evidence,
    )


def drawn_findings(evidence: reach_findings.DrawnEvidence) -> Findings:
    """The findings of a protocol whose draws are the unit."""
    drawn = reach_findings.figure(evidence)
    figures_of = {f"{evidence.protocol.name}_search": drawn} if drawn else {}
    return Findings(reach_findings.tables(evidence), reach_findings.verdicts(evidence), figures_of, drawn=evidence)


def check_shown(protocol: Protocol) -> None:
    """Raise `UserError` for an unknown table or figure."""
    for name in protocol.tables:
        known(name, TABLES, f"study.yaml: {protocol.name} names table {name}")
    for name in protocol.figures:
        known(name, FIGURES, f"study.yaml: {protocol.name} names figure {name}")


def own_module(study: Study, protocol: Protocol) -> Any:
    """A protocol's own module; None if it has none.

    It has `findings(evidence, table)`. It may have `measure_run(…)`, which measures each run when its sweep has
    finished, and `measure(…)`, which measures what needs all sweeps of the protocol.
    """
    if not protocol.own:
        return None
    path = study.folder / f"{protocol.own}.py"
    if not path.is_file():
        raise UserError(f"{path}: not there; {protocol.name} names it as its own")
    return import_module(f"experiments.{study.name}.{protocol.own}")


def search_tables(study: Study, protocol: Protocol, table: pd.DataFrame) -> dict[str, Table]:
    """Tables of the searches at each condition, such as `search_50`, and of the finals, which try the best draws again,
    such as `finals_50`."""
    found: dict[tuple[str, str, str], dict[str, list[Draw]]] = {}
    for sweep in protocol.searches:
        for arm, draws in draws_of(table, sweep.name).items():
            stage = "finals" if sweep.rank else "search"
            score = SEARCH_SCORES[sweep.score or study.search_score]
            found.setdefault((stage, sweep.condition, score), {}).setdefault(arm, []).extend(draws)
    table_of = {"search": search_table, "finals": finals_table}
    return {
        "_".join([stage, *condition.replace(",", "").split()]): table_of[stage](
            of, study, ", ".join(filter(None, [score, condition]))
        )
        for (stage, condition, score), of in found.items()
    }


def mean_of(values: Iterable[float], places: int = 1) -> str:
    """`88.1 ± 0.2`, mean and standard deviation over seeds; `88.1` for a single seed."""
    return with_deviation(spread(list(values)), places)


FIGURES: dict[str, Callable[[Evidence], Figure]] = {
    "shares": figures.shares,
    "accuracy": figures.accuracy,
    "carried": figures.carried,
}
"""Functions that draw the figures, by their names in `study.yaml`."""
