"""Whoever has texts of their own is promised a model of them from a CSV, and a line on what was held out."""

import csv
import gzip
import json
import random
import re
from collections.abc import Iterable
from pathlib import Path

import pytest

import in_process
from processes import Ask, Refused
from sentiment_rnn.config.run import ReviewConfig
from sentiment_rnn.config.store import run_config
from sentiment_rnn.data.datamodule import ReviewData

SMALL = (
    "data=files", "data.batch_size=20", "data.minimum_frequency=1", "encoder.hidden_size=8", "embedding.size=8",
    "trainer.epochs=1", "trainer.threads=1", "tracking.system_metrics=false", "trainer=cpu",
    "optimizer.learning_rate=0.03",
)  # fmt: skip
Row = tuple[str, object, str]
"""Text, label, product."""


def written(path: Path, rows: Iterable[Row], header: Row = ("text", "label", "product")) -> Path:
    """A CSV file of these rows."""
    with path.open("w", encoding="utf-8", newline="") as handle:
        csv.writer(handle).writerows([header, *rows])
    return path


def reviews(count: int = 200, seed: int = 0) -> list[Row]:
    """Half of them positive, on a product for every eight."""
    draw = random.Random(seed)
    words = {1: "good great lovely".split(), 0: "bad awful dull".split()}
    return [
        (f"item {n} of {seed} was {' '.join(draw.choices(words[n % 2], k=draw.randint(1, 6)))}", n % 2, f"p{n // 8}")
        for n in range(count)
    ]


def of(*overrides: str) -> ReviewConfig:
    """The checked configuration of a run on files."""
    return run_config(*SMALL, *overrides)


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """A folder with 200 labelled texts, a sweep on them, and what `train` and `compare` said."""
    folder = tmp_path_factory.mktemp("files")
    rows = reviews()
    written(folder / "reviews.csv", rows)
    written(folder / "test.csv", [*reviews(60, seed=1), rows[0], rows[3]])
    files = ("data.train=reviews.csv", "data.test=test.csv", "data.group_column=product")
    trained = in_process.ask("train", folder, "-m", *SMALL, *files, "encoder=rnn,bag", "study=own")
    compared = in_process.ask("compare", folder, "own", "--register", "--model", "mine").stdout
    return folder, trained.stdout + trained.stderr, compared


def test_a_csv_becomes_a_registered_model_of_the_name_that_answers(used: tuple[Path, str, str], ask: Ask) -> None:
    folder, _, compared = used
    assert "registered as mine@champion, version " in compared
    assert "registered as mine@bag, version " in compared
    asked = ask("predict", folder, "--model", "mine@champion", "--json", "good great", "")
    answers = [json.loads(line) for line in asked.stdout.splitlines()]
    assert [answer["label"] is None for answer in answers] == [False, True]
    assert answers[0]["known_tokens"] == 2


def test_without_a_name_for_its_model_nothing_is_registered_and_nothing_written(
    used: tuple[Path, str, str], refused: Refused
) -> None:
    folder, _, _ = used
    line = refused(folder, "own", "--register", "--output", "compared", command="compare")
    assert line.endswith("give --model NAME")
    assert not (folder / "compared").exists()


def test_what_was_held_out_and_that_training_is_short_is_said_once(used: tuple[Path, str, str]) -> None:
    said = " ".join(used[1].split())
    for words in (
        "2 of 62 test texts are in train or validation too",
        "16 texts of reviews.csv are held out for it (whole groups of product)",
        "trainer.epochs=1: makes 10 training steps",
        "give trainer.epochs=40 or more",
    ):
        assert said.count(words) == 1, words


def test_another_place_or_form_of_the_same_texts_is_the_same_experiment_and_other_texts_are_not(tmp_path: Path) -> None:
    def identity(path: Path) -> str:
        config = of(f"data.train={path}", f"data.directory={tmp_path}/data")
        return config.identity(ReviewData(config.data).corpus.digest, "")

    rows, packed, lines = reviews(80), tmp_path / "c.csv.gz", tmp_path / "d.jsonl"
    path = written(tmp_path / "a.csv", rows)
    packed.write_bytes(gzip.compress(path.read_bytes()))
    lines.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label, _ in rows))
    first = identity(path)
    assert identity(packed) == identity(lines) == first
    assert identity(written(path, [("another text", 1, "p0"), *rows[1:]])) != first


def test_a_file_of_stars_with_semicolons_trains_once_where_the_labels_are_explained(tmp_path: Path, ask: Ask) -> None:
    stars = "".join(f"{text};{[1, 5][label]}\n" for text, label, _ in reviews()) + "so so;3\n"
    (tmp_path / "stars.csv").write_text("review;stars\n" + stars)
    files = ("data.train=stars.csv", "data.text_column=review", "data.label_column=stars", "encoder=bag")
    for ending in ("", ", which finished before"):
        done = ask("train", tmp_path, *SMALL, *files, "data.labels={1: negative, 5: positive}")
        lines = " ".join((done.stdout + done.stderr).split())
        assert "data.labels: rows of stars.csv with another label, left out: 1" in lines
        assert re.search(rf"validation [\d.]+, test [\d.]+ \(run \w+{ending}\)", lines)
