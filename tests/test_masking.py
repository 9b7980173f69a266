"""No secret is written: not in messages, log lines, recorded configurations, nor in the files of Hydra."""

import logging
import sys
import time
from pathlib import Path

import pytest

from processes import Ask
from sentiment_rnn.config.store import run_config
from sentiment_rnn.engine.train import train
from sentiment_rnn.errors import UserError
from sentiment_rnn.masking import mask_file, mask_output, masked, masked_command, masked_settings
from sentiment_rnn.tracking.origin import command_line
from stored_runs import last_run

SECRET = "hunter2hunter2"
TINY = (
    "task=adding", "task.steps=4", "task.batch_size=4", "task.batches=2", "task.test_sequences=8", "trainer=cpu",
    "encoder.hidden_size=4", "trainer.epochs=1", "trainer.threads=1", "tracking.system_metrics=false",
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"http://user:{SECRET}@host:5000/path", "http://***@host:5000/path"),
        (f"https://{SECRET}@host", "https://***@host"),
        (f"http://user:{SECRET}@more@host/", "http://***@host/"),
        (f"postgresql+psycopg://me:{SECRET}@host/db", "postgresql+psycopg://***@host/db"),
        (f"http://host/?token={SECRET}&page=2", "http://host/?token=***&page=2"),
        (f"data.api_key={SECRET} seed=1", "data.api_key=*** seed=1"),
        (f'{{"password": "{SECRET}", "a": 1}}', '{"password": ***, "a": 1}'),
        ("data.tokenizer=basic_english data.max_tokens=400", "data.tokenizer=basic_english data.max_tokens=400"),
        ("http://127.0.0.1:5000 and a@b.c", "http://127.0.0.1:5000 and a@b.c"),
    ],
)
def test_a_secret_is_found_by_its_place(text: str, shown: str) -> None:
    assert masked(text) == shown


LONG = 1_000_000


@pytest.mark.parametrize(
    "unit",
    ["\u4e2d", "a", "a.", "-", "'", '"', "password", "password-", "password='", "password \"'", "://", "@", "t "],
)
def test_a_million_characters_are_masked_in_a_second(unit: str) -> None:
    text = unit * (LONG // len(unit))
    before = time.process_time()
    masked(text)
    masked_command([text])
    assert time.process_time() - before < 1


@pytest.mark.parametrize("start", ["password", "password=", "password='", "http://"])
def test_so_are_a_million_behind_one_that_could_begin_a_secret(start: str) -> None:
    for end in (" " * LONG, "a" * LONG):
        before = time.process_time()
        masked(start + end)
        assert time.process_time() - before < 1


def test_the_values_of_variables_are_masked_wherever_they_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", SECRET)
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "tiny")  # found in ordinary words
    assert masked(f"said {SECRET} aloud, and tiny") == "said *** aloud, and tiny"


@pytest.mark.parametrize("value", [SECRET, f"'{SECRET}'", f"{SECRET} {SECRET}", f"[{SECRET},{SECRET}]"])
@pytest.mark.parametrize("name", ["data.token", "+data.api_key", "--password"])
def test_a_word_of_a_command_that_is_named_as_a_secret_is_masked_to_its_end(name: str, value: str) -> None:
    words = ["sentiment-rnn", "train", f"{name}={value}", "study=a b", "data.tokenizer=basic_english"]
    assert masked_command(words) == f"sentiment-rnn train '{name}=***' 'study=a b' data.tokenizer=basic_english"
    shown = masked_settings({name: [value, {"a": value}], "data.other_token": None})
    assert shown == {name: "***", "data.other_token": None}


def test_no_secret_of_this_process_is_in_its_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SENTIMENT_RNN_COMMAND", raising=False)
    monkeypatch.setattr(sys, "argv", ["train", f"data.token='{SECRET}'"])
    assert command_line() == "train 'data.token=***'"


def test_settings_are_masked_by_value_and_by_name() -> None:
    settings = {"uri": f"http://u:{SECRET}@h", "token": SECRET, "nested": {"list": [f"password={SECRET}"]}, "seed": 1}
    assert masked_settings(settings) == {
        "uri": "http://***@h", "token": "***", "nested": {"list": ["password=***"]}, "seed": 1,
    }  # fmt: skip


def test_an_error_of_the_user_is_masked_when_it_is_made() -> None:
    assert str(UserError(f"tracking.uri=http://u:{SECRET}@h: no answer")) == "tracking.uri=http://***@h: no answer"


def test_log_lines_and_their_tracebacks_are_masked(caplog: pytest.LogCaptureFixture) -> None:
    before = logging.getLogRecordFactory()
    try:
        mask_output()
        mask_output()  # once more changes nothing
        try:
            raise ValueError(f"http://u:{SECRET}@h")
        except ValueError:
            logging.getLogger("a.library").exception("no answer from %s", f"http://u:{SECRET}@h")
    finally:
        logging.setLogRecordFactory(before)
    assert "no answer from http://***@h" in caplog.text
    assert "ValueError: http://***@h" in caplog.text
    assert SECRET not in caplog.text


def test_a_file_is_rewritten_only_where_it_holds_a_secret(tmp_path: Path) -> None:
    path = tmp_path / "overrides.yaml"
    path.write_text("- seed=1\n")
    unchanged = path.stat().st_mtime_ns
    mask_file(path)
    assert path.stat().st_mtime_ns == unchanged
    path.write_text(f"- tracking.uri=http://u:{SECRET}@h\n")
    mask_file(path)
    assert path.read_text() == "- tracking.uri=http://***@h\n"
    assert list(tmp_path.iterdir()) == [path]


def test_no_secret_reaches_a_file_of_a_sweep(ask: Ask, tmp_path: Path) -> None:
    """Neither the run's nor those that Hydra writes of each job."""
    ask("train", tmp_path, "-m", *TINY, f"tracking.directory={tmp_path}/runs", f"study=http://u:{SECRET}@h")
    written = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert {"multirun.yaml", "overrides.yaml", "config.yaml"} <= {path.name for path in written}
    assert {path for path, content in written.items() if SECRET.encode() in content} == set()


def test_no_secret_reaches_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENTIMENT_RNN_COMMAND", f"sentiment-rnn train token={SECRET}")
    config = run_config(
        *TINY,
        f"tracking.directory={tmp_path}/runs", f"study=http://u:{SECRET}@h",
    )  # fmt: skip
    train(config, [f"study=http://u:{SECRET}@h", f"data.api_key={SECRET}"])
    client, run = last_run(tmp_path)
    assert run.data.params["study"] == "http://***@h"
    written = [str(run.data.tags), str(run.data.params)]
    for artifact in client.list_artifacts(run.info.run_id):
        written.append(Path(client.download_artifacts(run.info.run_id, artifact.path)).read_text(encoding="utf-8"))
    assert SECRET not in "".join(written)
