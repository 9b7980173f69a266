"""The lesson in short: `answer.yaml` names the claim that answers each question, and the numbers that are shown."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from experiments.lab.findings import at, own_module
from experiments.lab.rules import Evidence, Verdict, evidence_of, mean_score, verdicts_of
from experiments.lab.run import read_provenance
from experiments.lab.study import Study, read_study
from experiments.lab.table import BySeed, read_results
from sentiment_rnn.report.shares import counted
from sentiment_rnn.report.tables import Table

ANSWER = "answer.yaml"


def answer_table(experiments: Path) -> Table:
    """A row for each question, from the committed files; none where its claim has not been judged."""
    rows = []
    for asked in yaml.safe_load((experiments / ANSWER).read_text(encoding="utf-8")):
        name, of, claim = asked["claim"].replace(".", "/").split("/")
        study, table = read_study(experiments / name), read_results(experiments / name)
        protocol = study.protocol(of)
        evidence, own = evidence_of(study, protocol, table), own_module(study, protocol)
        verdicts = own.findings(evidence, table).verdicts if own else verdicts_of(evidence)
        if claim in verdicts:
            text, verdict, said = verdicts[claim]
            _, _, left = said.partition("Not run with all seeds: ")
            verdict = f"**{verdict}**" + (f"; not run: {left.partition('.')[0]}" if left else "")
            number = " ".join(filter(None, (shown_text(evidence, verdicts, **shown) for shown in asked["shown"])))
            ran = ran_with(study, of, asked["sweep"])
            rows.append((asked["question"], text, verdict, number, ran, f"[{name}](experiments/{name})"))
    return Table("The lesson in short", ("question", "claim", "verdict", "number", "shown with", "study"), rows)


def shown_text(evidence: Evidence, verdicts: Mapping[str, Verdict], **shown: Any) -> str:
    """`Seeds that learn, 20 tokens: 20/20 (83 to 100 %) of RNN, orthogonal.`; empty where no arm was run. Of claims
    it is how their evidence begins."""
    if "claims" in shown:
        return " ".join(verdicts[claim].evidence.partition(". ")[0] + "." for claim in shown["claims"])
    if "protocol" in shown:
        study = evidence.study
        evidence = evidence_of(study, study.protocol(shown["protocol"]), read_results(study.folder))
    condition, cell = str(shown.get("at", "")), CELLS[shown.get("as", "count")]
    cells = [
        f"{cell(evidence, arm, condition)} {evidence.label(arm)}"
        for arm in shown["arms"] if (arm, condition) in evidence.scores
    ]  # fmt: skip
    return f"{shown['says']}{at(evidence.study, condition)}: {'; '.join(cells)}." if cells else ""


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
