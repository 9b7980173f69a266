"""How fast a trained model answers the 25,000 test reviews of IMDb: in batches, and one at a time.

    python experiments/prediction/measure.py [--store FOLDER] [--model NAME]

`predict --file` is the whole command, from its start; the plain loop gives the model one review at a time, as every
tutorial does it. Run it alone. IMDB_ARCHIVE names the archive.
"""

import argparse
import csv
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from hydra import compose, initialize_config_dir

from sentiment_rnn.analysis.tables import Table, new_console, show
from sentiment_rnn.chosen import add_arguments, chosen
from sentiment_rnn.command import CONFIGURATION, one_line_errors, quiet_libraries, register_schema
from sentiment_rnn.config import checked
from sentiment_rnn.data.imdb import Imdb
from sentiment_rnn.inference.predictor import Predictor

ALONE = 1000
"""Reviews of the plain loop."""


def main() -> None:
    """Print seconds and reviews a second."""
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    arguments = parser.parse_args()
    register_schema()
    quiet_libraries()
    texts = test_texts()
    rows = []
    with one_line_errors(), chosen(arguments) as model, tempfile.TemporaryDirectory() as folder:
        rows.append(("predict --file, the command", len(texts), command_seconds(texts, Path(folder), arguments)))
        rows.append(("predict, loaded", len(texts), seconds(model.predictor, texts, len(texts))))
        rows.append(("of which tokenizing", len(texts), tokenizing(model.predictor, texts)))
        some = [texts[index] for index in np.random.default_rng(0).permutation(len(texts))[:ALONE]]
        seconds(model.predictor, some[:20], 1)
        rows.append(("one review at a time", ALONE, seconds(model.predictor, some, 1)))
    shown = [(name, f"{count:,}", f"{took:.1f}", f"{count / took:,.0f}") for name, count, took in rows]
    show(new_console(), Table("Test reviews of IMDb", ("how", "reviews", "seconds", "reviews / s"), shown))


def test_texts() -> list[str]:
    """The test reviews, in the order of the archive."""
    with initialize_config_dir(CONFIGURATION, version_base="1.3"), tempfile.TemporaryDirectory() as folder:
        config = checked(compose("config", ["data=imdb", f"tracking.directory={folder}"]))
    return [review.text for review in Imdb(config.data).read()["test"]]


def command_seconds(texts: list[str], folder: Path, arguments: argparse.Namespace) -> float:
    """Seconds of `python -m sentiment_rnn.predict --file …`, its start included."""
    with (folder / "reviews.csv").open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["text"])
        writer.writerows([text] for text in texts)
    which = ["--store", str(Path(arguments.store).resolve())] + (
        ["--model", arguments.model] if arguments.model else []
    )
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "sentiment_rnn.predict", "--file", "reviews.csv", "--json", *which],
        cwd=folder, check=True, capture_output=True, text=True,
    )  # fmt: skip
    took = time.perf_counter() - started
    assert len(done.stdout.splitlines()) == len(texts)
    return took


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
    main()
