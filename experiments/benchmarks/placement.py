"""Minutes of `make lag` for an encoder: a few runs are timed at each lag, and all of its runs computed from them.

    python experiments/benchmarks/placement.py [--lags 20,50,100,400] [override …]

A run takes a fixed time and a time for each epoch. Both come from runs of one epoch and of three, the faster of two
each, with one thread, as two runs side by side have on two cores. What a sweep's process takes to start is not in it.
Run it alone. A quick try:

    python experiments/benchmarks/placement.py --lags 5 encoder=rnn data.train_reviews=200 encoder.hidden_size=8
"""

import tempfile
import time

import sentiment_rnn  # noqa: F401  # before torch: it sets how threads wait, as in every command
from benchmark import new_parser
from sentiment_rnn.cli.errors import run
from sentiment_rnn.config.store import run_config
from sentiment_rnn.engine.train import train

EPOCHS, DRAWS, FINALS = 8, 12, 9
"""Epochs of a run; draws that run for half of them; runs of the best draws with other seeds."""
SEEDS, FAR, SEEDS_FAR = 20, 400, 10
"""Seeds that count, and how many there are from a lag on."""
AT_ONCE, REPEATS, SHORT, LONG = 2, 2, 1, 3
"""Runs side by side; runs that are timed of each length; epochs of a short and a long one."""
SETTINGS = (
    "data=generated", "data.lags=equal", "data.test_reviews=2000", "encoder.hidden_size=64", "embedding.size=32",
    "precision=float32", "optimizer.learning_rate=0.001", "tracking.system_metrics=false", "tracking.record=results",
    "trainer=cpu", "trainer.threads=1", "trainer.progress_bar=false",
)  # fmt: skip
"""As in the figure, but for learning rate and clipping."""


def main() -> None:
    """Print the minutes at each lag, and of all."""
    parser = new_parser(__doc__, overrides="a run")
    parser.add_argument("--lags", default="20,50,100,400", help="tokens, with commas between (default: %(default)s)")
    arguments = parser.parse_args()
    total = 0.0
    for lag in map(int, arguments.lags.split(",")):
        seeds = SEEDS_FAR if lag >= FAR else SEEDS
        fixed, epoch = timed([*SETTINGS, f"data.max_lag={lag}", *arguments.overrides])
        epochs = DRAWS * EPOCHS // 2 + (FINALS + seeds) * EPOCHS
        minutes = ((DRAWS + FINALS + seeds) * fixed + epochs * epoch) / AT_ONCE / 60
        print(f"lag {lag}: a run {fixed:.2f} s and {epoch:.2f} s an epoch, all {minutes:.1f} min", flush=True)
        total += minutes
    print(f"all lags: {total:.1f} min, {AT_ONCE} runs side by side")


def timed(overrides: list[str]) -> tuple[float, float]:
    """Seconds of a run beside its epochs, and of each epoch."""
    with tempfile.TemporaryDirectory() as folder:
        where = [f"tracking.directory={folder}/runs", f"data.directory={folder}/data"]
        train(run_config(*where, *overrides, "trainer.epochs=1", "seed=0"), [])  # what only a first run takes
        fastest = {
            epochs: min(
                seconds_of([*where, *overrides, f"trainer.epochs={epochs}", f"seed={seed}"])
                for seed in range(1, REPEATS + 1)
            )
            for epochs in (SHORT, LONG)
        }
    epoch = (fastest[LONG] - fastest[SHORT]) / (LONG - SHORT)
    return max(0.0, fastest[SHORT] - SHORT * epoch), epoch


def seconds_of(overrides: list[str]) -> float:
    """Seconds of a run, from its configuration to its records."""
    started = time.perf_counter()
    train(run_config(*overrides), [])
    return time.perf_counter() - started


if __name__ == "__main__":
    run(main)
