"""What is generated of the committed results: figures, and the blocks of tables and verdicts in the documents."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from experiments.lab.answer import answer_table
from experiments.lab.findings import Findings, Found, findings_of, leading_figure
from experiments.lab.illustrations import illustration_blocks
from experiments.lab.rules import Verdict
from experiments.lab.run import read_provenance
from experiments.lab.study import Claim, Protocol, Study, all_studies, find_study
from experiments.lab.table import check_correct, read_correct, read_results
from sentiment_rnn.errors import UserError
from sentiment_rnn.report.figures import write_folder
from sentiment_rnn.report.tables import Table, markdown, replace_block

README, SUMMARY = Path("README.md"), Path("docs/findings.md")
"""The documents with the answer, and with all verdicts."""
NOT_RUN = "This protocol has not been run yet.\n"


class Block(NamedTuple):
    """A generated block of a document."""

    document: Path
    name: str
    text: str


class Judged(NamedTuple):
    """A claim of a study, with what it came to."""

    study: Study
    protocol: Protocol
    claim: Claim
    verdict: Verdict
    reference: str
    """How a later claim answered it, or a related one; empty for none."""


def checked_results(study: Study) -> pd.DataFrame:
    """The committed results of a study.

    Raises:
        UserError: a file is missing or damaged, numbers do not fit each other, or a protocol is not the one by which
            its results were measured.
    """
    table = read_results(study.output)
    check_correct(table, read_correct(study.output), study.output)
    known = read_provenance(study.output)
    for name in table.protocol.unique():
        protocol, begun = study.protocol(name), known.get(name, {}).get("protocol")
        if begun != protocol.digest:
            raise UserError(
                f"{protocol.path} ({protocol.digest[:8]}) is not the protocol by which its results were measured "
                f"({str(begun)[:8]}); put that one back"
            )
    return table


def findings_by_protocol(study: Study) -> dict[str, Findings]:
    """The findings of the protocols that have rows; of the others none. Raises as `checked_results`."""
    table = checked_results(study)
    return {name: findings_of(study, study.protocol(name), table) for name in table.protocol.unique()}


def all_findings(root: Path) -> list[Found]:
    """The findings of every study, in their order."""
    return [(study, findings_by_protocol(study)) for study in all_studies(root / "experiments")]


def judged_claims(findings: Sequence[Found]) -> list[Judged]:
    """Every claim that was judged, in the order of the studies."""
    found = [
        (study, protocol, claim, by_protocol[name].verdicts[claim.id])
        for study, by_protocol in findings
        for name, protocol in study.protocols.items() if name in by_protocol
        for claim in protocol.claims if claim.id in by_protocol[name].verdicts
    ]  # fmt: skip
    return [Judged(*one, reference_of(*one[:3], found)) for one in found]


def reference_of(
    study: Study, protocol: Protocol, claim: Claim, judged: list[tuple[Study, Protocol, Claim, Verdict]]
) -> str:
    """`Asked again in long_range: … Holds.`, where a later claim supersedes this one or is related to it."""
    this = f"{study.name}/{protocol.name}.{claim.id}"
    for of, other, later, verdict in judged:
        for how, named in (("Asked again in", later.supersedes), ("A related claim, in", later.related)):
            if this in [name if "/" in name else f"{of.name}/{name}" for name in named]:
                return f"{how} {other.name}: {later.text} {verdict.verdict.capitalize()}."
    return ""


def verdict_table(claims: list[Judged], to: str, protocols: bool) -> Table:
    """Claims with their verdicts, for a document.

    Args:
        to: address of `experiments`, as the document has it.
        protocols: link the page of the protocol alone, in place of the study's.
    """
    rows = [
        (
            one.claim.text, f"**{one.verdict.verdict}**", f"{one.verdict.evidence} {one.reference}".strip(),
            f"[{one.protocol.name}]({to}{one.protocol.name}.md)" if protocols
            else f"[{one.study.name}]({to}/{one.study.name}/{one.protocol.name}.md)",
        )
        for one in claims
    ]  # fmt: skip
    return Table("The lesson's claims, put to the test", ("claim", "verdict", "evidence", "more"), rows)


def generated_blocks(root: Path, findings: Sequence[Found]) -> Iterator[Block]:
    """Every block of tables and verdicts, but those of the benchmarks."""
    claims = judged_claims(findings)
    for study, found in findings:
        for name in study.protocols:
            yield Block(study.folder / f"{name}.md", name, found[name].document() if name in found else NOT_RUN)
        of_study = [one for one in claims if one.study.name == study.name]
        yield Block(study.folder / "README.md", study.name, markdown([verdict_table(of_study, "", True)]))
    yield Block(root / README, "answer", markdown([answer_table(root / "experiments", findings)]))
    yield Block(root / SUMMARY, "verdicts", markdown([verdict_table(claims, "../experiments", False)]))
    yield from (Block(*block) for block in illustration_blocks(root))


def write_figures(study: Study, found: Mapping[str, Findings]) -> list[Path]:
    """Draw the figures of a study from its findings; their paths."""
    drawn = {name: figure for one in found.values() for name, figure in one.figures.items()}
    if leading := leading_figure(study, read_results(study.output)):
        drawn[f"{study.name}_leading"] = leading
    return write_folder(study.output / "figures", {}, drawn)


def write(root: Path, studies: Sequence[str]) -> None:
    """Draw the figures of these studies, or of all, and write every block."""
    findings = all_findings(root)
    asked = [find_study(name, root / "experiments").name for name in studies]
    for study, found in findings:
        if not asked or study.name in asked:
            print(f"written: {len(write_figures(study, found))} figures in {study.output / 'figures'}")
    for block in generated_blocks(root, findings):
        if not block.document.exists():  # of a new protocol or study
            block.document.write_text(f"# {block.name}\n\n<!-- {block.name}:start -->\n<!-- {block.name}:end -->\n")
        replace_block(*block)
    print("written: the blocks of all documents")
