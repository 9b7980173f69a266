"""How fast is a training step, beside what people would use instead, the arithmetic alone and a busy neighbor?

    python experiments/benchmarks/epoch.py [override …]

Run it alone on the machine. Cases run one after another, a process each, on the same batches. Writes epoch.csv and
neighbor.csv, throughput.png and the ratios into README.md beside this file. A quick try, on a copy of that README:

    python experiments/benchmarks/epoch.py --output FOLDER --encoders lstm --cases packed,rows --batches 2 \
        --large 32 --repeats 1 --products 64 --neighbor bag data=generated data.train_reviews=200 data.batch_size=16
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from matplotlib.figure import Figure
from tqdm import tqdm

import device
from benchmark import ENCODERS, REVIEWS, add_products, new_parser, parsed, some_of
from cases import CASES, KERAS, POLICIES, Case, measured_here, neighbor_table, save, timed
from ratios import BLOCK, publish
from sentiment_rnn import runtime
from sentiment_rnn.cli.errors import run
from sentiment_rnn.config.run import ReviewConfig
from sentiment_rnn.config.store import run_config
from sentiment_rnn.data.datamodule import ReviewData
from sentiment_rnn.report.plotting import PALETTE, WIDTH, save_figure, styled
from sentiment_rnn.report.tables import Table, markdown
from steps import operations

NAMES = {
    "packed": "PyTorch, packed sequences",
    "packed_kept": "packed, denormals flushed, freed memory kept",
    "padded": "padded",
    "flushed": "+ denormals flushed",
    "kept": "+ freed memory kept",
    "bfloat16": "+ bfloat16",
    "compiled": "+ compiled recurrence",
    "rows": "+ embedding updated by rows: this project",
    "float32": "Keras",
    "mixed_bfloat16": "Keras, mixed bfloat16",
    "floor float32": "matrix products alone, float32",
    "floor bfloat16": "matrix products alone, bfloat16",
}
TITLES = {"lstm": "LSTM", "rnn": "vanilla RNN"}


@dataclass(frozen=True)
class Sample:
    """Some batches of an epoch, on disk, and what the whole epoch is."""

    path: Path
    batch_size: int
    size: float
    """Tokens of the whole epoch beside those of these batches, padding counted."""
    tokens: int
    """Tokens of the whole epoch."""


class Row(NamedTuple):
    """One case."""

    encoder: str
    case: str
    batch_size: int | None
    """None where there are no batches."""
    epoch_seconds: float
    tokens_per_second: float
    """Tokens of reviews, padding not counted."""


def main() -> None:
    """Measure, write, print."""
    arguments = parsed(options(), BLOCK)
    config: ReviewConfig = run_config(REVIEWS, *arguments.overrides)
    runtime.prepare(runtime.cores())
    peaks = {precision: device.peak(precision, arguments.products) for precision in device.precisions()}
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        sample, large = (
            save_sample(config, size, arguments.batches, Path(folder))
            for size in (config.data.batch_size, arguments.large)
        )
        named = [*((case, sample) for case in measured_here(arguments.cases)), ("rows", large)]
        named += [(policy, sample) for policy in keras_policies(arguments.keras, len(peaks))]
        cases = [(encoder, *case) for encoder in arguments.encoders for case in named]
        for encoder, case, batches in tqdm(cases, desc="Cases", disable=None):
            # On packed sequences a step of the LSTM takes seconds.
            repeats = 1 if (case, encoder) == ("packed", "lstm") else arguments.repeats
            timing = timed(Case(case, encoder, str(batches.path), repeats), arguments.keras)
            seconds = sum(timing.seconds) * batches.size
            rows.append(Row(encoder, case, batches.batch_size, seconds, batches.tokens / seconds))
        beside = neighbor_table(arguments.neighbor, str(sample.path), sample.size)
    for encoder in arguments.encoders:
        for precision, rate in peaks.items():
            seconds = operations(encoder) * sample.tokens / rate
            rows.append(Row(encoder, f"floor {device.in_words(precision)}", None, seconds, sample.tokens / seconds))
    rates = ", ".join(f"{rate / 1e9:,.0f} GFLOP/s in {device.in_words(precision)}" for precision, rate in peaks.items())
    machine = f"{device.processor()}, matrix products at their peak here: {rates}"
    save_figure(throughput_figure(rows, config.data.name), arguments.output / "throughput.png")
    publish(arguments.output, "epoch", Row._fields, rows)
    publish(arguments.output, "neighbor", beside.columns, beside.rows)
    print(f"{config.data.name}, {machine}\n")
    print(markdown([*(table(rows, encoder) for encoder in arguments.encoders), beside]))


def options() -> argparse.ArgumentParser:
    """Parser of the script's options."""
    parser = new_parser(__doc__, ENCODERS, "the reviews")
    add = parser.add_argument
    add("--cases", type=some_of(*CASES), default=",".join(CASES), help="some of %(default)s")
    add("--batches", type=int, default=10, help="batches of an epoch that a case is timed on (default: %(default)s)")
    add("--large", type=int, default=256, help="the larger batch size (default: %(default)s)")
    add("--repeats", type=int, default=3, help="steps on each batch, of which the median counts (default: %(default)s)")
    add_products(parser)
    beside = ("bag", *reversed(ENCODERS))
    add("--neighbor", type=some_of(*beside), default=",".join(beside), help="beside a neighbor: some of %(default)s")
    add(
        "--keras", type=Path, default=KERAS, metavar="FOLDER",
        help="the virtual environment that make bench makes for Keras (default: %(default)s)",
    )  # fmt: skip
    return parser


def keras_policies(folder: Path, count: int) -> tuple[str, ...]:
    """So many cases of Keras; none, and a line, where it is not measured."""
    if not (folder / ".ready").exists():
        print(f"no Keras in {folder} (make bench installs it): its rows are left out", file=sys.stderr)
        return ()
    return POLICIES[:count]


def save_sample(config: ReviewConfig, batch_size: int, count: int, folder: Path) -> Sample:
    """Batches of the first epoch, as the trainer gets them: the middle one of each of `count` equal groups by size."""
    data = ReviewData(replace(config.data, batch_size=batch_size), config.seed)
    batches = sorted(data.train_dataloader(), key=lambda batch: batch.tokens.numel())
    chosen = [batches[int((k + 0.5) * len(batches) / count)] for k in range(count)]
    path = save([(batch.tokens, batch.lengths, batch.labels) for batch in chosen], folder / f"{batch_size}.npz")
    size = sum(batch.tokens.numel() for batch in batches) / sum(batch.tokens.numel() for batch in chosen)
    return Sample(path, batch_size, size, int(data.reviews("train").lengths.sum()))


def table(rows: Sequence[Row], encoder: str) -> Table:
    """The cases of one encoder; – where what they are compared with was not measured."""
    mine = [r for r in rows if r.encoder == encoder]
    seconds = {r.case: r.epoch_seconds for r in reversed(mine)}
    floor = min((case for case in seconds if case.startswith("floor")), key=lambda case: seconds[case])
    packed, keras = (seconds.get(case, float("nan")) for case in ("packed", "float32"))
    cells = [
        (
            NAMES[r.case],
            str(r.batch_size or "–"),
            f"{r.epoch_seconds:,.1f} s",
            f"{r.tokens_per_second:,.0f}",
            f"{packed / r.epoch_seconds:,.1f}".replace("nan", "–"),
            f"{keras / r.epoch_seconds:.2f}".replace("nan", "–"),
            f"{r.epoch_seconds / seconds[floor]:,.2f}",
        )
        for r in mine
    ]
    precision = floor.removeprefix("floor ")
    columns = ("case", "batch", "an epoch", "tokens / s", "× packed", "× Keras", f"× {precision} floor")
    return Table(f"An epoch of the {TITLES[encoder]}.", columns, cells)


@styled
def throughput_figure(rows: Sequence[Row], source: str) -> Figure:
    """A bar a case on a logarithmic axis."""
    measured = list(dict.fromkeys(row.encoder for row in rows))
    figure = Figure(figsize=(WIDTH, 3.6 * len(measured)), layout="constrained")
    panels = figure.subplots(len(measured), squeeze=False)[:, 0]
    for axes, encoder in zip(panels, measured, strict=True):
        mine = [r for r in rows if r.encoder == encoder][::-1]
        colors = [
            PALETTE[2] if r.case.startswith("floor") else PALETTE[0] if r.case == "rows" else PALETTE[6]
            if "padded" in CASES.get(r.case, ()) else PALETTE[1] for r in mine
        ]  # fmt: skip
        usual = mine[-1].batch_size
        labels = [NAMES[r.case] + (f", B {r.batch_size}" if r.batch_size not in (None, usual) else "") for r in mine]
        bars = axes.barh(labels, [r.epoch_seconds for r in mine], color=colors)
        seconds = [f"{r.epoch_seconds:,.{0 if r.epoch_seconds >= 100 else 1}f} s" for r in mine]
        axes.bar_label(bars, seconds, padding=3, fontsize=9)
        axes.set_xscale("log")
        left = min(1.0, *(0.5 * r.epoch_seconds for r in mine))
        axes.set_xlim(left=left, right=axes.get_xlim()[1] * 4)
        axes.grid(axis="y", visible=False)
        axes.set_xlabel(f"seconds of a training epoch on {'IMDb' if source == 'imdb' else source} [s]")
        axes.set_title(TITLES[encoder])
    return figure


if __name__ == "__main__":
    run(main)
