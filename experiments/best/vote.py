"""Three classifiers of one recipe that vote, by `protocols/2026-11-30_vote.md`."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from experiments.best.pretrained import ROWS, SEEDS, UNITS, mean_of, seeds_of, verdict
from experiments.imdb.word_pairs import FILMS, clustered
from experiments.lab.findings import Findings
from experiments.lab.rules import Evidence
from experiments.lab.study import Protocol, Study, find_study
from experiments.lab.sweeps import Measured
from experiments.lab.table import Correct, read_correct, read_results
from sentiment_rnn.errors import UserError
from sentiment_rnn.report.statistics import percent
from sentiment_rnn.report.tables import Table
from sentiment_rnn.tracking.store import Store

VOTES = {"rnn_vote": "rnn_pretrained", "lstm_vote": "lstm_pretrained"}
"""Rows of the table: a vote, and the seeds that take part in it."""


def measure(study: Study, protocol: Protocol, store: Store, overrides: Sequence[str] = ()) -> Measured:
    """The test reviews that most of the seeds read rightly, and what these seeds cost together.

    Raises:
        UserError: not all of them have run.
    """
    table, runs, found = read_results(study.output), read_correct(study.output), Measured()
    for vote, row in VOTES.items():
        arm, voters = ROWS[row].arm, seeds_of(ROWS[row], runs)
        if len(voters) != SEEDS:
            raise UserError(f"{arm}: {len(voters)} of {SEEDS} seeds have run; run --protocols pretrained first")
        right = 2 * voters.sum(0) > SEEDS
        at = protocol.name, protocol.name, vote, "", 0, None
        reviews = next(run.reviews for (_, name, *_), run in runs.items() if name == arm)
        found.correct[protocol.name, vote, "", 0] = Correct(right, reviews)
        found.rows.append((*at, "test", "accuracy", right.mean()))
        found.rows += [(*at, "train", cost, SEEDS * mean_of(arm, table, cost)) for cost in UNITS]
    return found


def findings(evidence: Evidence, table: pd.DataFrame) -> Findings:
    """The verdicts, and accuracies of one and of three; nothing before they were counted."""
    if evidence.protocol.name not in set(table.protocol):
        return Findings()
    runs, films = read_correct(evidence.study.output), np.load(find_study("imdb").output / FILMS)
    right = {name: seeds_of(ROWS[name], runs) for pair in VOTES.items() for name in pair}
    shares = {name: percent(clustered(of.mean(0), films)).replace(" %", "") for name, of in right.items()}
    lines = [(ROWS[row].label, shares[row], shares[vote]) for vote, row in VOTES.items()]
    title = "Test accuracy [%] with its 95 % interval over films"
    return Findings(
        {"accuracy": Table(title, ("model", "one", "three that vote"), lines)},
        {claim.id: verdict(claim.id, right, films) for claim in evidence.protocol.claims},
    )
