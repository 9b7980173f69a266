"""How much longer does an epoch take beside a busy neighbor, and does it matter how waiting threads wait?

    python experiments/throughput/neighbor.py [override …]

Run it alone on the machine: it brings its own neighbor, a process per core that does nothing but compute. Each epoch is
a run of `train` on all cores, and what it logs as train/epoch_seconds. Writes the table of README.md beside this file.
A quick try, on a copy of that README:

    python experiments/throughput/neighbor.py --output FOLDER --encoders bag data=generated data.train_reviews=200
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from tqdm import tqdm

from benchmark import ENCODERS, REVIEWS, new_parser, parsed, some_of
from floor import processor
from sentiment_rnn import runtime
from sentiment_rnn.analysis.tables import Table, markdown, replace_block
from sentiment_rnn.command import run
from sentiment_rnn.config import TrackingConfig
from sentiment_rnn.environment import OTHERS, SPINS
from sentiment_rnn.tracking.store import open_store

WAITING = {
    "as GNU OpenMP does: GOMP_SPINCOUNT=300000": {"GOMP_SPINCOUNT": "300000"},
    "GOMP_SPINCOUNT=1000, set by this project": SPINS,
    "OMP_WAIT_POLICY=passive": {"OMP_WAIT_POLICY": "passive"},
}
"""Settings of OpenMP; 300,000 is the count of GNU OpenMP where nothing is set (libgomp's manual)."""


def main() -> None:
    """Measure, write, print."""
    names = ("bag", *reversed(ENCODERS))
    parser = new_parser(__doc__)
    parser.add_argument("--encoders", type=some_of(*names), default=",".join(names), help="some of %(default)s")
    parser.add_argument(
        "overrides", nargs="*", metavar="override", help="override of a run, such as data.batch_size=32"
    )
    arguments = parsed(parser, "neighbor")
    cases = [(encoder, waiting) for encoder in arguments.encoders for waiting in WAITING]
    rows = []
    for encoder, waiting in tqdm(cases, desc="Cases", disable=None):
        overrides = [REVIEWS, f"encoder={encoder}", *arguments.overrides]
        alone = epoch_seconds(overrides, WAITING[waiting])
        with busy_neighbor(runtime.cores()):
            beside = epoch_seconds(overrides, WAITING[waiting])
        rows.append((encoder, waiting, f"{alone:.1f} s", f"{beside:.1f} s", f"{beside / alone:.1f}"))
    columns = ("encoder", "waiting threads spin", "alone", "beside a busy process per core", "×")
    text = markdown([Table(f"An epoch on {processor()}.", columns, rows)])
    replace_block(arguments.output / "README.md", "neighbor", text)
    print(text)


def epoch_seconds(overrides: list[str], waiting: dict[str, str]) -> float:
    """Seconds of the one epoch of a run, without its start and its validation."""
    kept = {name: value for name, value in os.environ.items() if name not in {*SPINS, *OTHERS}}
    with tempfile.TemporaryDirectory() as folder:
        here = [f"tracking.directory={folder}", "trainer.epochs=1"]
        command = [sys.executable, "-m", "sentiment_rnn.train", *overrides, *here]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=kept | waiting)
        store = open_store(TrackingConfig(None, folder, "sentiment_rnn", False, True), create=False)
        (trained,) = store.client.search_runs([store.experiment_id])
        return float(trained.data.metrics["train/epoch_seconds"])


@contextmanager
def busy_neighbor(processes: int) -> Iterator[None]:
    """So many processes that compute until the block ends."""
    started = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


if __name__ == "__main__":
    run(main)
