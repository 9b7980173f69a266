"""How long is it from the start of `train` to its first optimizer step, imports included?

    python experiments/throughput/startup.py [override …]

Run it alone on the machine. Cold, with neither tokens nor a store, once; warm, with both, three times. Writes the table
of README.md beside this file. A quick try, on a copy of that README:

    python experiments/throughput/startup.py --output FOLDER --repeats 1 data=generated data.train_reviews=200
"""

import statistics
import sys
import tempfile
import time

from benchmark import HERE, REVIEWS, last_line, new_parser, parsed
from sentiment_rnn.cli.errors import run
from sentiment_rnn.report.tables import Table, markdown, replace_block


def main() -> None:
    """Measure, write, print."""
    parser = new_parser(__doc__)
    parser.add_argument("--repeats", type=int, default=3, help="warm starts (default: %(default)s)")
    parser.add_argument("overrides", nargs="*", metavar="override", help="override of a run, such as encoder=rnn")
    arguments = parsed(parser, "startup")
    with tempfile.TemporaryDirectory() as folder:
        fresh = [f"tracking.directory={folder}/runs", f"data.directory={folder}/data"]
        overrides = [REVIEWS, "encoder=lstm", *arguments.overrides, *fresh]
        cold = seconds(overrides)
        warm = [seconds(overrides) for _ in range(arguments.repeats)]
    rows = [
        ("cold: no tokens, no store (recurrence compiled)", f"{cold:.1f} s"),
        ("warm", f"{statistics.median(warm):.1f} s"),
    ]
    text = markdown([Table("From the start of the interpreter to the first step.", ("start", "took"), rows)])
    replace_block(arguments.output / "README.md", "startup", text)
    print(text)


def seconds(overrides: list[str]) -> float:
    """Seconds of `train`, in a process of its own, until its first step is done."""
    return float(last_line([sys.executable, str(HERE / "first_step.py"), str(time.monotonic()), *overrides]))


if __name__ == "__main__":
    run(main)
