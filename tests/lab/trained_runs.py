"""Finished runs of a few seconds, whose models can be restored."""

from pathlib import Path

from sentiment_rnn.config.store import run_config
from sentiment_rnn.engine.train import train
from sentiment_rnn.tracking.results import RecordedRun
from sentiment_rnn.tracking.store import existing_store
from stored_runs import last_run


def trained_run(folder: Path, encoder: str, seed: int, lag: int) -> RecordedRun:
    """One that was trained for an epoch on reviews with the clause so many tokens before their end."""
    config = run_config(
        "data=generated", "data.train_reviews=60", "data.test_reviews=20", f"data.max_lag={lag}",
        "data.lags=equal", "data.batch_size=20", f"encoder={encoder}", "encoder.hidden_size=8", "embedding.size=8",
        "trainer.epochs=1", "trainer.threads=1", "trainer=cpu", "tracking.system_metrics=false",
        "tracking.record=results", f"data.directory={folder}/data", f"tracking.directory={folder}/runs", f"seed={seed}",
    )  # fmt: skip
    train(config, [])
    return RecordedRun(existing_store(config.tracking), last_run(folder)[1])
