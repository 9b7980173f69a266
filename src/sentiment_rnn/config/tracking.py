"""Keys of `tracking`."""

from dataclasses import dataclass

from omegaconf import MISSING

from sentiment_rnn.config.bounds import one_of


@dataclass
class TrackingConfig:
    """Where runs are recorded."""

    uri: str | None = MISSING
    """Address of an MLflow server, or of an SQLite file (`sqlite:///…`); null is SQLite in `directory`."""
    directory: str = MISSING
    """Folder of the default store, its artifacts and, unless `checkpoints` names another, all checkpoints."""
    experiment: str = MISSING
    """MLflow experiment; made when it is missing."""
    system_metrics: bool = MISSING
    """Record use of processor, memory, disk and, with the extra `gpu`, NVIDIA cards."""
    repeat: bool = MISSING
    """Train all runs of a sweep. False takes those that have finished already, in this sweep or in another."""
    record: str = "full"
    """Records that a run leaves. `full`: all. `results`, for sweeps of many small runs: no figures, mistakes, packaged
    model or last checkpoint; a command that needs the model makes it from the best checkpoint. A language model is
    packaged all the same."""
    checkpoints: str | None = None
    """Folder of all checkpoints and of what MLflow has not got yet, one that every machine sees. Null keeps them in
    `directory`. A run resumes where this folder is."""
    resume: str | None = None
    """Id, or its beginning, of an interrupted run of the same configuration, which goes on from its last checkpoint."""
    parent: str | None = None
    """Id of the sweep's run under which a run is recorded; a sweep tells its jobs."""
    search_trial: int | None = None
    """Number of the run among the trials of a search; a search tells its jobs."""
    takeover: bool = False
    """Take the place of a process on another machine that is gone without having said so."""

    def __post_init__(self) -> None:
        one_of(self, "tracking.", record=("full", "results"))

    @property
    def records_all(self) -> bool:
        """Whether a run leaves more than its results and its weights."""
        return self.record == "full"
