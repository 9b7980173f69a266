"""Keys of the commands that read runs: `compare`, `runs`, `runs prune`."""

from dataclasses import dataclass, field

from omegaconf import MISSING

from sentiment_rnn.config.bounds import at_least, one_of, refuse
from sentiment_rnn.config.tracking import TrackingConfig


@dataclass
class CompareConfig:
    """The `compare` command."""

    sweep: str = MISSING
    """`latest`, a study's name (its latest sweep) or the id of a parent run; several with commas: `sweep=a,b`."""
    output: str | None = MISSING
    """Folder for `results.csv`, the table and the figures; null writes no folder."""
    panels: list[str] = field(default_factory=list)
    """Panels of the figure: `accuracy`, `distance`, `validation`, `gradients`, or a metric such as `test/f1`; none
    takes the first four."""
    register: bool | str = MISSING
    """Register the best run, and the best of each encoder, as versions of the model `tracking.model`. `true` moves an
    alias only to a run that is better on the same validation texts. `replace` moves every alias, and deletes those of
    encoders that these runs do not have."""
    tracking: TrackingConfig = MISSING

    def __post_init__(self) -> None:
        if self.register not in (False, True, "replace"):
            refuse("register", self.register, "true, false or replace")

    @property
    def sweeps(self) -> list[str]:
        """The sweeps to compare, as they are named."""
        return [name.strip() for name in self.sweep.split(",") if name.strip()] or [self.sweep]


@dataclass
class RunsConfig:
    """The `runs` command."""

    sweep: str | None = MISSING
    """`latest`, a study's name or the beginning of a run's id (8 characters or more); null lists all."""
    json: bool = MISSING
    """Print JSON for a program instead of a table."""
    tracking: TrackingConfig = MISSING


@dataclass
class PruneConfig:
    """The `runs prune` command."""

    sweep: str | None = MISSING
    """Only of these: `latest`, a study's name or the beginning of a run's id (8 characters or more); null: of all."""
    keep: str = MISSING
    """The checkpoint that each run keeps: `best`, the one that was tested, `last`, or `none`."""
    older_than_days: float = MISSING
    """Leave runs alone that ended within so many days."""
    unfinished: bool = MISSING
    """Also remove checkpoints of runs that did not finish; these can then only start anew."""
    yes: bool = MISSING
    """Delete; false shows what would be deleted, and changes nothing."""
    json: bool = MISSING
    """Print JSON for a program instead of a table."""
    tracking: TrackingConfig = MISSING

    def __post_init__(self) -> None:
        one_of(self, "", keep=("best", "last", "none"))
        at_least(self, "", older_than_days=0)
