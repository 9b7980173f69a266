"""How do the time and the memory of a training step grow with T, B and H?

    python experiments/throughput/growth.py

Run it alone on the machine. Each point is a process of its own on random tokens. Writes growth.csv, growth.png and the
table of README.md beside this file. Packed sequences have denormals flushed and freed memory kept, as ours do, so that
what is seen is their own growth. A series stops before a point that would take over a minute; the table and the legend
say where. A quick try, on a copy of that README:

    python experiments/throughput/growth.py --output FOLDER --encoders lstm --cases rows --lengths 16,32 \
        --batch-sizes 8,16 --widths 32,64 --base 16,8,32 --fitted-from 16,8,32
"""

import json
import sys
from functools import cache
from itertools import product

from tqdm import tqdm

import device
from benchmark import ENCODERS, HERE, last_line, new_parser, numbers, parsed, some_of
from growth_results import CASES, Axis, Point, write
from sentiment_rnn.cli.errors import run

LONGEST_POINT = 60.0
"""Seconds; a point that is expected to take longer is left out."""
STEPS_OF_A_POINT = 2
"""At least: one that warms up, and one that is timed."""


def main() -> None:
    """Measure, write, print."""
    parser = new_parser(__doc__)
    add = parser.add_argument
    add("--encoders", type=some_of(*ENCODERS), default=",".join(ENCODERS), help="some of %(default)s")
    add("--cases", type=some_of(*CASES), default=",".join(CASES), help="some of %(default)s")
    add("--lengths", type=numbers, default="50,100,200,400,800,1600,3200", help="T (default: %(default)s)")
    add("--batch-sizes", type=numbers, default="16,32,64,128,256,512", help="B (default: %(default)s)")
    add("--widths", type=numbers, default="64,128,256,512,1024", help="H (default: %(default)s)")
    add("--base", type=numbers, default="250,64,256", help="T,B,H where they do not vary (default: %(default)s)")
    add(
        "--fitted-from", type=numbers, default="100,64,256",
        help="T,B,H from which exponents are fitted; below, the fixed cost of a step weighs too much "
        "(default: %(default)s)",
    )  # fmt: skip
    arguments = parsed(parser, "growth")
    values = arguments.lengths, arguments.batch_sizes, arguments.widths
    axes = [Axis(*fields) for fields in zip("TBH", values, arguments.base, arguments.fitted_from, strict=True)]
    series = list(product(arguments.encoders, arguments.cases, axes))
    points: list[Point] = []
    for encoder, case, axis in tqdm(series, desc="Series", disable=None):
        points += measured_series(encoder, case, axis, axes)
    write(points, axes, device.name(), arguments.output)


def measured_series(encoder: str, case: str, axis: Axis, axes: list[Axis]) -> list[Point]:
    """The points along one axis, up to the first whose step is expected to take too long."""
    points: list[Point] = []
    for value in axis.values:
        if len(points) > 1:
            expected = points[-1].seconds ** 2 / points[-2].seconds
            if STEPS_OF_A_POINT * expected > LONGEST_POINT:
                break
        sizes = [value if other is axis else other.base for other in axes]
        points.append(Point(encoder, case, axis.name, value, *measured(case, encoder, *sizes)))
    return points


@cache
def measured(case: str, encoder: str, T: int, B: int, H: int) -> tuple[float, int]:
    """Seconds of a step and its memory; a point that two axes share is measured once."""
    return tuple(json.loads(last_line([sys.executable, str(HERE / "point.py"), case, encoder, f"{T}", f"{B}", f"{H}"])))


if __name__ == "__main__":
    run(main)
