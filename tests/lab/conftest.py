"""Findings of the committed results, made once."""

import pytest

from experiments.lab.findings import Found
from experiments.lab.study import EXPERIMENTS
from experiments.lab.write import all_findings


@pytest.fixture(scope="session")
def committed() -> list[Found]:
    """The committed findings of every study."""
    return all_findings(EXPERIMENTS.parent)
