"""How many runs does an hour hold: side by side or in turn, and small ones beside their arithmetic?

    python experiments/benchmarks/sweeps.py [override …]

Run it alone on the machine. Sweeps are timed from the start of the command to its end. The first are as many runs as
cores, of one epoch each: one after the other, with all cores each (a bag of words takes one), and side by side, with a
core each. Both record everything, as any run does.

The others are small runs on the processor, as studies on generated reviews have them. One LSTM at a distance of 50 on
one thread comes first, then three of them in turn: the difference is what each further run takes. Several runs at a
distance of 20 follow, side by side. Their tokens are cached before. The arithmetic is the recurrence of the one run:
as many forward and backward passes as it has training steps, on one thread.

Writes two tables of README.md beside this file; --tables sweep or --tables small writes one. A quick try, on a copy of
that README:

    python experiments/benchmarks/sweeps.py --output FOLDER --encoders bag --jobs 2 --small-encoders rnn --runs 1 \
        data=generated data.train_reviews=200 data.test_reviews=100 trainer.epochs=1
"""

import argparse
import subprocess
import tempfile
import time
from collections.abc import Sequence

import torch
from tqdm import tqdm

import device
from benchmark import ENCODERS, HERE, REVIEWS, new_parser, parsed, publish, seconds_of, some_of
from sentiment_rnn import runtime
from sentiment_rnn.cli.errors import run
from sentiment_rnn.config.run import ReviewConfig
from sentiment_rnn.config.store import run_config
from sentiment_rnn.data.datamodule import ReviewData
from sentiment_rnn.model.components import build_module
from sentiment_rnn.report.tables import Table
from steps import MODULES

TABLES = ("sweep", "small")
IN_TURN = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=1")
SMALL = (
    "data=generated", "data.distances=equal", "data.test_reviews=2000", "encoder.hidden_size=64", "embedding.size=32",
    "optimizer.learning_rate=0.003", "trainer.epochs=8", "trainer.accelerator=cpu", "tracking.system_metrics=false",
    "tracking.record=results",
)  # fmt: skip
"""What the small runs have in common."""
RUN = ("data.max_distance=50", "encoder=lstm", "trainer.threads=1")
"""One of those on one thread."""


def main() -> None:
    """Measure, write, print."""
    parser = new_parser(__doc__, (*ENCODERS, "bag"), "all runs")
    add = parser.add_argument
    add("--tables", type=some_of(*TABLES), default=",".join(TABLES), help="some of %(default)s")
    add("--jobs", type=int, default=runtime.cores(), help="runs in turn and side by side (default: the cores)")
    add("--small-encoders", type=some_of(*MODULES), default="rnn,lstm", help="of the small ones (default: %(default)s)")
    add("--runs", type=int, default=4, help="small runs of each of these, one a seed (default: %(default)s)")
    arguments = parsed(parser, *TABLES)
    for table, made in (("sweep", side_by_side), ("small", small_runs)):
        if table in arguments.tables:
            publish(arguments.output, table, made(arguments))


def side_by_side(arguments: argparse.Namespace) -> Table:
    """Sweeps of one epoch, by Hydra's own launcher and by joblib's."""
    jobs = arguments.jobs
    rows = []
    for encoder in tqdm(arguments.encoders, desc="Encoders", disable=None):
        settings = [REVIEWS, f"encoder={encoder}", "trainer.epochs=1", *arguments.overrides]
        serial = seconds(jobs, [*settings, "hydra/launcher=basic"])
        beside = seconds(jobs, [*settings, "hydra/launcher=joblib", f"hydra.launcher.n_jobs={jobs}"])
        for name, took in (("one after the other", serial), (f"{jobs} side by side, a core each", beside)):
            rows.append((encoder, name, f"{took:.0f} s", hourly(took / jobs), f"{serial / took:.2f}"))
    columns = ("encoder", "runs", "took", "runs an hour", "× one after the other")
    return Table(f"Sweeps of {jobs} runs of one epoch on {device.name()}.", columns, rows)


def small_runs(arguments: argparse.Namespace) -> Table:
    """Small runs, where it is one of them beside the recurrence alone."""
    encoders, seeds = arguments.small_encoders, arguments.runs
    with tempfile.TemporaryDirectory() as data:
        settings = [*SMALL, *arguments.overrides, f"data.directory={data}"]
        # Not timed: the tokens of both distances are cached, and the recurrence is compiled.
        short = ("data.max_distance=20,50", "encoder=lstm", "trainer.epochs=1", "trainer.limit_batches=1")
        seconds(1, [*settings, *IN_TURN, *short])
        one, three = (seconds(count, [*settings, *RUN, *IN_TURN]) for count in (1, 3))
        beside = ("hydra/launcher=joblib", "data.max_distance=20", f"encoder={','.join(encoders)}")
        several = seconds(seeds, [*settings, *beside])
        steps, alone = recurrence([*settings, *RUN])
    count, version = seeds * len(encoders), described()
    several_name = f"a sweep of {count} runs of {', '.join(encoders)}"
    further = (three - one) / 2
    lines = [
        ("–", f"the recurrence alone: {steps:,} steps", f"{alone:.1f} s", "1.00", "–"),
        (version, "a sweep of one run", f"{one:.1f} s", f"{one / alone:.2f}", hourly(one)),
        (version, "a sweep of 3 such runs, one after the other", f"{three:.1f} s", "–", hourly(three / 3)),
        (version, "of these, each after the first", f"{further:.1f} s", f"{further / alone:.2f}", hourly(further)),
        (version, several_name, f"{several:.1f} s", "–", hourly(several / count)),
    ]
    columns = ("version", "what", "took", "× the recurrence alone", "runs an hour")
    return Table(f"Small runs on {device.processor()}.", columns, lines)


def hourly(seconds: float) -> str:
    """Runs an hour, of so many seconds each."""
    return f"{3600 / seconds:.0f}"


def seconds(seeds: int, settings: Sequence[str]) -> float:
    """Seconds of a sweep over so many seeds, recorded in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        sweep = (f"seed={','.join(map(str, range(seeds)))}", f"tracking.directory={folder}")
        return seconds_of("train", "-m", *settings, *sweep)


def recurrence(overrides: Sequence[str]) -> tuple[int, float]:
    """The training steps of a run, and the seconds of as many passes of its recurrence forward and back, on one thread.

    Inputs are random, of the sizes of its batches.
    """
    config: ReviewConfig = run_config(*overrides)
    runtime.prepare(1)
    data = ReviewData(config.data, config.seed)
    data.setup()
    epoch = [batch.tokens.shape for batch in data.train_dataloader()]
    sizes = epoch * (config.settle_epochs(len(epoch)) // len(epoch))
    encoder = build_module(config.encoder.settings, config.embedding.size)
    half = runtime.resolve_precision(config.precision, "cpu") == "bfloat16"

    def passes(B: int, T: int) -> float:
        inputs, lengths = torch.randn(B, T, config.embedding.size, requires_grad=True), torch.full((B,), T)
        started = time.perf_counter()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
            states = encoder(inputs, lengths)
        states.backward(torch.ones_like(states))
        return time.perf_counter() - started

    passes(*sizes[0])  # the library, the threads
    return len(sizes), sum(passes(B, T) for B, T in sizes)


def described() -> str:
    """What git calls this checkout; `this` where it has no answer."""
    command = ["git", "-C", str(HERE), "describe", "--always", "--dirty"]
    return subprocess.run(command, capture_output=True, text=True).stdout.strip() or "this"


if __name__ == "__main__":
    run(main)
