"""How fast is a training step, beside what people would use instead, and beside the arithmetic alone?

    python experiments/throughput/measure.py [override …]

Run it alone on the machine. Cases run one after another, a process each, on the same batches. Writes results.csv,
profile.csv, throughput.png and the tables of README.md beside this file. A quick try, on a copy of that README:

    python experiments/throughput/measure.py --output FOLDER --encoders lstm --cases packed,rows --batches 2 \
        --large 32 --repeats 1 --products 64 data=generated data.train_reviews=200 data.batch_size=16
"""

import argparse
import sys
import tempfile
from pathlib import Path

from tqdm import tqdm

import device
from benchmark import ENCODERS, REVIEWS, add_products, new_parser, parsed, some_of
from cases import CASES, measured_here
from floor import operations, peak
from measure_results import Profiles, Row, write
from sample import KERAS, POLICIES, save_sample, timed
from sentiment_rnn import runtime
from sentiment_rnn.cli.errors import run
from sentiment_rnn.config.run import ReviewConfig
from sentiment_rnn.config.store import run_config


def main() -> None:
    """Measure, write, print."""
    arguments = parsed(options(), "throughput", "profile")
    config: ReviewConfig = run_config(REVIEWS, *arguments.overrides)
    runtime.prepare(runtime.cores())
    peaks = {precision: peak(precision, arguments.products) for precision in device.precisions()}
    rows: list[Row] = []
    profiles: Profiles = {}
    with tempfile.TemporaryDirectory() as folder:
        sample, large = (
            save_sample(config, size, arguments.batches, Path(folder))
            for size in (config.data.batch_size, arguments.large)
        )
        cases = [(encoder, case, sample) for encoder in arguments.encoders for case in measured_here(arguments.cases)]
        cases += [(encoder, "rows", large) for encoder in arguments.encoders]
        if runtime.on_gpu("auto"):
            print("Keras is left out: its TensorFlow here computes on the processor alone", file=sys.stderr)
        elif (arguments.keras / ".ready").exists():
            policies = POLICIES[: len(peaks)]
            cases += [(encoder, policy, sample) for encoder in arguments.encoders for policy in policies]
        else:
            print(f"no Keras in {arguments.keras} (make bench installs it): its rows are left out", file=sys.stderr)
        for encoder, case, batches in tqdm(cases, desc="Cases", disable=None):
            # On packed sequences a step of the LSTM takes seconds.
            repeats = 1 if (case, encoder) == ("packed", "lstm") else arguments.repeats
            timing = timed(case, encoder, batches, repeats, arguments.keras)
            seconds = sum(timing.seconds) * batches.size
            rows.append(Row(encoder, case, batches.batch_size, seconds, batches.tokens / seconds))
            if timing.profile:
                profiles[encoder, batches.batch_size] = timing.profile
    for encoder in arguments.encoders:
        for precision, rate in peaks.items():
            seconds = operations(encoder) * sample.tokens / rate
            rows.append(Row(encoder, f"floor {device.in_words(precision)}", 0, seconds, sample.tokens / seconds))
    rates = ", ".join(f"{rate / 1e9:,.0f} GFLOP/s in {device.in_words(precision)}" for precision, rate in peaks.items())
    machine = f"{device.name()}, matrix products at their peak here: {rates}"
    write(rows, profiles, config.data.name, machine, arguments.output)


def options() -> argparse.ArgumentParser:
    """What can be asked for."""
    parser = new_parser(__doc__)
    add = parser.add_argument
    add("--encoders", type=some_of(*ENCODERS), default=",".join(ENCODERS), help="some of %(default)s")
    add("--cases", type=some_of(*CASES), default=",".join(CASES), help="some of %(default)s")
    add("--batches", type=int, default=10, help="batches of an epoch that a case is timed on (default: %(default)s)")
    add("--large", type=int, default=256, help="the larger batch size (default: %(default)s)")
    add("--repeats", type=int, default=3, help="steps on each batch, of which the median counts (default: %(default)s)")
    add_products(parser)
    add(
        "--keras", type=Path, default=KERAS, metavar="FOLDER",
        help="the virtual environment that make bench makes for Keras (default: %(default)s)",
    )  # fmt: skip
    add("overrides", nargs="*", metavar="override", help="override of the reviews, such as data.batch_size=32")
    return parser


if __name__ == "__main__":
    run(main)
