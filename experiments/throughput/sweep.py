"""Are runs side by side, a core each, done sooner than one after the other?

One after the other, each has all cores (a bag of words takes one).

    python experiments/throughput/sweep.py [override …]

Run it alone on the machine. A sweep of as many runs as cores, of one epoch each, by Hydra's own launcher and by
joblib's; both record everything, as any run does. Writes the table of README.md beside this file. A quick try, on a
copy of that README:

    python experiments/throughput/sweep.py --output FOLDER --encoders bag --jobs 2 data=generated \
        data.train_reviews=200
"""

import subprocess
import sys
import tempfile
import time

from tqdm import tqdm

import device
from benchmark import ENCODERS, REVIEWS, new_parser, parsed, publish, some_of
from sentiment_rnn import runtime
from sentiment_rnn.cli.errors import run
from sentiment_rnn.report.tables import Table, markdown


def main() -> None:
    """Measure, write, print."""
    names = (*ENCODERS, "bag")
    parser = new_parser(__doc__)
    parser.add_argument("--encoders", type=some_of(*names), default=",".join(names), help="some of %(default)s")
    parser.add_argument(
        "--jobs", type=int, default=runtime.cores(), help="runs of a sweep (default: a run for each core, %(default)s)"
    )
    parser.add_argument("overrides", nargs="*", metavar="override", help="override of a run, such as trainer.epochs=2")
    arguments = parsed(parser, "sweep")
    jobs = arguments.jobs
    launchers = {
        "one after the other": ["hydra/launcher=basic"],
        f"{jobs} side by side, a core each": ["hydra/launcher=joblib", f"hydra.launcher.n_jobs={jobs}"],
    }
    seeds = ",".join(map(str, range(jobs)))
    rows = []
    for encoder in tqdm(arguments.encoders, desc="Encoders", disable=None):
        settings = [REVIEWS, f"encoder={encoder}", f"seed={seeds}", "trainer.epochs=1", *arguments.overrides]
        taken = {name: seconds([*settings, *launcher]) for name, launcher in launchers.items()}
        serial = next(iter(taken.values()))
        rows += [
            (encoder, name, f"{took:.0f} s", f"{jobs * 3600 / took:.0f}", f"{serial / took:.2f}")
            for name, took in taken.items()
        ]
    columns = ("encoder", "runs", "took", "runs an hour", "× one after the other")
    publish(
        arguments.output,
        sweep=markdown([Table(f"Sweeps of {jobs} runs of one epoch on {device.name()}.", columns, rows)]),
    )


def seconds(settings: list[str]) -> float:
    """Seconds of a sweep, recorded in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "sentiment_rnn", "train", "-m", f"tracking.directory={folder}", *settings]
        started = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - started


if __name__ == "__main__":
    run(main)
