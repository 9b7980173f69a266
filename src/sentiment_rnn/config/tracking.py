"""Keys of `tracking`."""

from typing import Literal

from pydantic.dataclasses import dataclass

from sentiment_rnn.config.schema import SCHEMA, Checked, Count, Name


@dataclass(config=SCHEMA)
class TrackingConfig(Checked):
    """Where runs are recorded."""

    uri: str | None
    """Address of an MLflow server, or of an SQLite file (`sqlite:///…`); null is SQLite in `directory`."""
    directory: Name
    """Folder of the default store, its artifacts, and all checkpoints. A run resumes where this folder is."""
    experiment: Name
    """MLflow experiment; made when it is missing."""
    system_metrics: bool = True
    """Record use of processor, memory, disk and, with the extra `gpu`, NVIDIA cards."""
    record: Literal["full", "results"] = "full"
    """Records that a run leaves. `full`: all. `results`, for sweeps of many small runs: no figures, mistakes or
    packaged model; a command that needs the model makes it from the best checkpoint. A language model is packaged all
    the same."""
    search_trial: Count | None = None
    """Number of the run among the trials of a search; a search tells its jobs."""

    @property
    def records_all(self) -> bool:
        """Whether a run leaves more than its results and its weights."""
        return self.record == "full"
