"""How fast a trained model answers the 25,000 test reviews of IMDb: in batches, and one at a time.

    python experiments/prediction/measure.py [--store FOLDER] [--model NAME] [override …]

`predict --file` is the whole command, from its start; the plain loop gives the model one review at a time, as every
tutorial does it. Run it alone. IMDB_ARCHIVE names the archive; an override can name other reviews. A quick try:

    python experiments/prediction/measure.py --alone 5 --few 10 --many 100 data=generated \
        data.train_reviews=20 data.test_reviews=20
"""

import argparse
import csv
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from sentiment_rnn.cli.errors import run
from sentiment_rnn.cli.trained_model import add_arguments, open_model
from sentiment_rnn.config.loading import source_of
from sentiment_rnn.config.run import ReviewConfig
from sentiment_rnn.config.store import run_config
from sentiment_rnn.inference.predictor import Predictor
from sentiment_rnn.report.tables import Table, new_console, show


def main() -> None:
    """Print seconds and reviews a second."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    parser.add_argument("--alone", type=int, default=1000, help="reviews of the plain loop (default: %(default)s)")
    parser.add_argument("--few", type=int, default=1000, help="texts of the smaller file (default: %(default)s)")
    parser.add_argument("--many", type=int, default=1_000_000, help="texts of the larger file (default: %(default)s)")
    parser.add_argument("overrides", nargs="*", metavar="override", help="override of the reviews: data=generated")
    arguments = parser.parse_args()
    name, texts = test_texts(arguments.overrides)
    rows, memory = [], []
    with open_model(arguments) as model, tempfile.TemporaryDirectory() as folder:
        for count in (arguments.few, arguments.many):
            took, kilobytes = short_texts(count, Path(folder), arguments)
            memory.append((f"{count:,}", f"{took:.1f}", f"{kilobytes / 1024:,.0f}"))
        rows.append(("predict --file, the command", len(texts), command_seconds(texts, Path(folder), arguments)))
        rows.append(("predict, loaded", len(texts), seconds(model.predictor, texts, len(texts))))
        rows.append(("of which tokenizing", len(texts), tokenizing(model.predictor, texts)))
        some = [texts[index] for index in np.random.default_rng(0).permutation(len(texts))[: arguments.alone]]
        seconds(model.predictor, some[:20], 1)
        rows.append(("one review at a time", len(some), seconds(model.predictor, some, 1)))
    shown = [(how, f"{count:,}", f"{took:.3g}", f"{count / took:,.0f}") for how, count, took in rows]
    console = new_console()
    show(console, Table(f"Test reviews of {name}", ("how", "reviews", "seconds", "reviews / s"), shown))
    show(console, Table("predict --file, texts of 1 to 24 words", ("texts", "seconds", "peak memory [MB]"), memory))


def test_texts(overrides: list[str]) -> tuple[str, list[str]]:
    """The name of the source, and its test reviews in their order."""
    config: ReviewConfig = run_config("data=imdb", *overrides)
    return config.data.name, [review.text for review in source_of(config.data).read()["test"]]


def command_seconds(texts: list[str], folder: Path, arguments: argparse.Namespace) -> float:
    """Seconds of `sentiment-rnn predict --file …`, its start included."""
    write_csv(folder / "reviews.csv", texts)
    started = time.perf_counter()
    answers = predict_file(folder / "reviews.csv", arguments)
    assert answers == len(texts)
    return time.perf_counter() - started


def short_texts(count: int, folder: Path, arguments: argparse.Namespace) -> tuple[float, int]:
    """Seconds, and the command's peak memory in kB (the largest of the commands so far, so begin with the fewest)."""
    words = "the film was good bad great awful long boring wonderful and but i liked it not very story acting".split()
    draw = random.Random(0)
    write_csv(folder / "short.csv", (" ".join(draw.choices(words, k=draw.randint(1, 24))) for _ in range(count)))
    started = time.perf_counter()
    assert predict_file(folder / "short.csv", arguments) == count
    return time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss


def write_csv(path: Path, texts: Iterable[str]) -> None:
    """A column of texts."""
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["text"])
        writer.writerows([text] for text in texts)


def predict_file(path: Path, arguments: argparse.Namespace) -> int:
    """Run the command; the number of its answers."""
    options = {"--store": Path(arguments.store).resolve(), "--model": arguments.model, "--run": arguments.run}
    which = [part for name, value in options.items() if value for part in (name, str(value))]
    done = subprocess.run(
        [sys.executable, "-m", "sentiment_rnn", "predict", "--file", str(path), "--json", *which],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return len(done.stdout.splitlines())


def seconds(predictor: Predictor, texts: list[str], at_once: int) -> float:
    """Seconds to answer all texts, so many at once."""
    started = time.perf_counter()
    for start in range(0, len(texts), at_once):
        predictor.predict(texts[start : start + at_once])
    return time.perf_counter() - started


def tokenizing(predictor: Predictor, texts: list[str]) -> float:
    """Seconds to tokenize all texts."""
    started = time.perf_counter()
    predictor.encode(texts)
    return time.perf_counter() - started


if __name__ == "__main__":
    run(main)
