"""What every source of `conf/data/` promises to training: the same reviews each time, and no text on both sides of
validation."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from sentiment_rnn.config import CONFIGURATION
from sentiment_rnn.config.loading import source_of
from sentiment_rnn.config.store import run_config
from sentiment_rnn.data import sources
from sentiment_rnn.data.review import SPLITS, Source


def labelled_file(folder: Path) -> Path:
    """Sixty texts in one file."""
    path = folder / "reviews.csv"
    path.write_text("text,label\n" + "".join(f"text {number},{number % 2}\n" for number in range(60)))
    return path


SOURCES: dict[str, Callable[[Path, Path], tuple[str, ...]]] = {
    "files": lambda folder, _: (f"data.train={labelled_file(folder)}",),
    "generated": lambda *_: ("data.train_reviews=200", "data.test_reviews=40"),
    "imdb": lambda _, imdb: (f"data.archive={imdb}", "data.verify=false"),
}
"""Overrides that make a source small; a new one needs some."""


FILES = sorted(Path(CONFIGURATION, "data").glob("*.yaml"))


def test_every_module_of_sources_has_a_file_in_conf() -> None:
    modules = {path.stem for path in Path(sources.__path__[0]).glob("*.py")} - {"__init__"}
    assert modules == {yaml.safe_load(path.read_text())["_target_"].split(".")[-2] for path in FILES}


@pytest.fixture(params=[path.stem for path in FILES])
def source(request: pytest.FixtureRequest, tmp_path: Path, imdb_folder: Path) -> Source:
    """Each source of `conf/`."""
    assert request.param in SOURCES, f"give data={request.param} small settings in SOURCES"
    small = SOURCES[request.param](tmp_path, imdb_folder)
    return source_of(run_config(f"data={request.param}", f"data.directory={tmp_path}", *small).data)


def test_a_source_gives_the_same_reviews_each_time(source: Source) -> None:
    fingerprint, reviews = source.fingerprint(), source.read()
    assert set(reviews) == set(SPLITS)
    assert source.read() == reviews
    assert source.fingerprint() == fingerprint
    for part in reviews.values():
        assert {review.label for review in part} == {0, 1}
        assert len({review.name for review in part}) == len(part)


def test_no_group_and_no_text_is_both_trained_and_validated_on(source: Source) -> None:
    reviews = source.read()
    for kind in ("group", "text"):
        train, validation = ({getattr(review, kind) for review in reviews[part]} for part in ("train", "validation"))
        assert not train & validation
