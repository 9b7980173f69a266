"""The lesson in a few rows: short memory, long memory, cause, cure, and real text.

Each row has one claim with its verdict, the number behind it, and across what it stands. All come from the files of the
studies.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

from sentiment_rnn.report.tables import Table
from sentiment_rnn.studies import causes, learnability
from sentiment_rnn.studies.kit.counted_seeds import read_seeds
from sentiment_rnn.studies.kit.findings import VERDICTS
from sentiment_rnn.studies.kit.learnt_shares import seeds_text, was_run
from sentiment_rnn.studies.kit.protocol import PROVENANCE

LEADING_FIGURE = "answer.png"
"""Of own_rate."""


class Row(NamedTuple):
    """One row of the answer."""

    question: str
    claim: str
    verdict: str
    number: str
    """With its interval."""
    stands: str
    """Across what: seeds, arithmetic, processors."""
    study: str
    """Its folder of `experiments/`."""


class Seeds(NamedTuple):
    """A row of a study that counts seeds."""

    question: str
    study: str
    claim: str
    planned: int
    """Seeds of an arm."""
    arms: tuple[str, ...]
    distances: tuple[int, ...]
    """The number is of the longest that was run."""


COUNTED = (
    Seeds(
        "short memory", "learnability", "A vanilla RNN has a good short-term memory.",
        learnability.SEEDS, ("rnn",), (20,),
    ),
    Seeds(
        "long memory", "learnability", "A vanilla RNN has a bad long-term memory.",
        learnability.SEEDS, ("rnn", "rnn_relu"), (100, 200, 400),
    ),
    Seeds(
        "cause", "causes", "Without a gradient that reaches the clause, an LSTM does not learn it.",
        causes.SEEDS, ("lstm_truncated_50", "lstm_truncated_110"), (100,),
    ),
    Seeds(
        "cure", "causes", "The gradient goes along the cell.",
        causes.SEEDS, ("lstm_detach_cell", "lstm_chrono"), (100,),
    ),
)  # fmt: skip


def answer(experiments: Path) -> list[Row]:
    """The rows; one whose claim has not been judged is left out."""
    short, long, *more = (counted_row(experiments, asked) for asked in COUNTED)
    rows = [short, long or mixed_distances(experiments), *more, real_text(experiments)]
    return [row for row in rows if row]


def counted_row(experiments: Path, asked: Seeds) -> Row | None:
    """The row of a study that counts seeds."""
    folder = experiments / asked.study
    if (verdict := verdicts_of(folder).get(asked.claim)) is None:
        return None
    seeds = read_seeds(folder, asked.planned)
    run = [d for d in asked.distances if any(was_run(seeds.scores, arm, d) for arm in asked.arms)]
    number = seeds_text(seeds.scores, seeds.styles, asked.arms, run[-1:])
    return Row(asked.question, asked.claim, verdict["verdict"], number, stands(folder, asked.planned), asked.study)


def mixed_distances(experiments: Path) -> Row | None:
    """The row of long memory by the memory study, for as long as learnability has not come so far."""
    claim = "A vanilla RNN has a bad long-term memory."
    if (verdict := verdicts_of(experiments / "memory").get(claim)) is None:
        return None
    return Row("long memory", claim, verdict["verdict"], verdict["evidence"], "3 seeds", "memory")


def real_text(experiments: Path) -> Row | None:
    """The row of word_pairs, whose two claims are the same of two classifiers."""
    verdicts = verdicts_of(experiments / "word_pairs")
    first, again = (verdicts.get(c) for c in ("Pairs of words say more than words.", "It does not take the ratios."))
    if not first or not again:
        return None
    across = f"films; {again['evidence']}"
    return Row("real text", first["claim"], first["verdict"], first["evidence"], across, "word_pairs")


def verdicts_of(folder: Path) -> dict[str, dict[str, str]]:
    """The verdicts of a study by their claim; none where it has not run."""
    path = folder / VERDICTS
    return {found["claim"]: found for found in json.loads(path.read_text())} if path.is_file() else {}


def stands(folder: Path, seeds: int) -> str:
    """`20 seeds, float32, one kind of processor`."""
    parts: list[dict[str, Any]] = json.loads((folder / PROVENANCE).read_text())["sweeps"]
    precisions = sorted({precision for part in parts for precision in part["precisions"]})
    processors = {processor for part in parts for processor in part["processors"]}
    kinds = "one kind of processor" if len(processors) == 1 else f"{len(processors)} kinds of processor"
    return f"{seeds} seeds, {' and '.join(precisions)}, {kinds}"


def answer_table(rows: list[Row], experiments: str) -> Table:
    """The rows for a document.

    Args:
        experiments: address of the folder of the studies, as the document has it.
    """
    return Table(
        "The lesson in short",
        ("question", "claim", "verdict", "number", "stands across", "more"),
        [(*row[:2], f"**{row.verdict}**", *row[3:5], f"[{row.study}]({experiments}/{row.study})") for row in rows],
    )
