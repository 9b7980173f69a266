"""Keys of `tracking`."""

from dataclasses import dataclass

from omegaconf import MISSING

from sentiment_rnn.config.bounds import one_of, refuse


@dataclass
class TrackingConfig:
    """Where runs are recorded."""

    uri: str | None = MISSING
    """Any MLflow tracking URI; null is SQLite in `directory`."""
    directory: str = MISSING
    """Folder of the default store, its artifacts and, unless `checkpoints` names another, all checkpoints."""
    experiment: str = MISSING
    """MLflow experiment; made when it is missing."""
    system_metrics: bool = MISSING
    """Record processor, memory and disk use."""
    repeat: bool = MISSING
    """Train all runs of a sweep. False takes those that have finished already, in this sweep or in another."""
    record: str = "full"
    """What a run leaves. `full`: all of it. `results`, for sweeps of many small runs: no figures, mistakes, packaged
    model or last checkpoint; a command that needs the model makes it of the best checkpoint."""
    checkpoints: str | None = None
    """Folder of all checkpoints, one that every machine sees. Null keeps them in `directory`; where the store is a
    server, they are artifacts of their run as well, and another machine fetches them."""
    resume: str | None = None
    """Id of an interrupted run of the same configuration, which goes on from its last checkpoint."""
    parent: str | None = None
    """Id of the sweep's run under which a run is recorded; a sweep tells its jobs."""
    search_trial: int | None = None
    """Number of the run among the trials of a search; a search tells its jobs."""
    heartbeat: float = 15.0
    """Seconds between two signs of life of the process that writes a run."""
    lease: float = 90.0
    """Seconds without one after which another process may resume the run; at least three heartbeats."""

    def __post_init__(self) -> None:
        one_of(self, "tracking.", record=("full", "results"))
        if not self.heartbeat > 0:
            refuse("tracking.heartbeat", self.heartbeat, "a number of seconds above 0")
        if not self.lease >= 3 * self.heartbeat:
            refuse("tracking.lease", self.lease, f"at least three heartbeats of {self.heartbeat:g} s")

    @property
    def records_all(self) -> bool:
        """Whether a run leaves more than its results and its weights."""
        return self.record == "full"
