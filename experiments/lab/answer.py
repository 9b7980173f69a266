"""The lesson in short: `answer.yaml` names the claim that answers each question, and the numbers that are shown."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from experiments.lab.findings import Findings, Found, at
from experiments.lab.rules import Evidence, mean_score
from experiments.lab.run import read_provenance
from experiments.lab.study import Study
from experiments.lab.table import BySeed
from sentiment_rnn.report.statistics import counted
from sentiment_rnn.report.tables import Table

ANSWER = "answer.yaml"


def answer_table(experiments: Path, findings: Iterable[Found]) -> Table:
    """A row for each question, from the findings of all studies; none where its claim has not been judged."""
    studies = {study.name: (study, found) for study, found in findings}
    rows = []
    for asked in yaml.safe_load((experiments / ANSWER).read_text(encoding="utf-8")):
        name, of, claim = asked["claim"].replace(".", "/").split("/")
        study, found = studies[name]
        if of in found and claim in found[of].verdicts:
            text, verdict, said = found[of].verdicts[claim]
            _, _, left = said.partition("Not run with all seeds: ")
            verdict = f"**{verdict}**" + (f"; not run: {left.partition('.')[0]}" if left else "")
            number = " ".join(filter(None, (shown_text(found, of, **shown) for shown in asked["shown"])))
            ran = ran_with(study, of, asked["sweep"])
            rows.append((asked["question"], text, verdict, number, ran, f"[{name}](experiments/{name})"))
    return Table("The lesson in short", ("question", "claim", "verdict", "number", "shown with", "study"), rows)


def shown_text(found: Mapping[str, Findings], of: str, **shown: Any) -> str:
    """`Seeds that learn, 20 tokens: 20/20 (83 to 100 %) of RNN, orthogonal.`; empty where no arm was run. Of claims
    it is how their evidence begins.

    Args:
        of: the protocol, unless another one is shown.
    """
    if "claims" in shown:
        return " ".join(found[of].verdicts[claim].evidence.partition(". ")[0] + "." for claim in shown["claims"])
    there = found.get(shown.get("protocol", of), Findings()).evidence
    condition, cell = str(shown.get("at", "")), CELLS[shown.get("as", "count")]
    arms = [arm for arm in shown["arms"] if there and (arm, condition) in there.scores]
    if not (there and arms):
        return ""
    cells = "; ".join(f"{cell(there, arm, condition)} {there.label(arm)}" for arm in arms)
    return f"{shown['says']}{at(there.study, condition)}: {cells}."


def range_of(by_seed: BySeed) -> str:
    """`54.6 to 84.6 % (median 75.8)`, over seeds."""
    worst, middle, best = (100 * number for number in np.quantile(list(by_seed.values()), (0, 0.5, 1)))
    return f"{worst:.1f} to {best:.1f} % (median {middle:.1f})"


CELLS: dict[str, Callable[[Evidence, str, str], str]] = {
    "count": lambda evidence, *one: f"{counted(*evidence.learn(*one))} of",
    "mean": lambda evidence, *one: f"{mean_score(evidence.scores[one])} with",
    "range": lambda evidence, *one: f"{range_of(evidence.scores[one])} with",
}
"""By `as` in `answer.yaml`."""


def ran_with(study: Study, protocol: str, sweep: str) -> str:
    """`20 seeds, float32, AMD EPYC`: how a sweep ran."""
    parts = [part for part in read_provenance(study.folder)[protocol]["sweeps"] if part["sweep"] == sweep]
    seeds, *kinds = (
        sorted({one for part in parts for one in part[key]}) for key in ("seeds", "precisions", "processors")
    )
    return ", ".join([f"{len(seeds)} seeds", *(" and ".join(of) for of in kinds)])
