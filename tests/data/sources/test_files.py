"""Labelled texts of one's own come into the parts that the settings name, or are refused in one line."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from sentiment_rnn.config.loading import checked_data, source_of
from sentiment_rnn.config.sections import DataConfig
from sentiment_rnn.data.corpus import load_corpus
from sentiment_rnn.data.review import Review
from sentiment_rnn.errors import UserError

Read = Callable[..., dict[str, list[Review]]]


def write(path: Path, count: int, word: str = "text", **columns: Callable[[int], Any]) -> str:
    """Rows of a text, a label and further columns; the path as a key has it."""
    made = {"text": lambda n: f"{word} {n}", "label": lambda n: n % 2, **columns}
    path.write_text("".join(json.dumps({name: of(n) for name, of in made.items()}) + "\n" for n in range(count)))
    return str(path)


@pytest.fixture
def files_config(tmp_path: Path) -> Callable[..., DataConfig]:
    """`data=files` as conf/data/files.yaml has it, for 40 texts to train on; arguments override."""

    def build(**overrides: Any) -> DataConfig:
        settings: dict[str, Any] = {
            "_target_": "sentiment_rnn.data.sources.files.Files", "name": "files", "directory": str(tmp_path / "data"),
            "batch_size": 16, "eval_batch_size": 32, "max_tokens": 400, "keep": "tail", "tokenizer": "basic_english",
            "vocabulary_size": 1000, "minimum_frequency": 1, "train": str(tmp_path / "train.jsonl"),
            "validation": None, "test": None, "text_column": "text", "label_column": "label", "group_column": None,
            "validation_fraction": 0.1, "test_fraction": 0.2, "split_seed": 0,
        }  # fmt: skip
        return checked_data(OmegaConf.create(settings | overrides))

    write(tmp_path / "train.jsonl", 40)
    return build


@pytest.fixture
def read(files_config: Callable[..., DataConfig]) -> Read:
    """The reviews of each part; arguments override the configuration."""
    return lambda **overrides: source_of(files_config(**overrides)).read()


def texts(reviews: list[Review]) -> set[str]:
    return {review.text for review in reviews}


def test_a_file_alone_is_shared_out_among_the_three_parts(read: Read) -> None:
    found = read()
    assert list(found) == ["train", "validation", "test"]
    assert [len(found[part]) for part in found] == [29, 3, 8]
    assert set.union(*map(texts, found.values())) == {f"text {n}" for n in range(40)}
    assert all(review.label == int(review.text.split()[1]) % 2 for part in found.values() for review in part)


def test_files_of_their_own_are_taken_whole_and_nothing_else_is_held_out(read: Read, tmp_path: Path) -> None:
    validation = write(tmp_path / "validation.jsonl", 6, "validation")
    test = write(tmp_path / "test.jsonl", 10, "test")
    found = read(validation=validation, test=test)
    assert [len(found[part]) for part in ("train", "validation", "test")] == [40, 6, 10]
    assert texts(found["test"]) == {f"test {n}" for n in range(10)}
    assert [len(part) for part in read(test=test).values()] == [36, 4, 10]


def test_what_is_held_out_is_held_out_in_whole_groups(read: Read, tmp_path: Path) -> None:
    write(tmp_path / "train.jsonl", 60, product=lambda n: f"product {n // 4}")
    for given in ({}, {"test": write(tmp_path / "test.jsonl", 6, "new")}):  # which needs no groups
        found = read(group_column="product", **given)
        groups = [{review.group for review in found[part]} for part in found if part not in given]
        assert sum(map(len, groups)) == len(set.union(*groups)) == 15
        assert all(groups)


@pytest.mark.parametrize("keys", [(1, 5), ("1", "5"), (1.0, 5.0)], ids=["whole", "text", "decimal"])
def test_labels_mean_what_is_said_and_rows_with_others_are_left_out_and_counted(
    files_config: Callable[..., DataConfig], tmp_path: Path, keys: tuple[Any, Any]
) -> None:
    path = write(tmp_path / "train.jsonl", 100, label=lambda n: [1, 5, 3, 5.0, "1"][n % 5])
    test = write(tmp_path / "test.jsonl", 10, "new", label=lambda n: [5, 1, 2, None, " 5 "][n % 5])
    config = files_config(labels={keys[0]: "negative", keys[1]: "positive"}, test=test)
    parts = source_of(config).read()
    positive = {review.text for part in ("train", "validation") for review in parts[part] if review.label}
    assert positive == {f"text {n}" for n in range(100) if n % 5 in (1, 3)}
    assert {review.text: review.label for review in parts["test"]} == {
        f"new {n}": int(n % 5 != 1) for n in range(10) if n % 5 in (0, 1, 4)
    }
    assert load_corpus(source_of(config), config).notes[:2] == (
        f"data.labels: rows of {path} with another label, left out: 20",
        f"data.labels: rows of {test} with another label, left out: 4",
    )


def test_another_meaning_of_the_labels_is_another_corpus_and_another_run(
    files_config: Callable[..., DataConfig],
) -> None:
    meanings = [None, {0: "negative", 1: "positive"}, {0: "positive", 1: "negative"}]
    assert len({source_of(files_config(labels=meaning)).fingerprint() for meaning in meanings}) == 3
    first, _, swapped = (source_of(files_config(labels=meaning)).read() for meaning in meanings)
    assert [1 - review.label for review in first["test"]] == [review.label for review in swapped["test"]]


def test_the_fingerprint_is_of_the_content_and_not_of_the_time(
    files_config: Callable[..., DataConfig], tmp_path: Path
) -> None:
    path = tmp_path / "train.jsonl"
    first = source_of(files_config()).fingerprint()
    os.utime(path, (1, 1))
    assert source_of(files_config()).fingerprint() == first
    assert source_of(files_config(split_seed=1)).fingerprint() != first
    path.write_text(path.read_text().replace("text 7", "text seven"))
    assert source_of(files_config()).fingerprint() != first


@pytest.mark.parametrize("seed", range(5))
def test_copies_that_differ_in_case_and_spaces_alone_are_in_one_part(read: Read, tmp_path: Path, seed: int) -> None:
    rows = [{"text": text, "label": n % 2} for n in range(90) for text in (f"Row  {n} ", f"row {n}")]
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    parts = [
        {text.lower().split()[1] for text in texts(part)}
        for part in read(split_seed=seed, validation_fraction=0.3).values()
    ]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 90


def test_a_vocabulary_that_lacks_a_third_of_the_tokens_is_said(
    files_config: Callable[..., DataConfig], tmp_path: Path
) -> None:
    parts = {part: write(tmp_path / f"{part}.jsonl", 6, part) for part in ("validation", "test")}
    config = files_config(**parts, minimum_frequency=2)  # of "text 0" to "text 39" no number
    (note,) = load_corpus(source_of(config), config).notes
    assert note.startswith("data=files: 50% of train's tokens are too rare for its vocabulary; give another data.tok")


@pytest.mark.parametrize(
    ("word", "notes"),
    [
        ("text", ["10 of 10 validation texts are in train too"]),
        ("new", ["6 of 6 test texts are in train or validation too"]),
        ("other", []),
    ],
)
def test_texts_of_an_earlier_part_in_another_one_are_counted_each_time(
    files_config: Callable[..., DataConfig], tmp_path: Path, word: str, notes: list[str]
) -> None:
    validation, test = write(tmp_path / "validation.jsonl", 10, word), write(tmp_path / "test.jsonl", 6, "new")
    config = files_config(validation=validation, test=test)
    for _ in range(2):
        found = load_corpus(source_of(config), config).notes
        assert [note.partition(";")[0].removeprefix("data=files: ") for note in found] == notes


def test_what_is_held_out_is_said_each_time(files_config: Callable[..., DataConfig], tmp_path: Path) -> None:
    def notes(**given: str) -> list[str]:
        config = files_config(**given)
        return [note for _ in range(2) for note in load_corpus(source_of(config), config).notes]

    path = tmp_path / "train.jsonl"
    held_out = "data=files: no data.{}, so {} texts of {} are held out for it (texts)".format
    assert notes() == [held_out("test", 8, path), held_out("validation", 3, path)] * 2
    assert notes(test=write(tmp_path / "test.jsonl", 6, "new")) == [held_out("validation", 4, path)] * 2


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"train": "nowhere.csv"}, "data.train=nowhere.csv: no such file"),
        ({"labels": {0: "negative"}}, "data.labels={0: negative}: expected labels that mean negative and others that"),
        ({"labels": {4: "negative", 5: "positive"}}, "train.jsonl: no row has a label of data.labels: 4, 5"),
        ({"validation_fraction": 1.0}, "data.validation_fraction=1.0: expected a number above 0 and below 1"),
        ({"test_fraction": 0.001}, "data.test_fraction=0.001: leaves 40 reviews and holds 0 out"),
        ({"text_column": "body"}, "no column body; it has text, label; name another with data.text_column=…"),
    ],
)
def test_settings_that_do_not_fit_the_file_are_refused_in_one_line(
    read: Read, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(UserError) as refused:
        read(**changes)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"label": lambda n: 1}, "data.train: all 29 texts are positive; expected both labels"),
        ({"label": lambda n: n % 6}, "line 3: its label is '2'.*'data.labels={1: negative, 5: positive}'"),
        ({"text": lambda n: " " if n == 4 else f"text {n}"}, "train.jsonl, line 5: no text"),
        ({"product": lambda n: None if n == 4 else n}, "train.jsonl, line 5: no product"),
    ],
)
def test_rows_that_do_not_fit_are_refused(
    read: Read, tmp_path: Path, columns: dict[str, Callable[[int], Any]], said: str
) -> None:
    write(tmp_path / "train.jsonl", 40, **columns)
    with pytest.raises(UserError, match=said):
        read(group_column="product" if "product" in columns else None)
