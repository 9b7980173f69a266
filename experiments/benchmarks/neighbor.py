"""How much longer does an epoch take beside a busy neighbor, and does it matter how waiting threads wait?

A bag of words has one thread, which waits for none. It is timed with as many as there are cores too.

    python experiments/benchmarks/neighbor.py [override …]

Run it alone on the machine: it brings its own neighbor, a process per core that does nothing but compute. The steps
are those that epoch.py times. Writes the table of README.md beside this file. A quick try, on a copy of that README:

    python experiments/benchmarks/neighbor.py --output FOLDER --encoders rnn,bag --batches 1 data=generated \
        data.train_reviews=200
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tqdm import tqdm

import device
from benchmark import ENCODERS, REVIEWS, new_parser, parsed, publish
from cases import Case, timed
from epoch import save_sample
from sentiment_rnn import runtime
from sentiment_rnn.cli.errors import run
from sentiment_rnn.config.run import ReviewConfig
from sentiment_rnn.config.store import run_config
from sentiment_rnn.environment import OTHERS, SPINS
from sentiment_rnn.report.tables import Table

WAYS = {
    "spin as GNU OpenMP's do: GOMP_SPINCOUNT=300000": {"GOMP_SPINCOUNT": "300000"},
    "spin briefly: GOMP_SPINCOUNT=1000, set by this project": SPINS,
    "sleep: OMP_WAIT_POLICY=passive": {"OMP_WAIT_POLICY": "passive"},
}
"""Settings of OpenMP; 300,000 is the count of GNU OpenMP where nothing is set (libgomp's manual)."""
REPEATS = 15
"""Steps on each batch. Their mean counts, as in an epoch: a step beside others has its core or it waits."""


def main() -> None:
    """Measure, write, print."""
    parser = new_parser(__doc__, ("bag", *reversed(ENCODERS)), "the reviews")
    parser.add_argument("--batches", type=int, default=10, help="batches that are timed (default: %(default)s)")
    arguments = parsed(parser, "neighbor")
    config: ReviewConfig = run_config(REVIEWS, *arguments.overrides)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        sample = save_sample(config, config.data.batch_size, arguments.batches, Path(folder))
        cases = [(encoder, *way) for encoder in arguments.encoders for way in ways_of(encoder)]
        for encoder, name, variables, threads in tqdm(cases, desc="Cases", disable=None):
            case = Case("rows", encoder, str(sample.path), REPEATS, threads)
            alone = sample.size * step_seconds(case, variables)
            with busy_neighbor(runtime.cores()):
                beside = sample.size * step_seconds(case, variables)
            rows.append((encoder, name, f"{alone:.3g} s", f"{beside:.3g} s", f"{beside / alone:.2f}"))
    columns = ("encoder", "waiting threads", "alone", "beside a busy process per core", "×")
    publish(arguments.output, "neighbor", Table(f"An epoch on {device.name()}.", columns, rows))


def ways_of(encoder: str) -> list[tuple[str, dict[str, str], int | None]]:
    """How threads wait in what is timed of an encoder: a name, variables of the environment, and threads if they are
    not those of a run."""
    if encoder != "bag":
        return [(name, variables, None) for name, variables in WAYS.items()]
    threads = runtime.cores()
    both = f"{threads} threads, GOMP_SPINCOUNT=1000"
    return [("none: one thread, as a run has", SPINS, None), (both, SPINS, threads)]


def step_seconds(case: Case, variables: dict[str, str]) -> float:
    """Seconds of a step on each batch of a case."""
    kept = {name: value for name, value in os.environ.items() if name not in {*SPINS, *OTHERS}}
    return sum(timed(case, environment=kept | variables).means)


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
