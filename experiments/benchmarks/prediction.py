"""How fast a trained model answers the 25,000 test reviews of IMDb: in batches, and one at a time.

    python experiments/benchmarks/prediction.py [--store FOLDER] [--model NAME] [override …]

`predict --file` is the whole command, from its start; the plain loop gives the model one review at a time, as every
tutorial does it. Run it alone. IMDB_ARCHIVE names the archive; an override can name other reviews. A quick try:

    python experiments/benchmarks/prediction.py --alone 5 --few 10 --many 100 data=generated \
        data.train_reviews=20 data.test_reviews=20
"""

import csv
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path

import numpy as np

from benchmark import finished
from sentiment_rnn.cli.errors import run
from sentiment_rnn.cli.options import call, new_app
from sentiment_rnn.cli.trained_model import ModelOptions, open_model
from sentiment_rnn.config.loading import source_of
from sentiment_rnn.config.run import ReviewConfig
from sentiment_rnn.config.store import run_config
from sentiment_rnn.report.tables import Table, new_console, show


def main(
    *overrides: str, alone: int = 1000, few: int = 1000, many: int = 1_000_000, options: ModelOptions = ModelOptions()
) -> None:
    """Print seconds and reviews a second.

    Args:
        overrides: override of the reviews: data=generated
        alone: reviews of the plain loop
        few: texts of the smaller file
        many: texts of the larger file
    """
    config: ReviewConfig = run_config("data=imdb", *overrides)
    texts = [review.text for review in source_of(config.data).read()["test"]]
    some = [texts[index] for index in np.random.default_rng(0).permutation(len(texts))[:alone]]
    memory = []
    with open_model(options) as model:
        predictor = model.predictor
        for count in (few, many):  # the fewest first: the peak is that of the commands so far
            took = command_seconds(short_texts(count), count, options)
            kilobytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
            memory.append((f"{count:,}", f"{took:.1f}", f"{kilobytes / 1024:,.0f}"))
        rows = [
            ("predict --file, the command", len(texts), command_seconds(texts, len(texts), options)),
            ("predict, loaded", len(texts), seconds(lambda: predictor.predict(texts))),
            ("of which tokenizing", len(texts), seconds(lambda: predictor.encode(texts))),
        ]
        for text in some[:20]:
            predictor.predict([text])
        rows.append(("one review at a time", len(some), seconds(lambda: [predictor.predict([text]) for text in some])))
    shown = [(how, f"{count:,}", f"{took:.3g}", f"{count / took:,.0f}") for how, count, took in rows]
    console = new_console()
    show(console, Table(f"Test reviews of {config.data.name}", ("how", "reviews", "seconds", "reviews / s"), shown))
    show(console, Table("predict --file, texts of 1 to 24 words", ("texts", "seconds", "peak memory [MB]"), memory))


def short_texts(count: int) -> Iterable[str]:
    """Texts of 1 to 24 words."""
    words = "the film was good bad great awful long boring wonderful and but i liked it not very story acting".split()
    draw = random.Random(0)
    return (" ".join(draw.choices(words, k=draw.randint(1, 24))) for _ in range(count))


def command_seconds(texts: Iterable[str], count: int, options: ModelOptions) -> float:
    """Seconds of `sentiment-rnn predict --file …` on so many texts, its start included."""
    flags = {"--store": Path(options.store).resolve(), "--model": options.model, "--run": options.run}
    which = [part for name, value in flags.items() if value for part in (name, str(value))]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "texts.csv")
        with path.open("w", encoding="utf-8", newline="") as handle:
            csv.writer(handle).writerows(chain([["text"]], ([text] for text in texts)))
        command = [sys.executable, "-m", "sentiment_rnn", "predict", "--file", str(path), "--json", *which]
        started = time.perf_counter()
        answers = finished(command).splitlines()
    assert len(answers) == count
    return time.perf_counter() - started


def seconds(act: Callable[[], object]) -> float:
    """Time of a call."""
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


if __name__ == "__main__":
    app = new_app("experiments/benchmarks/prediction.py", __doc__)
    app.default(main)
    run(lambda: call(app, sys.argv[1:]))
