"""Does the step stay near its floor in wide, deep and two-way nets, and beside PyTorch's plain modules?

    python experiments/throughput/wide.py

Run it alone on the machine. Each row is a process of its own, in which steps of the two are taken in turn. Both have
the precision that this project chooses here, and random reviews. The floor is the matrix products alone, at the peak of
square products in that precision. Writes the table of README.md beside this file. A quick try, on a copy of that
README:

    python experiments/throughput/wide.py --output FOLDER --encoders lstm,gru --nets 8x1x1,8x2x2 --batch-size 4 \
        --length 10 --seconds 0.1 --products 64
"""

import argparse
import json
import re
import sys

from tqdm import tqdm

import device
from benchmark import HERE, add_step_options, last_line, new_parser, parsed, publish, some_of
from floor import operations, peak
from models import MODULES, Size
from pair import Pair
from sentiment_rnn import runtime
from sentiment_rnn.cli.errors import run
from sentiment_rnn.report.tables import Table, markdown

NETS = "512x1x1,1024x1x1,256x2x1,256x3x1,256x1x2"


def main() -> None:
    """Measure, write, print."""
    parser = new_parser(__doc__)
    add = parser.add_argument
    add("--encoders", type=some_of(*MODULES), default=",".join(MODULES), help="some of %(default)s")
    add("--nets", type=nets, default=NETS, help="H x layers x directions (default: %(default)s)")
    add_step_options(parser, batch_size=64, length=250)
    arguments = parsed(parser, "wide")
    B, T = arguments.batch_size, arguments.length
    runtime.prepare(runtime.cores())
    precision = device.precisions()[-1]
    rate = peak(precision, arguments.products)
    rows = []
    cases = [(encoder, size) for encoder in arguments.encoders for size in arguments.nets]
    for encoder, size in tqdm(cases, desc="Nets", disable=None):
        sizes = map(str, (B, T, size.H, size.layers, size.directions, size.E))
        command = [
            sys.executable,
            str(HERE / "pair.py"),
            encoder,
            device.in_words(precision),
            *sizes,
            f"{arguments.seconds}",
        ]
        pair = Pair(**json.loads(last_line(command)))
        floor = B * T * operations(encoder, size.E, size.H, size.layers, size.directions) / rate
        rows.append(row(encoder, size, pair, floor))
    columns = (
        *("encoder", "H", "layers", "directions", "this project", "PyTorch's modules", "products alone"),
        *("this project / PyTorch's", "this project / products", "PyTorch's / products"),
    )
    title = (
        f"A step of {B} reviews of {T} words, E {Size.E}, in {device.in_words(precision)}, on {device.name()}; "
        f"products at {rate / 1e9:,.0f} GFLOP/s."
    )
    publish(arguments.output, wide=markdown([Table(title, columns, rows)]))


def nets(text: str) -> tuple[Size, ...]:
    """A type of option: `512x1x1,256x2x2`, each H, layers and directions."""
    given = [re.fullmatch(r"([1-9]\d*)x([1-9]\d*)x([12])", net) for net in text.split(",")]
    if not all(given):
        raise argparse.ArgumentTypeError(f"{text}: expected H x layers x directions, such as 512x1x1,256x2x2")
    return tuple(Size(*map(int, net.groups())) for net in given if net)


def row(encoder: str, size: Size, pair: Pair, floor: float) -> tuple[str, ...]:
    """Of the table; the floor in seconds."""
    times = (f"{1e3 * seconds:,.1f} ms" for seconds in (pair.project, pair.pytorch, floor))
    ratios = (f"{ratio:.2f}" for ratio in (pair.ratio, pair.project / floor, pair.pytorch / floor))
    return (encoder, str(size.H), str(size.layers), str(size.directions), *times, *ratios)


if __name__ == "__main__":
    run(main)
