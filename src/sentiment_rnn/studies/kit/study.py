"""How a study is declared: its sweeps, what it needs, what it measures, and how it arrives at its findings."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sentiment_rnn.studies.kit.findings import Findings
from sentiment_rnn.studies.kit.measurements import Measurements
from sentiment_rnn.tracking.store import Store


@dataclass(frozen=True)
class Sweep:
    """One sweep of a study."""

    experiment: str
    """A file of `conf/experiment/`. The sweep's parent run has the same name."""
    chooses_rates: bool = False
    """The sweep chooses learning rates. It keeps the seeds of its experiment, whatever seeds the study is given."""


@dataclass(frozen=True)
class Study:
    """One study.

    Its folder has a `protocol.md`: hypotheses, arms, budgets, measures and the rule of each verdict, written before the
    first run. The study does not start without it, and its findings are of results measured under it alone.
    """

    name: str
    """Its name on the command line, and its folder of `experiments/`."""
    order: int
    """Its place among the studies, the smallest first: a study comes after those that it needs."""
    sweeps: tuple[Sweep, ...]
    """Its sweeps, in the order in which they run; none where it looks at the runs of others alone."""
    measure: Callable[[Store, Sequence[Sweep]], Measurements]
    """From a store with these finished sweeps of the study to files with their numbers."""
    findings: Callable[[Path], Findings]
    """From the folder with those files to tables, figures and verdicts; it needs no run."""
    needs: Mapping[str, str] = field(default_factory=dict)
    """Sweeps of other studies that are measured too, one for each, by the name of the study."""
    reads: tuple[str, ...] = ()
    """Studies whose results its findings read, from their folders beside its own."""
    in_parts: bool = False
    """Some of its sweeps, or some of their seeds, can be measured and added to what the folder has of the others."""
    keeps_correct: bool = False
    """Its folder has a `correct.npz`, from which every accuracy of `results.csv` can be recomputed."""

    @property
    def last_sweep(self) -> str:
        """The sweep to whose parent run results are logged: its last, or the last of those that it needs."""
        return [*self.needs.values(), *(sweep.experiment for sweep in self.sweeps)][-1]
