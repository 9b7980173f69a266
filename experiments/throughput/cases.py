"""One case of the benchmark, in a process of its own, so that no case inherits another's threads, flags or memory.

    python cases.py CASE ENCODER BATCHES REPEATS

prints one line of JSON: seconds of a training step on each batch (the median of the repeats) and where the time went.
From `padded` on, each case is the one before it and one thing more.
"""

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.nn.utils.rnn import pack_padded_sequence

from sentiment_rnn import runtime
from sentiment_rnn.config.run import ReviewConfig
from sentiment_rnn.config.store import register_schema, run_config
from sentiment_rnn.model.classifier import SentimentClassifier
from sentiment_rnn.model.optimizer import clip_gradient_norm
from sentiment_rnn.runs.reviews import build_model

CASES: dict[str, tuple[str, ...]] = {
    "packed": (),
    "packed_kept": ("flushed", "kept"),
    "padded": ("padded",),
    "flushed": ("padded", "flushed"),
    "kept": ("padded", "flushed", "kept"),
    "bfloat16": ("padded", "flushed", "kept", "bfloat16"),
    "compiled": ("padded", "flushed", "kept", "bfloat16", "compiled"),
    "rows": ("padded", "flushed", "kept", "bfloat16", "compiled", "rows"),
}
"""What each case has; the last one is this project."""
VOCABULARY_SIZE = 30_000
LEARNING_RATE = 1e-3
CLIP_NORM = 1.0

Batch = tuple[Tensor, Tensor, Tensor]
"""tokens int64 [B, T], lengths int64 [B], labels float32 [B]."""


@dataclass(frozen=True)
class Timing:
    """What a case prints."""

    seconds: list[float]
    """Of a step on each batch."""
    profile: dict[str, float] = field(default_factory=dict)
    """Seconds a step by what they are spent on; empty where it was not looked at."""


class Packed(nn.Module):
    """The classifier as tutorials write it: embed, pack, `nn.LSTM` or `nn.RNN`, the last state, a linear layer."""

    def __init__(self, encoder: str, embedding_size: int, hidden_size: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY_SIZE, embedding_size, padding_idx=0)
        self.net = {"lstm": nn.LSTM, "rnn": nn.RNN}[encoder](embedding_size, hidden_size, batch_first=True)
        self.output = nn.Linear(hidden_size, 1)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Logits [B]."""
        packed = pack_padded_sequence(self.embedding(tokens), lengths.cpu(), batch_first=True, enforce_sorted=False)
        state = self.net(packed)[1]
        return self.output((state[0] if isinstance(state, tuple) else state)[-1]).squeeze(1)


def prepare(case: str) -> bool:
    """Set this process up for a case; whether it computes in bfloat16."""
    if "compiled" not in CASES[case]:
        os.environ["SENTIMENT_RNN_COMPILED"] = "0"
    if "flushed" in CASES[case]:
        torch.set_flush_denormal(True)
    torch.set_num_threads(runtime.cores())
    if "kept" in CASES[case]:
        runtime.keep_freed_memory()
    return "bfloat16" in CASES[case] and runtime.resolve_precision("auto", "auto") == "bfloat16"


def build(case: str, encoder: str, hidden_size: int = 256) -> nn.Module:
    """The model of a case, on the device, without dropout; E 100."""
    register_schema()
    settings = [f"encoder={encoder}", f"encoder.hidden_size={hidden_size}"]
    settings += [f"optimizer.learning_rate={LEARNING_RATE}", "optimizer.schedule=constant"]
    config: ReviewConfig = run_config(*settings)
    device = "cuda" if runtime.on_gpu("auto") else "cpu"
    if "padded" not in CASES[case]:
        return Packed(encoder, config.embedding.size, hidden_size).to(device)
    return build_model(config, VOCABULARY_SIZE).to(device)


def stepper(case: str, model: nn.Module, bfloat16: bool) -> Callable[[Batch], float]:
    """A function that takes one training step, as the trainer does, and returns its seconds."""
    device = next(model.parameters()).device
    if isinstance(model, SentimentClassifier):
        if "rows" in CASES[case]:
            model.take_rows(device)
        optimizer = model.configure_optimizers()
    else:
        optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE)
    half = torch.autocast(device.type, dtype=torch.bfloat16, enabled=bfloat16)

    def step(batch: Batch) -> float:
        started = time.perf_counter()
        tokens, lengths, labels = (part.to(device, non_blocking=True) for part in batch)
        optimizer.zero_grad()
        with half:
            loss = binary_cross_entropy_with_logits(model(tokens, lengths).float(), labels)
        loss.backward()
        with torch.profiler.record_function("clip"):
            clip_gradient_norm(model.parameters(), CLIP_NORM)
        optimizer.step()
        if device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - started

    return step


def load(path: Path) -> list[Batch]:
    """The batches that measure.py chose."""
    arrays = np.load(path)
    count = len(arrays) // 3
    return [
        tuple(torch.from_numpy(arrays[f"{part}{i}"]) for part in ("tokens", "lengths", "labels"))  # type: ignore[misc]
        for i in range(count)
    ]


def profile(step: Callable[[Batch], float], batches: list[Batch]) -> dict[str, float]:
    """Seconds a step by what they are spent on."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profiler:
        total = sum(step(batch) for batch in batches)
    spent = dict.fromkeys(("matrix products", "cells", "optimizer", "embedding", "clipping"), 0.0)
    for event in profiler.key_averages():
        alone, whole = event.self_cpu_time_total * 1e-6, event.cpu_time_total * 1e-6
        if event.key in ("aten::mm", "aten::addmm") or event.key.startswith(("mkldnn::", "sentiment_rnn::product")):
            spent["matrix products"] += alone
        elif event.key.startswith("sentiment_rnn::"):
            spent["cells"] += alone
        elif event.key.startswith("Optimizer.step"):
            spent["optimizer"] += whole
        elif event.key in ("aten::embedding", "aten::embedding_backward", "_RowsBackward"):
            spent["embedding"] += whole
        elif event.key == "clip":
            spent["clipping"] += whole
    spent["other"] = total - sum(spent.values())
    return {name: seconds / len(batches) for name, seconds in spent.items()}


def main() -> None:
    """Time one case."""
    case, encoder, path, repeats = sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])
    bfloat16 = prepare(case)
    torch.manual_seed(0)
    step = stepper(case, build(case, encoder), bfloat16)
    batches = load(path)
    # Warm: every shape once; of what is not repeated, since a step takes seconds, the shortest one.
    for batch in sorted(batches, key=lambda batch: batch[0].shape[1])[: 1 if repeats == 1 else None]:
        step(batch)
    times = [[step(batch) for batch in batches] for _ in range(repeats)]
    seconds = [statistics.median(of_batch) for of_batch in zip(*times, strict=True)]
    profiled = case == "rows" and not runtime.on_gpu("auto")
    print(json.dumps(asdict(Timing(seconds, profile(step, batches) if profiled else {}))))


if __name__ == "__main__":
    main()
