"""How long do whole commands take: their start, and sweeps of runs in turn and side by side?

    python experiments/benchmarks/commands.py [override …]

Run it alone on the machine. `train` counts until its first optimizer step: cold, with neither tokens nor a store, once;
warm, with both. `predict` answers one text with a small model, which is trained for it. A sweep has as many runs as
cores, of one epoch each: one after the other, with all cores each (a bag of words takes one), and side by side, with a
core each. It records everything, and is timed from the start of the command to its end.

Writes startup.csv and sweep.csv, and the ratios into README.md beside this file. A quick try, on a copy of that README:

    python experiments/benchmarks/commands.py --output FOLDER --repeats 1 --encoders bag --jobs 2 \
        data=generated data.train_reviews=200 data.test_reviews=100
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence

from tqdm import tqdm

import device
from benchmark import ENCODERS, REVIEWS, answer_of, new_parser, parsed, seconds_of
from ratios import BLOCK, publish
from sentiment_rnn import runtime
from sentiment_rnn.cli.errors import run
from sentiment_rnn.config.store import run_config
from sentiment_rnn.data.datamodule import ReviewData
from sentiment_rnn.report.tables import Table, markdown

SMALL = (
    "study=startup seed=0 data=generated data.train_reviews=200 data.test_reviews=40 "
    "encoder.hidden_size=8 trainer.epochs=1"
).split()
"""The model that `predict` asks. Its size does not matter for the start."""


def main() -> None:
    """Measure, write, print."""
    parser = new_parser(__doc__, (*ENCODERS, "bag"), "all runs")
    add = parser.add_argument
    add("--repeats", type=int, default=3, help="starts of all but the cold one (default: %(default)s)")
    add("--jobs", type=int, default=runtime.cores(), help="runs of a sweep (default: the cores)")
    arguments = parsed(parser, BLOCK)
    settings = [REVIEWS, *arguments.overrides]
    startup = starts(settings, arguments.repeats)
    sweep = sweeps(settings, arguments.encoders, arguments.jobs)
    publish(arguments.output, "startup", startup.columns, startup.rows)
    publish(arguments.output, "sweep", sweep.columns, sweep.rows)
    print(markdown([startup, sweep]))


def starts(settings: Sequence[str], repeats: int) -> Table:
    """Seconds of commands from the start of the interpreter."""

    def median(seconds: Callable[[], float]) -> str:
        return f"{statistics.median(seconds() for _ in range(repeats)):.2f}"

    with tempfile.TemporaryDirectory() as folder:
        store, data = f"{folder}/small", f"data.directory={folder}/data"
        overrides = ["encoder=lstm", *settings, f"tracking.directory={folder}/runs", data]
        cold = f"{seconds_to_first_step(overrides):.2f}"
        warm = median(lambda: seconds_to_first_step(overrides))
        seconds_of("train", "-m", *SMALL, f"tracking.directory={store}", data)
        seconds_of("compare", "--register", "--store", store)
        answer = median(lambda: seconds_of("predict", "not bad at all", "--store", store))
    rows = [
        ("train, cold: no tokens, no store (recurrence compiled)", "its first step", cold),
        ("train, warm", "its first step", warm),
        ("predict, one text", "its end", answer),
        ("train --help", "its end", median(lambda: seconds_of("train", "--help"))),
    ]
    return Table("From the start of the interpreter.", ("command", "until", "took [s]"), rows)


def seconds_to_first_step(overrides: Sequence[str]) -> float:
    """Seconds of `train`, in a process of its own, until its first step is done."""
    return float(answer_of("first_step.py", str(time.monotonic()), *overrides))


def sweeps(settings: Sequence[str], encoders: Sequence[str], jobs: int) -> Table:
    """Sweeps of one epoch, by Hydra's own launcher and by joblib's."""
    launchers = {
        "one after the other": ["hydra/launcher=basic"],
        f"{jobs} side by side, a core each": ["hydra/launcher=joblib", f"hydra.launcher.n_jobs={jobs}"],
    }
    seeds = f"seed={','.join(map(str, range(jobs)))}"
    _ = ReviewData(run_config(*settings).data).corpus  # no sweep is the one that reads the texts
    rows = []
    for encoder in tqdm(encoders, desc="Encoders", disable=None):
        took = []
        for name, launcher in launchers.items():
            with tempfile.TemporaryDirectory() as folder:
                own = (f"encoder={encoder}", "trainer.epochs=1", *settings, seeds, f"tracking.directory={folder}")
                took.append(seconds_of("train", "-m", *own, *launcher))
            gain, hourly = took[0] / took[-1], 3600 * jobs / took[-1]
            rows.append((encoder, name, f"{took[-1]:.0f}", f"{hourly:.0f}", f"{gain:.2f}"))
    columns = ("encoder", "runs", "took [s]", "runs an hour", "ratio")
    return Table(f"Sweeps of {jobs} runs of one epoch on {device.processor()}.", columns, rows)


if __name__ == "__main__":
    run(main)
