"""What Lightning, metrics, checkpoints and MLflow cost: an epoch through all of it beside a bare loop, in turn.

    python experiments/overhead/measure.py [repeats] [override …]

Both train the same model on the same batches in the same order; validation is not in either time. Run it alone.
"""

import statistics
import sys
import tempfile
import time

import torch
from hydra import compose, initialize_config_dir
from mlflow import MlflowClient
from torch.nn.functional import binary_cross_entropy_with_logits

from sentiment_rnn import runtime
from sentiment_rnn.command import CONFIGURATION, quiet_libraries, register_schema
from sentiment_rnn.config import Config, checked
from sentiment_rnn.data.datamodule import ReviewData
from sentiment_rnn.tracking.store import store_uri
from sentiment_rnn.train import build_model, train


def main() -> None:
    """Print the seconds of each epoch and the ratio of the medians."""
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    register_schema()
    quiet_libraries()
    with initialize_config_dir(CONFIGURATION, version_base="1.3"), tempfile.TemporaryDirectory() as folder:
        overrides = [f"tracking.directory={folder}", "trainer.epochs=1", "data=imdb", *sys.argv[2:]]
        config: Config = checked(compose("config", overrides))
        runtime.prepare(config.trainer.threads or runtime.cores())
        bare, whole = [], []
        for repeat in range(repeats):
            bare.append(bare_epoch(config))
            train(config, overrides)
            whole.append(last_epoch_seconds(config))
            print(f"{config.encoder.name} {repeat + 1}/{repeats}: bare loop {bare[-1]:.1f} s, whole {whole[-1]:.1f} s")
    medians = statistics.median(bare), statistics.median(whole)
    print(f"{config.encoder.name} medians: {medians[0]:.1f} s, {medians[1]:.1f} s, ratio {medians[1] / medians[0]:.3f}")


def bare_epoch(config: Config) -> float:
    """Seconds of one epoch in a loop of nothing but the training step."""
    torch.manual_seed(config.seed)
    data = ReviewData(config.data, config.seed)
    data.setup()
    model = build_model(config, len(data.corpus.vocabulary))
    optimizer = torch.optim.AdamW(model.parameters(), lr=config.optimizer.learning_rate)
    half = runtime.resolve_precision(config.precision, "cpu") == "bfloat16"
    started = time.perf_counter()
    for batch in data.train_dataloader():
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
            loss = binary_cross_entropy_with_logits(model(batch.tokens, batch.lengths), batch.labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.optimizer.gradient_clip_norm)
        optimizer.step()
    return time.perf_counter() - started


def last_epoch_seconds(config: Config) -> float:
    """What the newest run recorded for its epoch."""
    client = MlflowClient(store_uri(config.tracking))
    experiment = client.get_experiment_by_name(config.tracking.experiment)
    run = client.search_runs([experiment.experiment_id], order_by=["start_time DESC"], max_results=1)[0]
    return run.data.metrics["train/epoch_seconds"]


if __name__ == "__main__":
    main()
