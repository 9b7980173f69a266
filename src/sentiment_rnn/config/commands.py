"""Keys of the commands that read runs: `compare`, `study`, `report`."""

from dataclasses import dataclass, field

from omegaconf import MISSING

from sentiment_rnn.config.tracking import TrackingConfig


@dataclass
class CompareConfig:
    """The `compare` command."""

    sweep: str = MISSING
    """`latest`, a study's name (its latest sweep) or the id of a parent run."""
    output: str | None = MISSING
    """Folder for `results.csv`, the table and the figures; null writes no folder."""
    register: bool = MISSING
    """Register the best run, and the best of each encoder, as versions of the model `tracking.model`."""
    tracking: TrackingConfig = MISSING


@dataclass
class StudyConfig:
    """The `study` command."""

    name: str = MISSING
    """Which study: a module of `sentiment_rnn.studies`, or `all` of them in turn."""
    output: str = MISSING
    """Folder of the study's results, tables, verdicts and figures."""
    run: bool = MISSING
    """Run the study's sweeps and measure; false makes tables, verdicts and figures from the results in `output`."""
    overrides: list[str] = field(default_factory=list)
    """Overrides for every run of the sweeps; a seed for none that chooses learning rates."""
    tracking: TrackingConfig = MISSING


@dataclass
class ReportConfig:
    """The `report` command."""

    experiments: str = MISSING
    """Folder with one folder per study."""
    output: str = MISSING
    """The HTML file."""
    tracking: TrackingConfig = MISSING
