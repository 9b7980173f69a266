"""What does a run of a study take beside its arithmetic, and how many of them does an hour hold?

    python experiments/throughput/small_runs.py [override …]

Run it alone on the machine. Three sweeps are timed from the start of the command to its end. The first holds an LSTM
as large as those of the studies on generated reviews, at a distance of 50, on one thread. The second holds three of
them, one after the other, so that their difference is what each further run takes. The third holds several runs, at a
distance of 20, side by side as those studies have them. All are on the processor, and their tokens are cached before.
The arithmetic is the recurrence of the first sweep's run: as many forward and backward passes as it has training
steps, on one thread. Writes the table of README.md beside this file.

With --source PATH, the `src` folder of another checkout, its version is timed in turn with this one. A quick try, on a
copy of that README:

    python experiments/throughput/small_runs.py --output FOLDER --encoders rnn --runs 1 data.train_reviews=200 \
        data.test_reviews=100 trainer.epochs=1
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from benchmark import HERE, finished, last_line, new_parser, parsed, publish, some_of
from device import processor
from models import MODULES
from sentiment_rnn.cli.errors import run
from sentiment_rnn.environment import SPINS
from sentiment_rnn.errors import UserError
from sentiment_rnn.report.tables import Table, markdown

OURS = HERE.parents[1] / "src"
SMALL = (
    "data=generated", "data.distances=equal", "data.test_reviews=2000", "encoder.hidden_size=64", "embedding.size=32",
    "optimizer.learning_rate=0.003", "trainer.epochs=8", "trainer.accelerator=cpu", "tracking.system_metrics=false",
    "tracking.record=results",
)  # fmt: skip
"""What the runs have in common. An experiment of `conf/` would say it shorter, but other versions may not have it."""
RUN = (*SMALL, "data.max_distance=50", "encoder=lstm", "trainer.threads=1")
"""One run of the first two sweeps."""
LAUNCHER = "hydra/launcher=joblib"
"""Of the sweeps; a run by itself has none."""


class Row(NamedTuple):
    """A line of the table."""

    version: str
    what: str
    seconds: float
    runs: int = 1


@dataclass(frozen=True)
class Sweep:
    """Some small runs."""

    name: str
    runs: int
    settings: list[str]


def main() -> None:
    """Measure, write, print."""
    arguments = parsed(options(), "small")
    sources = list(dict.fromkeys([OURS, *(source.resolve() for source in arguments.source)]))
    for source in sources:
        if not (source / "sentiment_rnn").is_dir():
            raise UserError(f"--source {source}: expected the src folder of a checkout, with sentiment_rnn in it")
    sweeps = [
        runs_in_turn(1, arguments.overrides),
        runs_in_turn(3, arguments.overrides),
        several_runs(arguments.encoders, arguments.runs, arguments.overrides),
    ]
    turns = [(sweep, source) for sweep in sweeps for _ in range(arguments.repeats) for source in sources]
    times: dict[tuple[str, Path], list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        data = {source: Path(folder, f"data{position}") for position, source in enumerate(sources)}
        for source in sources:
            seconds(preparation(arguments.overrides), source, data[source])
        for sweep, source in tqdm(turns, desc="Sweeps", disable=None):
            times[sweep.name, source].append(seconds(sweep, source, data[source]))
        command = [sys.executable, str(HERE / "small_recurrence.py"), *RUN, *arguments.overrides]
        command += [f"data.directory={data[OURS]}"]
        steps, recurrence = last_line(command).split()
    versions = [version(source) for source in sources]
    one, three, several = (
        [
            Row(name, sweep.name, statistics.median(times[sweep.name, source]), sweep.runs)
            for name, source in zip(versions, sources, strict=True)
        ]
        for sweep in sweeps
    )
    further = [
        Row(last.version, "of these, each after the first", (last.seconds - first.seconds) / (last.runs - first.runs))
        for first, last in zip(one, three, strict=True)
    ]
    alone = Row("–", f"the recurrence alone: {int(steps):,} steps", float(recurrence))
    rows = [alone, *one, *three, *further, *several]
    publish(arguments.output, small=markdown([table(rows)]))


def options() -> argparse.ArgumentParser:
    """What can be asked for."""
    parser = new_parser(__doc__)
    add = parser.add_argument
    add("--encoders", type=some_of(*MODULES), default="rnn,lstm", help="of the sweep of several (default: %(default)s)")
    add("--runs", type=int, default=4, help="of each encoder in that sweep, one a seed (default: %(default)s)")
    add("--repeats", type=int, default=1, help="of each sweep; the median counts (default: %(default)s)")
    add(
        "--source", type=Path, action="append", default=[], metavar="PATH",
        help="the src folder of another checkout to time as well; can be given several times",
    )  # fmt: skip
    add("overrides", nargs="*", metavar="override", help="override of all runs, such as trainer.epochs=1")
    return parser


def runs_in_turn(count: int, overrides: Sequence[str]) -> Sweep:
    """LSTMs at a distance of 50, one after the other, on one thread as beside other runs."""
    name = "a sweep of one run" if count == 1 else f"a sweep of {count} such runs, one after the other"
    seeds = f"seed={','.join(map(str, range(count)))}"
    return Sweep(name, count, [*RUN, LAUNCHER, seeds, "hydra.launcher.n_jobs=1", *overrides])


def several_runs(encoders: Sequence[str], seeds: int, overrides: Sequence[str]) -> Sweep:
    """Some encoders and seeds at a distance of 20."""
    settings = [*SMALL, LAUNCHER, "data.max_distance=20", f"encoder={','.join(encoders)}"]
    settings += [f"seed={','.join(map(str, range(seeds)))}", *overrides]
    runs = seeds * len(encoders)
    return Sweep(f"a sweep of {runs} runs of {', '.join(encoders)}", runs, settings)


def preparation(overrides: Sequence[str]) -> Sweep:
    """What is not timed: the tokens of both are cached, and the recurrence is compiled."""
    settings = [*SMALL, LAUNCHER, "encoder=lstm", "seed=0", "data.max_distance=20,50"]
    return Sweep("", 2, [*settings, *overrides, "trainer.epochs=1", "trainer.limit_batches=1"])


def table(rows: Sequence[Row]) -> Table:
    """The first row is the recurrence alone, by which the times of a single run are divided."""
    recurrence = rows[0].seconds
    lines = [
        (
            *(row.version, row.what, f"{row.seconds:.1f} s"),
            f"{row.seconds / recurrence:.2f}" if row.runs == 1 else "–",
            f"{3600 * row.runs / row.seconds:.0f}" if row is not rows[0] else "–",
        )
        for row in rows
    ]
    return Table(
        f"Small runs on {processor()}.", ("version", "what", "took", "× the recurrence alone", "runs an hour"), lines
    )


def seconds(sweep: Sweep, source: Path, data: Path) -> float:
    """Seconds of a sweep by the version in `source`, recorded in a folder of its own."""
    path = os.pathsep.join(filter(None, [str(source), os.environ.get("PYTHONPATH")]))
    # What this version has set for itself is not handed to another.
    kept = {name: value for name, value in os.environ.items() if SPINS.get(name) != value}
    with tempfile.TemporaryDirectory() as folder:
        directories = [f"tracking.directory={folder}/runs", f"data.directory={data}"]
        command = [sys.executable, "-m", "sentiment_rnn", "train", "-m", *sweep.settings, *directories]
        started = time.perf_counter()
        finished(command, kept | {"PYTHONPATH": path})
        return time.perf_counter() - started


def version(source: Path) -> str:
    """What git calls the checkout around a `src` folder; else `this` or `other`."""
    described = subprocess.run(
        ["git", "-C", str(source), "describe", "--always", "--dirty"], capture_output=True, text=True
    )  # fmt: skip
    return described.stdout.strip() or ("this" if source == OURS else "other")


if __name__ == "__main__":
    run(main)
