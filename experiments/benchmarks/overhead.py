"""Cost of Lightning, metrics, checkpoints and MLflow: an epoch with all of them and a bare loop, in turn.

    python experiments/benchmarks/overhead.py [--repeats N] [override …]

Both train the same model on the same batches in the same order and read the validation reviews once. Run it alone. The
reviews are IMDb's, unless an override names others. A quick try:

    python experiments/benchmarks/overhead.py --repeats 1 data=generated data.train_reviews=400 encoder.hidden_size=8
"""

import argparse
import statistics
import tempfile
import time
from dataclasses import replace

import torch

import sentiment_rnn  # noqa: F401  # before torch: it sets how threads wait, as in every command
from sentiment_rnn import runtime
from sentiment_rnn.cli.errors import run
from sentiment_rnn.config.run import ReviewConfig
from sentiment_rnn.config.store import run_config
from sentiment_rnn.runs.engine import build_trainer
from sentiment_rnn.runs.interruption import Interruption
from sentiment_rnn.runs.machine import resolved, threads_of
from sentiment_rnn.runs.reviews import ReviewJob
from sentiment_rnn.tracking.start import tracked_run
from sentiment_rnn.tracking.store import open_store
from steps import classifier_step


def main() -> None:
    """Print the seconds of each epoch and the ratio of the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3, help="epochs of each kind (default: %(default)s)")
    parser.add_argument("overrides", nargs="*", metavar="override", help="override of a run, such as encoder=rnn")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        overrides = [f"tracking.directory={folder}", "trainer.epochs=1", "trainer=cpu", "data=imdb"]
        config: ReviewConfig = run_config(*overrides, *arguments.overrides)
    config = resolved(config)
    runtime.prepare(threads_of(config.trainer))
    bare, whole = [], []
    for repeat in range(arguments.repeats):
        bare.append(bare_epoch(config))
        whole.append(whole_epoch(config))
        epoch = f"{config.encoder.name} {repeat + 1}/{arguments.repeats}"
        print(f"{epoch}: bare loop {bare[-1]:.2f} s, whole {whole[-1]:.2f} s")
    medians = statistics.median(bare), statistics.median(whole)
    print(f"{config.encoder.name} medians: {medians[0]:.2f} s, {medians[1]:.2f} s, ratio {medians[1] / medians[0]:.3f}")


def bare_epoch(config: ReviewConfig) -> float:
    """Seconds of an epoch and a validation in a loop of nothing but the steps."""
    # The other schedules ask the trainer.
    job = ReviewJob(replace(config, optimizer=replace(config.optimizer, schedule="constant")))
    model = job.model()
    half = config.precision == "bfloat16"
    step = classifier_step(model, half, rows=True)
    started = time.perf_counter()
    for batch in job.data.train_dataloader():
        step((batch.tokens, batch.lengths, batch.labels))
    model.eval()
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
        for batch in job.data.val_dataloader():
            model(batch.tokens, batch.lengths)
    return time.perf_counter() - started


def whole_epoch(config: ReviewConfig) -> float:
    """Seconds of the same through Lightning: logging, metrics, checkpoints, MLflow, system metrics."""
    job = ReviewJob(config)
    with tracked_run(open_store(config.tracking), config, job.digest, []) as record:
        model = job.model()
        trainer = build_trainer(job, record, Interruption())
        started = time.perf_counter()
        trainer.fit(model, job.data)
        return time.perf_counter() - started


if __name__ == "__main__":
    run(main)
