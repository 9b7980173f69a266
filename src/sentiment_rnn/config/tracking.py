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
    """Folder of the default store, its artifacts, and all checkpoints. A run resumes where this folder is."""
    experiment: str = MISSING
    """MLflow experiment; made when it is missing."""
    system_metrics: bool = MISSING
    """Record use of processor, memory, disk and, with the extra `gpu`, NVIDIA cards."""
    record: str = "full"
    """Records that a run leaves. `full`: all. `results`, for sweeps of many small runs: no figures, mistakes or
    packaged model; a command that needs the model makes it from the best checkpoint. A language model is packaged all
    the same."""
    search_trial: int | None = None
    """Number of the run among the trials of a search; a search tells its jobs."""

    def __post_init__(self) -> None:
        one_of(self, "tracking.", record=("full", "results"))

    @property
    def records_all(self) -> bool:
        """Whether a run leaves more than its results and its weights."""
        return self.record == "full"
