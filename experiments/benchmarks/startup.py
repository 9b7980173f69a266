"""How long do commands take to start, imports included?

    python experiments/benchmarks/startup.py [override …]

Run it alone on the machine. `train` counts until its first optimizer step: cold, with neither tokens nor a store, once;
warm, with both. `predict` answers one text with a small model, which is trained for it. Writes the table of README.md
beside this file. A quick try, on a copy of that README:

    python experiments/benchmarks/startup.py --output FOLDER --repeats 1 data=generated data.train_reviews=200
"""

import statistics
import tempfile
import time
from collections.abc import Callable

from benchmark import REVIEWS, answer_of, new_parser, parsed, publish, seconds_of
from sentiment_rnn.cli.errors import run
from sentiment_rnn.report.tables import Table

SMALL = (
    "study=startup seed=0 data=generated data.train_reviews=200 data.test_reviews=40 "
    "encoder.hidden_size=8 trainer.epochs=1"
).split()
"""The model that `predict` asks. Its size does not matter for the start."""


def main() -> None:
    """Measure, write, print."""
    parser = new_parser(__doc__, overrides="a run")
    parser.add_argument("--repeats", type=int, default=3, help="of all but the cold start (default: %(default)s)")
    arguments = parsed(parser, "startup")

    def median(seconds: Callable[[], float]) -> str:
        return f"{statistics.median(seconds() for _ in range(arguments.repeats)):.2f} s"

    with tempfile.TemporaryDirectory() as folder:
        store, data = f"{folder}/small", f"data.directory={folder}/data"
        overrides = [REVIEWS, "encoder=lstm", *arguments.overrides, f"tracking.directory={folder}/runs", data]
        cold = f"{seconds_to_first_step(overrides):.2f} s"
        warm = median(lambda: seconds_to_first_step(overrides))
        seconds_of("train", "-m", *SMALL, f"tracking.directory={store}", data)
        seconds_of("compare", "register=true", f"tracking.directory={store}")
        answer = median(lambda: seconds_of("predict", "not bad at all", "--store", store))
    rows = [
        ("train, cold: no tokens, no store (recurrence compiled)", "its first step", cold),
        ("train, warm", "its first step", warm),
        ("predict, one text", "its end", answer),
        ("train --help", "its end", median(lambda: seconds_of("train", "--help"))),
    ]
    columns = ("command", "until", "took")
    publish(arguments.output, "startup", Table("From the start of the interpreter.", columns, rows))


def seconds_to_first_step(overrides: list[str]) -> float:
    """Seconds of `train`, in a process of its own, until its first step is done."""
    return float(answer_of("first_step.py", str(time.monotonic()), *overrides))


if __name__ == "__main__":
    run(main)
