"""Reviews of one's own in files: from a CSV to a registered model that answers, and what is refused."""

import csv
import gzip
import json
import random
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra

from processes import run_command
from sentiment_rnn.cli.main import main
from sentiment_rnn.config.loading import source_of
from sentiment_rnn.config.run import ReviewConfig
from sentiment_rnn.config.store import run_config
from sentiment_rnn.data.datamodule import ReviewData
from stored_runs import runs_in

SMALL = (
    "data=files", "data.batch_size=20", "data.minimum_frequency=1", "encoder.hidden_size=8", "embedding.size=8",
    "trainer.epochs=1", "trainer.threads=1", "tracking.system_metrics=false", "optimizer.learning_rate=0.03",
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
    trained = run_command("train", folder, "-m", *SMALL, *files, "encoder=rnn,bag", "study=own", status=0).stdout
    compared = run_command("compare", folder, "own", "--register", "--model", "mine", status=0).stdout
    return folder, trained, compared


def test_a_csv_becomes_a_registered_model_of_the_name_that_answers(used: tuple[Path, str, str]) -> None:
    folder, _, compared = used
    assert "registered as mine@champion, version " in compared
    assert "registered as mine@bag, version " in compared
    asked = run_command("predict", folder, "--model", "mine@champion", "--json", "good great", "", status=0)
    answers = [json.loads(line) for line in asked.stdout.splitlines()]
    assert [answer["label"] is None for answer in answers] == [False, True]
    assert answers[0]["known_tokens"] == 2


def test_without_a_name_for_its_model_nothing_is_registered_and_nothing_written(
    used: tuple[Path, str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _, _ = used
    line = refused(monkeypatch, capsys, folder, "compare", "own", "--register", "--output", "compared")
    assert "runs on data=files" in line
    assert line.endswith("give --model NAME")
    assert not (folder / "compared").exists()


def test_the_runs_record_the_files_as_their_data(used: tuple[Path, str, str]) -> None:
    folder, _, _ = used
    client, runs = runs_in(folder)
    trained = [run for run in runs if "encoder" in run.data.tags]
    assert {run.data.params["data.train"] for run in trained} == {"reviews.csv"}
    assert {run.inputs.dataset_inputs[0].dataset.name for run in trained} == {"files"}
    assert {name.name for name in client.search_registered_models()} == {"mine"}


def test_texts_of_train_in_test_are_counted_and_what_is_held_out_is_said(used: tuple[Path, str, str]) -> None:
    _, trained, _ = used
    assert "data=files: 2 of 62 test texts are in train too; the test score reads too high" in trained
    assert "no data.validation, so 16 of 200 texts of reviews.csv are held out for it (whole groups of product)" in (
        " ".join(trained.split())
    )
    assert "no data.test" not in trained


def test_few_training_steps_are_said_once_with_the_key_that_sets_them(used: tuple[Path, str, str]) -> None:
    said = " ".join(used[1].split())
    assert (
        said.count("trainer.epochs=1: makes 10 training steps, and with fewer than 400 encoders often stay near") == 1
    )
    assert "give trainer.epochs=40 or more" in said


def test_without_other_files_parts_of_the_one_are_held_out_in_whole_groups(
    tmp_path: Path,
) -> None:
    rows = reviews()
    path = written(tmp_path / "reviews.csv", rows)
    source = source_of(of(f"data.train={path}", "data.group_column=product").data)
    parts = source.read()
    assert {part: len(found) for part, found in parts.items()} == {"train": 144, "validation": 16, "test": 40}
    groups = {part: {review.group for review in found} for part, found in parts.items()}
    assert not groups["train"] & groups["test"]
    assert not groups["validation"] & (groups["train"] | groups["test"])
    assert sorted(review.text for found in parts.values() for review in found) == sorted(text for text, *_ in rows)
    said = " ".join(source.notes(parts))
    assert "40 of 200 texts" in said
    assert "too high" not in said


def test_another_place_or_form_of_the_same_texts_is_the_same_experiment_and_other_texts_are_not(tmp_path: Path) -> None:
    def identity(path: Path) -> str:
        config = of(f"data.train={path}", f"data.directory={tmp_path}/data")
        data = ReviewData(config.data)
        return config.identity(data.corpus.digest, "")

    rows = reviews(80)
    first = identity(written(tmp_path / "a.csv", rows))
    (tmp_path / "there").mkdir()
    assert identity(written(tmp_path / "there" / "b.csv", rows)) == first
    packed = tmp_path / "c.csv.gz"
    packed.write_bytes(gzip.compress((tmp_path / "a.csv").read_bytes()))
    assert identity(packed) == first
    (tmp_path / "d.jsonl").write_text("".join(json.dumps({"text": t, "label": y}) + "\n" for t, y, _ in rows))
    assert identity(tmp_path / "d.jsonl") == first
    assert identity(written(tmp_path / "a.csv", [("another text", 1, "p0"), *rows[1:]])) != first


def no_label(rows: list[Row]) -> list[Row]:
    return [(text, "maybe" if n == 4 else label, product) for n, (text, label, product) in enumerate(rows)]


def one_class(rows: list[Row]) -> list[Row]:
    return [(text, 1, product) for text, _, product in rows]


def holes(rows: list[Row]) -> list[Row]:
    return [(text, label, "" if n == 6 else product) for n, (text, label, product) in enumerate(rows)]


def no_text(rows: list[Row]) -> list[Row]:
    return [(" " if n == 1 else text, label, product) for n, (text, label, product) in enumerate(rows)]


def nothing(rows: list[Row]) -> list[Row]:
    return []


BAD: list[tuple[Callable[[list[Row]], list[Row]] | None, str, str]] = [
    (
        None,
        "data.text_column=review",
        "no column review; it has text, label, product; name another with data.text_column",
    ),
    (
        None,
        "data.label_column=stars",
        "no column stars; it has text, label, product; name another with data.label_column",
    ),
    (
        None,
        "data.group_column=film",
        "no column film; it has text, label, product; name another with data.group_column",
    ),
    (one_class, "", "data.train: all 29 texts are positive; expected both labels"),
    (no_label, "", "train.csv, line 6: its label is 'maybe'; expected two classes, 0 or 1, neg or pos"),
    (nothing, "", "train.csv: no rows; expected a text in each"),
    (holes, "data.group_column=product", "train.csv, line 8: no product; every row needs one"),
    (no_text, "", "train.csv, line 3: no text; every row needs one"),
    (None, "data.train=none.csv", "data.train=none.csv: no such file; expected .csv, .tsv, .jsonl or .parquet"),
    (None, "data.test=none.csv", "data.test=none.csv: no such file"),
    (None, "data.train=empty.csv", "empty.csv: no column text and no column label; it has nothing"),
    (None, "data.train=train.docx", "train.docx: expected a file named .csv, .tsv, .jsonl, .parquet"),
    (None, "data.test_fraction=1", "data.test_fraction=1.0: expected a fraction between 0 and 1"),
    (None, "data.validation_fraction=0.001", "data.validation_fraction=0.001: leaves "),
    (None, "data.train=???", "data.train: not given, and files needs it; give data.train=…"),
]


@pytest.mark.parametrize(("change", "override", "said"), BAD)
def test_a_bad_file_is_one_line_and_leaves_nothing_half_written(
    change: Callable[[list[Row]], list[Row]] | None, override: str, said: str,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    rows = reviews(40)
    written(tmp_path / "train.csv", change(rows) if change else rows)
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "train.docx").write_text("")
    before = {path.name for path in tmp_path.iterdir()}
    overrides = [*SMALL, "data.train=train.csv", *([override] if override else [])]
    line = refused(monkeypatch, capsys, tmp_path, "train", *overrides)
    assert said in line
    assert {path.name for path in tmp_path.iterdir()} <= {*before, "data"}
    assert {path.name for path in (tmp_path / "data").rglob("*") if path.is_file()} <= {".lock"}


def test_a_model_name_that_mlflow_refuses_is_one_line_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    line = refused(monkeypatch, capsys, tmp_path, "compare", "--register", "--model", "mine/2")
    assert line.startswith("error: --model mine/2: no name for a registered model; use letters")
    assert list(tmp_path.iterdir()) == []


def refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path, *arguments: str) -> str:
    """The one line that a command prints before it leaves with a non-zero status."""
    GlobalHydra.instance().clear()
    monkeypatch.chdir(folder)
    monkeypatch.setattr("sys.argv", ["sentiment-rnn", *arguments])
    monkeypatch.setenv("SENTIMENT_RNN_COMMAND", "")  # which the command sets, for this test alone
    with pytest.raises(SystemExit) as left:
        main()
    said = capsys.readouterr().err if isinstance(left.value.code, int) else str(left.value.code)
    assert left.value.code not in (0, None)
    (line,) = said.strip().splitlines()
    return line
