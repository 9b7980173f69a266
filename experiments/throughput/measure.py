"""How fast is a training step, beside what people would use instead, and beside the arithmetic alone?

    python experiments/throughput/measure.py [override …]

Run it alone on the machine. Cases run one after another, a process each, on the same batches; results.csv, profile.csv,
throughput.png and the tables of README.md beside this file are made anew.
"""

import csv
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from cases import CASES
from hydra import compose, initialize_config_dir
from matplotlib.figure import Figure
from tqdm import tqdm

from sentiment_rnn import runtime
from sentiment_rnn.analysis.comparison import markdown
from sentiment_rnn.analysis.figures import PALETTE, new_figure, styled
from sentiment_rnn.command import CONFIGURATION, register_schema
from sentiment_rnn.compare import replace_block
from sentiment_rnn.config import Config, checked
from sentiment_rnn.data.datamodule import ReviewData

HERE = Path(__file__).parent
KERAS = HERE.parents[1] / ".venv-keras"
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
SAMPLE = 10
"""Batches of an epoch that each case is timed on, spread evenly over their sizes."""
LARGE = 256
"""The larger batch size."""


@dataclass
class Row:
    """One case."""

    encoder: str
    case: str
    batch_size: int
    epoch_seconds: float
    tokens_per_second: float
    """Tokens of reviews, padding not counted."""


def main() -> None:
    """Measure, write, print."""
    register_schema()
    with initialize_config_dir(CONFIGURATION, version_base="1.3"):
        source = ["data=imdb"] if os.environ.get("IMDB_ARCHIVE") else ["data=generated"]
        config: Config = checked(compose("config", [*source, *sys.argv[1:]]))
    runtime.prepare(runtime.cores())
    peaks = {dtype: peak(dtype) for dtype in (torch.float32, torch.bfloat16)}
    rows, profiles = [], {}
    with tempfile.TemporaryDirectory() as folder:
        samples = {size: save_sample(config, size, Path(folder)) for size in (config.data.batch_size, LARGE)}
        cases = [(encoder, case, samples[config.data.batch_size]) for encoder in ("lstm", "rnn") for case in CASES]
        cases += [(encoder, "rows", samples[LARGE]) for encoder in ("lstm", "rnn")]
        if not (KERAS / ".ready").exists():
            print("no Keras in .venv-keras (make bench installs it): its rows are left out", file=sys.stderr)
        else:
            policies = ("float32", "mixed_bfloat16")
            cases += [(e, policy, samples[config.data.batch_size]) for e in ("lstm", "rnn") for policy in policies]
        for encoder, case, sample in tqdm(cases, desc="Cases", disable=None):
            result = run(case, encoder, sample)
            seconds = sum(result["seconds"]) * sample.size
            rows.append(Row(encoder, case, sample.batch_size, seconds, sample.tokens / seconds))
            if "profile" in result:
                profiles[encoder, sample.batch_size] = result["profile"]
    tokens = samples[config.data.batch_size].tokens
    for encoder in ("lstm", "rnn"):
        for dtype, rate in peaks.items():
            seconds = operations(encoder) * tokens / rate
            rows.append(Row(encoder, f"floor {str(dtype)[6:]}", 0, seconds, tokens / seconds))
    write(rows, profiles, peaks, config)


# ---- what is measured on ---------------------------------------------------------------------------------------------


@dataclass
class Sample:
    """Some batches of an epoch, on disk, and what the whole epoch is."""

    path: Path
    batch_size: int
    size: float
    """Tokens of the whole epoch beside those of these batches, padding counted."""
    tokens: int
    """Tokens of the whole epoch."""


def save_sample(config: Config, batch_size: int, folder: Path) -> Sample:
    """Batches of the first epoch, as the trainer gets them: the middle one of each of `SAMPLE` equal groups by size."""
    data = ReviewData(replace(config.data, batch_size=batch_size), config.seed)
    data.setup()
    loader = data.train_dataloader()
    batches = sorted(loader, key=lambda batch: batch.tokens.numel())
    chosen = [batches[int((k + 0.5) * len(batches) / SAMPLE)] for k in range(SAMPLE)]
    arrays = {
        f"{name}{i}": getattr(batch, name).numpy()
        for i, batch in enumerate(chosen)
        for name in ("tokens", "lengths", "labels")
    }
    path = folder / f"{batch_size}.npz"
    np.savez(path, **arrays)
    size = sum(batch.tokens.numel() for batch in batches) / sum(batch.tokens.numel() for batch in chosen)
    return Sample(path, batch_size, size, int(data.reviews("train").lengths.sum()))


def run(case: str, encoder: str, sample: Sample) -> dict[str, object]:
    """Time one case in its own process, three times over the sample, once where a step takes seconds."""
    torch_case = case in CASES
    python, script = (sys.executable, "cases.py") if torch_case else (str(KERAS / "bin/python"), "keras_case.py")
    repeats = "1" if (case, encoder) == ("packed", "lstm") else "3"
    command = [python, str(HERE / script), case, encoder, str(sample.path), repeats]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"error: {' '.join(command)}:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


# ---- the floor -------------------------------------------------------------------------------------------------------


def operations(encoder: str, E: int = 100, H: int = 256) -> int:
    """Floating-point operations of a token's matrix products: forward, and twice that backward."""
    gates = {"lstm": 4, "rnn": 1}[encoder]
    return 3 * 2 * gates * H * (E + H)


def peak(dtype: torch.dtype) -> float:
    """Operations a second of the fastest square matrix product here."""
    device = "cuda" if runtime.on_gpu("auto") else "cpu"
    best = 0.0
    for n in (1024, 2048, 4096):
        left, right = torch.randn(2, n, n, device=device).to(dtype)
        times = []
        for _ in range(12):
            started = time.perf_counter()
            left @ right
            if device == "cuda":
                torch.cuda.synchronize()
            times.append(time.perf_counter() - started)
        best = max(best, 2 * n**3 / statistics.median(times[2:]))
    return best


def processor() -> str:
    """What computes: its name, its cores and how it multiplies bfloat16."""
    if runtime.on_gpu("auto"):
        return torch.cuda.get_device_name()
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    facts = {key.strip(): value.strip() for key, colon, value in (line.partition(":") for line in lines) if colon}
    units = {"amx_bf16": "AMX", "avx512_bf16": "AVX-512 BF16"}
    unit = next((name for flag, name in units.items() if flag in facts.get("flags", "")), "no unit for bfloat16")
    return f"{facts.get('model name', platform.machine())}, {runtime.cores()} cores, {unit}"


# ---- what is written -------------------------------------------------------------------------------------------------


def write(rows: Sequence[Row], profiles: dict[tuple[str, int], dict[str, float]], peaks: dict, config: Config) -> None:
    """results.csv, profile.csv, throughput.png and the blocks of the README."""
    with (HERE / "results.csv").open("w") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["encoder", "case", "batch_size", "epoch_seconds", "tokens_per_second"])
        writer.writerows(
            [r.encoder, r.case, r.batch_size or "", f"{r.epoch_seconds:.4g}", f"{r.tokens_per_second:.4g}"]
            for r in rows
        )
    with (HERE / "profile.csv").open("w") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["encoder", "batch_size", "part", "milliseconds"])
        for (encoder, size), parts in profiles.items():
            writer.writerows([encoder, size, part, f"{1e3 * seconds:.2f}"] for part, seconds in parts.items())
    throughput_figure(rows, config.data.name).savefig(HERE / "throughput.png")
    rates = ", ".join(f"{rate / 1e9:,.0f} GFLOP/s in {str(dtype)[6:]}" for dtype, rate in peaks.items())
    text = f"{config.data.name}, {processor()}, matrix products at their peak here: {rates}\n\n"
    text += "\n".join(markdown(*table(rows, encoder)) + "\n" for encoder in ("lstm", "rnn"))
    replace_block(HERE / "README.md", "throughput", text)
    replace_block(HERE / "README.md", "profile", markdown(*profile_table(profiles)))
    print(text)


def table(rows: Sequence[Row], encoder: str) -> tuple[Sequence[str], list[tuple[str, ...]]]:
    """Columns and rows for one encoder."""
    mine = [r for r in rows if r.encoder == encoder]
    packed = next(r for r in mine if r.case == "packed")
    keras = next((r.epoch_seconds for r in mine if r.case == "float32"), float("nan"))
    floor = next(r for r in mine if r.case == "floor bfloat16")
    columns = (encoder, "batch", "an epoch", "tokens / s", "× packed", "× Keras", "× bfloat16 floor")
    return columns, [
        (
            NAMES[r.case],
            str(r.batch_size or "–"),
            f"{r.epoch_seconds:,.1f} s",
            f"{r.tokens_per_second:,.0f}",
            f"{packed.epoch_seconds / r.epoch_seconds:,.1f}",
            f"{keras / r.epoch_seconds:.2f}".replace("nan", "–"),
            f"{r.epoch_seconds / floor.epoch_seconds:,.2f}",
        )
        for r in mine
    ]


def profile_table(profiles: dict[tuple[str, int], dict[str, float]]) -> tuple[Sequence[str], list[tuple[str, ...]]]:
    """Milliseconds of a step by part, a column a case."""
    columns = ("ms a step", *(f"{encoder}, B {size}" for encoder, size in profiles))
    parts = next(iter(profiles.values()))
    rows = [(part, *(f"{1e3 * of[part]:.1f}" for of in profiles.values())) for part in parts]
    return columns, [*rows, ("all", *(f"{1e3 * sum(of.values()):.1f}" for of in profiles.values()))]


@styled
def throughput_figure(rows: Sequence[Row], source: str) -> Figure:
    """A bar a case on a logarithmic axis."""
    figure, panels = new_figure(2, width=7, height=4.4)
    for axes, encoder in zip(panels, ("lstm", "rnn"), strict=True):
        mine = [r for r in rows if r.encoder == encoder][::-1]
        colors = [
            PALETTE[2] if r.case.startswith("floor") else PALETTE[0] if r.case == "rows" else PALETTE[6]
            if "padded" in CASES.get(r.case, ()) else PALETTE[1] for r in mine
        ]  # fmt: skip
        labels = [NAMES[r.case] + (f", B {r.batch_size}" if r.batch_size == LARGE else "") for r in mine]
        bars = axes.barh(labels, [r.epoch_seconds for r in mine], color=colors)
        seconds = [f"{r.epoch_seconds:,.{0 if r.epoch_seconds >= 100 else 1}f} s" for r in mine]
        axes.bar_label(bars, seconds, padding=3, fontsize=9)
        axes.set_xscale("log")
        axes.set_xlim(left=1, right=axes.get_xlim()[1] * 4)
        axes.grid(axis="y", visible=False)
        axes.set_xlabel(f"seconds of a training epoch on {'IMDb' if source == 'imdb' else source} [s]")
        axes.set_title({"lstm": "LSTM", "rnn": "vanilla RNN"}[encoder])
    return figure


if __name__ == "__main__":
    main()
