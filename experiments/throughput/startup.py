"""How long is it from the start of `train` to its first optimizer step, imports included?

    python experiments/throughput/startup.py [override …]

Run it alone on the machine. Warm, with the reviews tokenized and the store there, three times; cold, with neither,
once. The table of README.md beside this file is made anew.
"""

import os
import runpy
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from sentiment_rnn import command

HERE = Path(__file__).parent


def main() -> None:
    """Measure, write, print."""
    if sys.argv[1:2] == ["--until-the-first-step"]:
        train_one_step(float(sys.argv[2]), sys.argv[3:])
        return
    # Not above: what `train` does not load must not count.
    from sentiment_rnn.analysis.comparison import markdown
    from sentiment_rnn.compare import replace_block

    source = ["data=imdb"] if os.environ.get("IMDB_ARCHIVE") else ["data=generated"]
    overrides = [*source, "encoder=lstm", *sys.argv[1:]]
    with tempfile.TemporaryDirectory() as folder:
        fresh = [f"tracking.directory={folder}/runs", f"data.directory={folder}/data"]
        cold = seconds([*overrides, *fresh])
        warm = [seconds([*overrides, *fresh]) for _ in range(3)]
    rows = [
        ("cold: no tokens, no store, from the archive (recurrence compiled)", f"{cold:.1f} s"),
        ("warm", f"{statistics.median(warm):.1f} s"),
    ]
    text = markdown(("from the start of the interpreter", "to the first step"), rows)
    replace_block(HERE / "README.md", "startup", text)
    print(text)


def seconds(overrides: list[str]) -> float:
    """Run `train` in a process of its own until its first step is done."""
    command_line = [sys.executable, __file__, "--until-the-first-step", str(time.monotonic()), *overrides]
    done = subprocess.run(command_line, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"error: {' '.join(command_line)}:\n{done.stderr[-2000:]}")
    return float(done.stdout.strip().splitlines()[-1])


def train_one_step(started: float, overrides: list[str]) -> None:
    """Be `python -m sentiment_rnn.train`, and leave after the first step, saying how long after `started`."""
    quiet_libraries = command.quiet_libraries

    def then_watch_the_optimizer() -> None:
        quiet_libraries()
        if "sentiment_rnn.training" in sys.modules:  # torch is loaded: not earlier, since loading it counts
            import torch

            optimizer_step = torch.optim.AdamW.step

            def step_and_leave(self: torch.optim.AdamW, *arguments: object) -> None:
                optimizer_step(self, *arguments)
                print(time.monotonic() - started, flush=True)
                os._exit(0)

            torch.optim.AdamW.step = step_and_leave

    command.quiet_libraries = then_watch_the_optimizer
    sys.argv = ["train", *overrides]
    runpy.run_module("sentiment_rnn.train", run_name="__main__")


if __name__ == "__main__":
    main()
