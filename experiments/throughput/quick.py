"""Is a training step still faster than one of PyTorch's plain modules? Three minutes at most; nothing is written.

    python experiments/throughput/quick.py

A row is an encoder, a size and a precision. Steps of the two are taken in turn, and the ratio is the median over the
pairs. With --limit it fails where a ratio is above the limit. A quick try:

    python experiments/throughput/quick.py --encoders rnn,bag --sizes small --batch-size 8 --seconds 0.1
"""

import argparse

from tqdm import tqdm

import device
from benchmark import some_of
from floor import GATES
from models import Size
from pair import measured_pair
from sentiment_rnn.cli.errors import run
from sentiment_rnn.errors import UserError
from sentiment_rnn.report.tables import Table, new_console, show

SIZES = {"small": (70, Size(H=64, E=32)), "usual": (250, Size(H=256, E=100))}
"""T and the model: of the studies on generated reviews, and of IMDb."""


def main() -> None:
    """Measure and print."""
    arguments = options().parse_args()
    cases = [
        (encoder, name, precision)
        for encoder in arguments.encoders
        for name in arguments.sizes
        for precision in device.precisions()
    ]
    rows, slower = [], []
    for encoder, name, precision in tqdm(cases, desc="Cases", disable=None):
        T, size = SIZES[name]
        pair = measured_pair(encoder, precision, arguments.batch_size, T, size, arguments.seconds)
        size_in_words = f"{name}: T {T}" + (f", H {size.H}" if GATES[encoder] else "")
        times = (f"{1e3 * pair.project:.1f} ms", f"{1e3 * pair.pytorch:.1f} ms", f"{pair.ratio:.2f}")
        rows.append((encoder, size_in_words, device.in_words(precision), *times))
        if arguments.limit is not None and pair.ratio > arguments.limit:
            slower.append(f"{encoder}, {name}, {device.in_words(precision)}: {pair.ratio:.2f}")
    title = f"A training step of {arguments.batch_size} reviews on {device.name()}"
    columns = ("encoder", "size", "precision", "this project", "PyTorch's modules", "ratio")
    show(new_console(), Table(title, columns, rows))
    if slower:
        raise UserError(f"above {arguments.limit} times the time of PyTorch's modules: {'; '.join(slower)}")


def options() -> argparse.ArgumentParser:
    """What can be asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--encoders", type=some_of(*GATES), default=",".join(GATES), help="some of %(default)s")
    add("--sizes", type=some_of(*SIZES), default=",".join(SIZES), help="some of %(default)s")
    add("--batch-size", type=int, default=64, metavar="B", help="reviews of a step (default: %(default)s)")
    add("--seconds", type=float, default=4.0, help="of a row, five pairs at least (default: %(default)s)")
    add("--limit", type=float, metavar="RATIO", help="fail where a ratio is above it")
    return parser


if __name__ == "__main__":
    run(main)
