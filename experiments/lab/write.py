"""Writes figures, and the tables, verdicts and numbers in the documents, from the committed results."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import pandas as pd

from experiments.lab.findings import Findings, Found, findings_of, own_module
from experiments.lab.pictures import write_pictures
from experiments.lab.provenance import OWN, read_provenance
from experiments.lab.reach import SEARCH, DrawnRuns, success_difference, success_interval
from experiments.lab.reach_findings import DrawnEvidence, share
from experiments.lab.results import RESULTS, check_correct, read_correct, read_results, values_of
from experiments.lab.rules import evidence_of
from experiments.lab.study import Study, all_studies, find_study
from experiments.lab.summary import judged_claims, learned_table, protocol_table, verdict_table
from sentiment_rnn.errors import UserError
from sentiment_rnn.report.plotting import write_folder
from sentiment_rnn.report.statistics import Interval, bounded
from sentiment_rnn.report.tables import Table, csv_text, find_block, markdown, replace_block

README, CELLS = "README.md", "docs/cells.md"
"""The page of each study, and the page on what each cell learns."""
TABLES = "tables"
"""Folder of the further tables of a study."""
NOT_RUN, NOT_JUDGED = "This protocol has not been run yet.\n", "No claim can be judged yet.\n"
VALUE = re.compile(r"(<!-- value: (.+?) -->).*?(<!-- end -->)", re.DOTALL)
"""A number in a sentence: its description is the second group; see `pages_with_values`."""


class Block(NamedTuple):
    """A generated block of a document."""

    document: Path
    name: str
    text: str


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
    """The findings of the protocols that have rows. Raises the errors of `checked_results`, except for a study without
    results."""
    if not (study.output / RESULTS).is_file() and not read_provenance(study.output):
        return {}
    table = checked_results(study)
    return {name: findings_of(study, study.protocol(name), table) for name in table.protocol.unique()}


def all_findings(root: Path) -> list[Found]:
    """The findings of every study, in their order."""
    return [(study, findings_by_protocol(study)) for study in all_studies(root / "experiments")]


def generated_blocks(root: Path, findings: Sequence[Found]) -> Iterator[Block]:
    """Every block of tables and verdicts, except those of the benchmarks."""
    claims = judged_claims(findings)
    for study, found in findings:
        for name, protocol in study.protocols.items():
            tables = list(found[name].tables.values()) if name in found else []
            judged = verdict_table(protocol_table(study, protocol, claims), f"{TABLES}/{name}_claims.csv")
            page = study.folder / study.page(name)
            none = NOT_JUDGED if name in found else NOT_RUN
            yield Block(page, name, markdown(tables[:1]) or ("" if name in found else NOT_RUN))
            if protocol.claims:
                yield Block(page, f"{name}_claims", markdown([judged]) if judged.rows else none)
    yield Block(root / CELLS, "learned", markdown([learned_table(findings)]))
    yield from illustration_blocks(root)


def illustration_blocks(root: Path) -> Iterator[Block]:
    """The table for the page of each illustration, from results that `compare` wrote."""
    for results in sorted(root.glob("experiments/illustrations/*/results.csv")):
        text = markdown([accuracy_table(pd.read_csv(results))])
        yield Block(results.with_name(README), results.parent.name, text)


def accuracy_table(runs: pd.DataFrame) -> Table:
    """A row for each encoder, the best on validation first: its test accuracy by seed, or, if arms differ in their
    learning rate, its validation accuracy by rate.

    Args:
        runs: a row per run, as in `results.csv`.
    """
    runs = runs.assign(
        encoder=runs.get("label", runs["arm"]).str.replace(", learning_rate=.*", "", regex=True),
        best=-runs.groupby("arm")["val/best_accuracy"].transform("mean"),
    ).sort_values("best", kind="stable")
    by_rate = runs["arm"].str.contains("learning_rate=").any()
    columns, score = ("learning_rate", "val/best_accuracy") if by_rate else ("seed", "test/accuracy")
    accuracies = runs.pivot_table(score, "encoder", columns).reindex(runs["encoder"].unique())
    rows = [
        (encoder, *("" if pd.isna(accuracy) else f"{100 * accuracy:.1f}" for accuracy in row))
        for encoder, *row in accuracies.itertuples()
    ]
    title = "Validation accuracy [%] by learning rate" if by_rate else "Test accuracy [%] by seed"
    return Table(title, ("arm", *(f"{column:g}" for column in accuracies)), rows)


def further_tables(findings: Sequence[Found]) -> dict[Path, str]:
    """Content of the CSV file of each table that no page shows, such as `tables/schedule_steps.csv` of a study, and
    `schedule_claims.csv` with the numbers of its claims."""
    claims = judged_claims(findings)
    return {
        study.folder / TABLES / f"{protocol}_{name}.csv": csv_text(table.columns, table.rows)
        for study, by_protocol in findings
        for protocol, found in by_protocol.items()
        for name, table in [
            *list(found.tables.items())[1:],
            ("claims", protocol_table(study, study.protocols[protocol], claims)),
        ]
        if table.rows
    }


def write_tables(findings: Sequence[Found]) -> None:
    """Write the further tables of these studies, and remove files of tables that no longer exist."""
    files = further_tables(findings)
    for old in (path for study, _ in findings for path in study.folder.glob(f"{TABLES}/*.csv") if path not in files):
        old.unlink()
    for path, text in files.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")


def write_figures(study: Study, found: Mapping[str, Findings]) -> list[Path]:
    """Draw the figures of a study from its findings. Returns their paths."""
    drawn = {name: figure for one in found.values() for name, figure in one.figures.items()}
    return write_folder(study.output / "figures", {}, drawn)


def write(root: Path, studies: Sequence[str]) -> None:
    """Draw the figures of these studies, or of all, and write every block."""
    findings = all_findings(root)
    asked = [find_study(name, root / "experiments").name for name in studies]
    for study, found in findings:
        if not asked or study.name in asked:
            print(f"written: {len(write_figures(study, found))} figures in {study.output / 'figures'}")
    write_tables(findings)
    write_pictures(root)
    blocks = list(generated_blocks(root, findings))
    for page in {block.document for block in blocks if not block.document.exists()}:  # a new protocol or study
        marks = (
            f"<!-- {block.name}:start -->\n<!-- {block.name}:end -->\n" for block in blocks if block.document == page
        )
        page.write_text("\n".join([f"# {page.stem}\n", *marks]))
    for block in blocks:
        find_block(block.document, block.name)
    for block in blocks:
        replace_block(*block)
    for page, text in pages_with_values(root, [study for study, _ in findings]).items():
        page.write_text(text, encoding="utf-8")
    print("written: the blocks and values of all documents, further tables, and the pictures of docs/images")
    for where, name in not_measured(findings):
        print(f"{name}: not measured since its latest runs; python -m experiments.lab study {where} --protocols {name}")


def not_measured(findings: Sequence[Found]) -> Iterator[tuple[str, str]]:
    """Studies and protocols with measurements of their own that are older than their latest trained run."""
    for study, found in findings:
        began = read_provenance(study.output)
        for name in found:
            if hasattr(own_module(study, study.protocols[name]), "measure") and OWN not in began[name]:
                yield study.name, name


def pages_with_values(root: Path, studies: Sequence[Study]) -> dict[Path, str]:
    """The text of documents with values in sentences, updated from the committed results.

        … succeeds in <!-- value: seeds / unseen / rnn / 400 -->16 of 20<!-- end --> seeds at lag 400.

    A value is one of

        seeds / PROTOCOL / ARM / CONDITION        seeds that succeed, of all
        accuracy / STUDY / ARM                    mean test accuracy over seeds [%]
        points / STUDY / ARM / STUDY / ARM        difference of two of those, first - second [percentage points]
        search / ARM / LAG                        S(4) of the study `reach`, with its 95 % interval [%]
        share / ARM / LAG                         the same without the interval
        share / ARM / LAG / again                 the same in the replication
        ahead / ARM / ARM / LAG                   difference of two S(4), first - second, with its 95 % interval
                                                  [percentage points]
        networks / ARM / LAG                      networks of the study `reach` that succeed, of all

    Raises:
        UserError: a value is of no known kind, or the results do not have it.
    """
    texts = {path: path.read_text(encoding="utf-8") for pattern in ("*.md", "docs/*.md", "experiments/**/*.md")
             for path in root.glob(pattern)}  # fmt: skip
    value = _values(studies)
    return {
        path: VALUE.sub(lambda found, path=path: found[1] + value(path, found[2]) + found[3], text)  # type: ignore[misc]
        for path, text in texts.items()
        if VALUE.search(text)
    }


def _values(studies: Sequence[Study]) -> Callable[[Path, str], str]:
    by_name = {study.name: study for study in studies}

    @cache
    def results(study: str) -> pd.DataFrame:
        return read_results(by_name[study].output)

    def seeds(protocol: str, arm: str, condition: str) -> str:
        study = next(study for study in studies if protocol in study.protocols)
        evidence = evidence_of(study, study.protocols[protocol], results(study.name))
        return "{} of {}".format(*evidence.learn(arm, condition))

    def accuracy(study: str, arm: str) -> float:
        return 100 * fmean(values_of(results(study), "accuracy")[arm, ""].values())

    @cache
    def evidence_of_reach() -> DrawnEvidence:
        study = by_name["reach"]
        return DrawnEvidence(study, study.protocols["reach"], results("reach"))

    def drawn(arm: str, lag: str, again: str = "") -> DrawnRuns:
        runs = evidence_of_reach().runs(arm, lag, bool(again))
        if runs is None:
            raise LookupError(f"not all runs of {arm} at {lag} are there")
        return runs

    def search(*of: str) -> Interval:
        return success_interval(drawn(*of), SEARCH)

    def ahead(first: str, second: str, lag: str) -> str:
        difference = success_difference(drawn(first, lag), drawn(second, lag))
        return bounded(difference, "{:.1f}", " points", factor=100, between=" to ")

    def networks(arm: str, lag: str) -> str:
        succeeds = drawn(arm, lag).succeeds
        return f"{succeeds.sum()} of {succeeds.size}"

    kinds: dict[str, Callable[..., str]] = {
        "seeds": seeds,
        "accuracy": lambda study, arm: f"{accuracy(study, arm):.1f}",
        "search": lambda arm, lag: share(search(arm, lag)),
        "ahead": ahead,
        "networks": networks,
        "share": lambda *of: f"{100 * search(*of).estimate:.0f}",
        "points": lambda study, arm, *other: f"{accuracy(study, arm) - accuracy(*other):.1f}",
    }

    def value(path: Path, description: str) -> str:
        kind, *names = description.split(" / ")
        try:
            return kinds[kind](*names)
        except (LookupError, StopIteration, TypeError) as error:
            raise UserError(f"{path}: no such value: {description} ({type(error).__name__}: {error})") from error

    return value
