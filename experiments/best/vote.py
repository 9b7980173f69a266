"""Classifiers that vote, by `protocols/2026-11-30_vote.md` and `2026-11-30_vote_gru.md`."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from experiments.best import pretrained
from experiments.best.pretrained import ROWS, SEEDS, UNITS, WEIGHTS, mean_of, planned_answers, seeds_of
from experiments.lab.findings import Findings
from experiments.lab.results import Correct, read_results
from experiments.lab.rules import Evidence
from experiments.lab.study import Protocol, Study
from experiments.lab.sweeps import Measured
from sentiment_rnn.errors import UserError
from sentiment_rnn.tracking.store import Store

VOTES = {
    "vote": {"rnn_vote": ["rnn_pretrained"], "lstm_vote": ["lstm_pretrained"]},
    "vote_gru": {"gru_vote": ["gru_pretrained"], "gru_lstm_vote": ["gru_pretrained", "lstm_pretrained"]},
}
"""By protocol, rows of the table: a vote, and those whose seeds take part in it. Of a draw the first of them decide."""


def measure(study: Study, protocol: Protocol, store: Store, overrides: Sequence[str] = ()) -> Measured:
    """The test reviews that most of the seeds read rightly, and what these seeds cost together.

    Raises:
        UserError: not all of them have run.
    """
    table, runs, found = read_results(study.output), planned_answers(study), Measured()
    for vote, rows in VOTES[protocol.name].items():
        voters = [seeds_of(ROWS[row].arm, runs) for row in rows]
        for row, of in zip(rows, voters, strict=True):
            if len(of) != SEEDS:
                raise UserError(
                    f"{ROWS[row].arm}: {len(of)} of {SEEDS} seeds have run; run --protocols pretrained first"
                )
        lead = 2 * np.concatenate(voters).sum(0) - SEEDS * len(rows)
        right = np.where(lead == 0, 2 * voters[0].sum(0) > SEEDS, lead > 0)
        at = protocol.name, protocol.name, vote, "", 0, None
        reviews = next(run.reviews for (_, name, *_), run in runs.items() if name == ROWS[rows[0]].arm)
        found.correct[protocol.name, vote, "", 0] = Correct(right, reviews)
        found.rows.append((*at, "test", "accuracy", right.mean()))
        for cost in UNITS:  # the table adds the first language model
            own = sum(SEEDS * mean_of(ROWS[row].arm, table, cost) for row in rows)
            others = 0 if cost == WEIGHTS else sum(mean_of(ROWS[row].words, table, cost) for row in rows[1:])
            found.rows.append((*at, "train", cost, own + others))
    return found


def findings(evidence: Evidence, table: pd.DataFrame) -> Findings:
    """The verdicts; nothing before the votes were counted. The accuracies are rows of `pretrained`'s table."""
    return pretrained.findings(evidence, table)
