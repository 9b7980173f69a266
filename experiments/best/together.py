"""A GRU from a language model together with n-grams, as `make best` trains it, by `protocols/2026-12-04_together.md`."""

from collections.abc import Sequence

import pandas as pd

from experiments.lab.findings import Findings
from experiments.lab.rules import Evidence
from experiments.lab.study import Protocol, Study
from experiments.lab.sweeps import Measured
from sentiment_rnn.tracking.store import Store


def measure(study: Study, protocol: Protocol, store: Store, overrides: Sequence[str] = ()) -> Measured:
    """Written before the classifiers are trained, after the language models."""
    raise NotImplementedError


def findings(evidence: Evidence, table: pd.DataFrame) -> Findings:
    """Empty until the runs have been measured."""
    return Findings()
