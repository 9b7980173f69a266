"""How long do commands take to start, imports included?

    python experiments/throughput/startup.py [override …]

Run it alone on the machine. `train` counts until its first optimizer step: cold, with neither tokens nor a store, once;
warm, with both. `predict` answers one text with a small model, which is trained for it. Writes the table of README.md
beside this file. A quick try, on a copy of that README:

    python experiments/throughput/startup.py --output FOLDER --repeats 1 data=generated data.train_reviews=200
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable

from benchmark import HERE, REVIEWS, last_line, new_parser, parsed, publish
from sentiment_rnn.cli.errors import run
from sentiment_rnn.report.tables import Table, markdown

COMMAND = [sys.executable, "-m", "sentiment_rnn"]
SMALL = (
    "study=startup seed=0 data=generated data.train_reviews=200 data.test_reviews=40 "
    "encoder.hidden_size=8 trainer.epochs=1"
).split()
"""The model that `predict` asks. Its size does not matter for the start."""
TEXT = "not bad at all"


def main() -> None:
    """Measure, write, print."""
    parser = new_parser(__doc__)
    parser.add_argument("--repeats", type=int, default=3, help="of all but the cold start (default: %(default)s)")
    parser.add_argument("overrides", nargs="*", metavar="override", help="override of a run, such as encoder=rnn")
    arguments = parsed(parser, "startup")

    def median(seconds: Callable[[], float]) -> str:
        return f"{statistics.median(seconds() for _ in range(arguments.repeats)):.2f} s"

    with tempfile.TemporaryDirectory() as folder:
        fresh = [f"tracking.directory={folder}/runs", f"data.directory={folder}/data"]
        overrides = [REVIEWS, "encoder=lstm", *arguments.overrides, *fresh]
        cold = f"{seconds_to_first_step(overrides):.2f} s"
        warm = median(lambda: seconds_to_first_step(overrides))
        store = f"{folder}/small"
        register_small_model(store, f"{folder}/data")
        answer = median(lambda: seconds_of(["predict", TEXT, "--store", store]))
    rows = [
        ("train, cold: no tokens, no store (recurrence compiled)", "its first step", cold),
        ("train, warm", "its first step", warm),
        ("predict, one text", "its end", answer),
        ("train --help", "its end", median(lambda: seconds_of(["train", "--help"]))),
    ]
    publish(
        arguments.output,
        startup=markdown([Table("From the start of the interpreter.", ("command", "until", "took"), rows)]),
    )


def seconds_to_first_step(overrides: list[str]) -> float:
    """Seconds of `train`, in a process of its own, until its first step is done."""
    return float(last_line([sys.executable, str(HERE / "first_step.py"), str(time.monotonic()), *overrides]))


def seconds_of(arguments: list[str]) -> float:
    """Seconds of a whole command of the project."""
    started = time.monotonic()
    last_line([*COMMAND, *arguments])
    return time.monotonic() - started


def register_small_model(store: str, data: str) -> None:
    """Train a small model, and register it where `predict` looks for one."""
    last_line([*COMMAND, "train", "-m", *SMALL, f"tracking.directory={store}", f"data.directory={data}"])
    last_line([*COMMAND, "compare", "register=true", f"tracking.directory={store}"])


if __name__ == "__main__":
    run(main)
