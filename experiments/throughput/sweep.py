"""Are runs side by side, a core each, done sooner than one after the other, each on all cores?

    python experiments/throughput/sweep.py [override …]

Run it alone on the machine. A sweep of as many runs as cores, of one epoch each, by Hydra's own launcher and by
joblib's; both record everything, as any run does. The table of README.md beside this file is made anew.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tqdm import tqdm

from sentiment_rnn import runtime
from sentiment_rnn.analysis.comparison import markdown
from sentiment_rnn.compare import replace_block

HERE = Path(__file__).parent


def main() -> None:
    """Measure, write, print."""
    source = ["data=imdb"] if os.environ.get("IMDB_ARCHIVE") else ["data=generated"]
    jobs = runtime.cores()
    launchers = {
        "one after the other, on all cores": ["hydra/launcher=basic"],
        f"{jobs} side by side, a core each": ["hydra/launcher=joblib", f"hydra.launcher.n_jobs={jobs}"],
    }
    seeds = ",".join(map(str, range(jobs)))
    rows = []
    for encoder in tqdm(("lstm", "rnn", "bag"), desc="Encoders", disable=None):
        taken = {}
        for name, launcher in launchers.items():
            with tempfile.TemporaryDirectory() as folder:
                settings = [*source, f"encoder={encoder}", f"seed={seeds}", "trainer.epochs=1", *launcher]
                command = [sys.executable, "-m", "sentiment_rnn.train", "-m", f"tracking.directory={folder}", *settings]
                started = time.perf_counter()
                subprocess.run([*command, *sys.argv[1:]], check=True, stdout=subprocess.DEVNULL)
                taken[name] = time.perf_counter() - started
        serial = next(iter(taken.values()))
        rows += [
            (encoder, name, f"{seconds:.0f} s", f"{jobs * 3600 / seconds:.0f}", f"{serial / seconds:.2f}")
            for name, seconds in taken.items()
        ]
    text = markdown((f"{jobs} runs of one epoch", "", "took", "runs an hour", "×"), rows)
    replace_block(HERE / "README.md", "sweep", text)
    print(text)


if __name__ == "__main__":
    main()
