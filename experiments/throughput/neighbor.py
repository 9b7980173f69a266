"""How much longer does an epoch take beside a busy neighbor, and does it matter how waiting threads wait?

A bag of words has one thread, which waits for none. It is timed with as many as there are cores too.

    python experiments/throughput/neighbor.py [override …]

Run it alone on the machine: it brings its own neighbor, a process per core that does nothing but compute. The steps
are those that measure.py times. Writes the table of README.md beside this file. A quick try, on a copy of that README:

    python experiments/throughput/neighbor.py --output FOLDER --encoders rnn,bag --batches 2 data=generated \
        data.train_reviews=200
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

import device
from benchmark import ENCODERS, REVIEWS, new_parser, parsed, publish, some_of
from sample import Sample, save_sample, timed
from sentiment_rnn import runtime
from sentiment_rnn.cli.errors import run
from sentiment_rnn.config.run import ReviewConfig
from sentiment_rnn.config.store import run_config
from sentiment_rnn.environment import OTHERS, SPINS
from sentiment_rnn.report.tables import Table, markdown


class Case(NamedTuple):
    """A way to wait."""

    name: str
    waiting: dict[str, str]
    """Variables of the environment."""
    threads: int | None = None
    """Those of a run, if not given."""


WAITING = (
    Case("spin as GNU OpenMP's do: GOMP_SPINCOUNT=300000", {"GOMP_SPINCOUNT": "300000"}),
    Case("spin briefly: GOMP_SPINCOUNT=1000, set by this project", SPINS),
    Case("sleep: OMP_WAIT_POLICY=passive", {"OMP_WAIT_POLICY": "passive"}),
)
"""Settings of OpenMP; 300,000 is the count of GNU OpenMP where nothing is set (libgomp's manual)."""
REPEATS = 15
"""Steps on each batch. Their mean counts, as in an epoch: a step beside others has its core or it waits."""


def main() -> None:
    """Measure, write, print."""
    names = ("bag", *reversed(ENCODERS))
    parser = new_parser(__doc__)
    parser.add_argument("--encoders", type=some_of(*names), default=",".join(names), help="some of %(default)s")
    parser.add_argument("--batches", type=int, default=10, help="batches that are timed (default: %(default)s)")
    parser.add_argument("overrides", nargs="*", metavar="override", help="override of the reviews")
    arguments = parsed(parser, "neighbor")
    config: ReviewConfig = run_config(REVIEWS, *arguments.overrides)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        sample = save_sample(config, config.data.batch_size, arguments.batches, Path(folder))
        cases = [(encoder, case) for encoder in arguments.encoders for case in cases_of(encoder)]
        for encoder, case in tqdm(cases, desc="Cases", disable=None):
            alone = epoch_seconds(encoder, sample, case)
            with busy_neighbor(runtime.cores()):
                beside = epoch_seconds(encoder, sample, case)
            rows.append((encoder, case.name, f"{alone:.3g} s", f"{beside:.3g} s", f"{beside / alone:.2f}"))
    columns = ("encoder", "waiting threads", "alone", "beside a busy process per core", "×")
    publish(arguments.output, neighbor=markdown([Table(f"An epoch on {device.name()}.", columns, rows)]))


def cases_of(encoder: str) -> tuple[Case, ...]:
    """What is timed of an encoder."""
    if encoder != "bag":
        return WAITING
    return (
        Case("none: one thread, as a run has", SPINS),
        Case(f"{runtime.cores()} threads, GOMP_SPINCOUNT=1000", SPINS, runtime.cores()),
    )


def epoch_seconds(encoder: str, sample: Sample, case: Case) -> float:
    """Seconds of the training steps of an epoch."""
    kept = {name: value for name, value in os.environ.items() if name not in {*SPINS, *OTHERS}}
    timing = timed("rows", encoder, sample, REPEATS, environment=kept | case.waiting, threads=case.threads)
    return sum(timing.means) * sample.size


@contextmanager
def busy_neighbor(processes: int) -> Iterator[None]:
    """So many processes that compute until the block ends."""
    busy = "import os\nparent = os.getppid()\nwhile os.getppid() == parent: sum(range(100_000))"  # ends with its parent
    started = [subprocess.Popen([sys.executable, "-c", busy]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


if __name__ == "__main__":
    run(main)
