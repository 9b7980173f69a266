"""Cost of Lightning, metrics, checkpoints and MLflow: a run with all of them and a bare loop, in turn.

    python experiments/benchmarks/overhead.py [--repeats N] [override …]

Both train the same model on the same batches in the same order, for one epoch unless an override says otherwise, and
read the validation reviews after each. Run it alone. The reviews are IMDb's, unless an override names others. A quick
try:

    python experiments/benchmarks/overhead.py --repeats 1 data=generated data.train_reviews=400 encoder.hidden_size=8
"""

import statistics
import tempfile
import time
from dataclasses import replace

import sentiment_rnn  # noqa: F401  # before torch: it sets how threads wait, as in every command

# isort: split
import lightning.pytorch as pl
import torch

from benchmark import new_parser
from sentiment_rnn import runtime
from sentiment_rnn.cli.errors import run
from sentiment_rnn.config.run import ReviewConfig
from sentiment_rnn.config.store import run_config
from sentiment_rnn.engine.interruption import Interruption
from sentiment_rnn.engine.machine import resolved, threads_of
from sentiment_rnn.engine.train import build_trainer
from sentiment_rnn.tasks.reviews import ReviewJob
from sentiment_rnn.tracking.description import description_of
from sentiment_rnn.tracking.start import tracked_run
from sentiment_rnn.tracking.store import open_store
from steps import classifier_step


def main() -> None:
    """Print the seconds of each, where those of a run go, and the ratio of the medians."""
    parser = new_parser(__doc__, overrides="a run")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each kind (default: %(default)s)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        overrides = [f"tracking.directory={folder}", "trainer.epochs=1", "trainer=cpu", "data=imdb"]
        config: ReviewConfig = run_config(*overrides, *arguments.overrides)
        config = resolved(config)
        runtime.prepare(threads_of(config.trainer))
        bare, whole = [], []
        for repeat in range(arguments.repeats):
            bare.append(bare_loop(config))
            parts = whole_run(config)
            whole.append(sum(parts.values()))
            said = ", ".join(f"{part} {seconds:.2f}" for part, seconds in parts.items())
            done = f"{config.encoder.name} {repeat + 1}/{arguments.repeats}"
            print(f"{done}: bare loop {bare[-1]:.2f} s, whole {whole[-1]:.2f} s ({said})")
    medians = statistics.median(bare), statistics.median(whole)
    print(f"{config.encoder.name} medians: {medians[0]:.2f} s, {medians[1]:.2f} s, ratio {medians[1] / medians[0]:.3f}")


def bare_loop(config: ReviewConfig) -> float:
    """Seconds of the epochs, each with a validation, in a loop of nothing but the steps."""
    # The other schedules ask the trainer.
    job = ReviewJob(replace(config, optimizer=replace(config.optimizer, schedule="constant")))
    model = job.model()
    half = config.precision == "bfloat16"
    step = classifier_step(model, half, rows=True)
    train, validation = job.data.train_dataloader(), job.data.val_dataloader()
    started = time.perf_counter()
    for _ in range(config.settle_epochs(job.batches) // job.batches):
        model.train()
        for batch in train:
            step((batch.tokens, batch.lengths, batch.labels))
        model.eval()
        with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
            for batch in validation:
                model(batch.tokens, batch.lengths)
    return time.perf_counter() - started


class Clock(pl.Callback):
    """Adds up the seconds that a run trains and validates; between them are checkpoints and records."""

    def __init__(self) -> None:
        self.steps = self.evaluation = self.began = 0.0

    def on_train_epoch_start(self, *_: object) -> None:
        self.began = time.perf_counter()

    def on_validation_start(self, *_: object) -> None:
        now = time.perf_counter()
        self.steps += now - self.began
        self.began = now

    def on_validation_end(self, *_: object) -> None:
        self.evaluation += time.perf_counter() - self.began


def whole_run(config: ReviewConfig) -> dict[str, float]:
    """Seconds of the same through Lightning: logging, metrics, checkpoints, MLflow; by where they go."""
    clock, moments = Clock(), [time.perf_counter()]
    job = ReviewJob(config)
    config.settle_epochs(job.batches)
    description = description_of(config, f"overhead{time.time_ns()}", [])
    with tracked_run(open_store(config.tracking), description) as run:
        model = job.model()
        trainer = build_trainer(job, run, Interruption())
        trainer.callbacks.insert(0, clock)  # type: ignore[attr-defined]
        moments.append(time.perf_counter())
        trainer.fit(model, job.data)
        moments.append(time.perf_counter())
    start, fit, end = moments[1] - moments[0], moments[2] - moments[1], time.perf_counter() - moments[2]
    rest = fit - clock.steps - clock.evaluation + end
    return {"start": start, "steps": clock.steps, "evaluation": clock.evaluation, "records": rest}


if __name__ == "__main__":
    run(main)
