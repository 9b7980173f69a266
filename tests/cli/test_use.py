"""Who has trained a sweep can compare it, register it, ask its models, score them, look into them and serve them."""

import csv
import io
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
import requests
from mlflow.entities import Run
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

import in_process
from processes import LIBRARY_WARNING, Ask, environment, free_port, run_python, wait_for_answer
from sentiment_rnn.config import CONFIGURATION
from sentiment_rnn.config.loading import source_of
from sentiment_rnn.config.sections import TrackingConfig
from sentiment_rnn.errors import UserError
from sentiment_rnn.inference.predictions import Predictions
from sentiment_rnn.report.pages import OF_THE_GRAMMAR
from sentiment_rnn.tracking.models import register
from sentiment_rnn.tracking.results import RecordedRun
from sentiment_rnn.tracking.store import Store, existing_store
from sentiment_rnn.tracking.sweeps import find_sweep

SMALL = [
    "data=generated", "data.train_reviews=400", "data.test_reviews=100", "data.max_lag=10", "data.batch_size=20",
    "encoder.hidden_size=16", "embedding.size=8", "trainer.epochs=2", "trainer.threads=1",
    "tracking.system_metrics=false", "trainer=cpu", "optimizer.learning_rate=0.01",
]  # fmt: skip


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a sweep of two encoders, compared, so that their best are registered."""
    folder = tmp_path_factory.mktemp("use")
    in_process.ask("train", folder, "-m", *SMALL, "study=mine", "encoder=rnn,lstm")
    said = in_process.ask("compare", folder, "mine", "--register").stdout
    assert "registered as demo@champion, version " in said
    assert "registered as demo@rnn, version " in said
    return folder


@pytest.fixture(scope="module")
def store(compared: Path) -> Store:
    """Its store."""
    return existing_store(TrackingConfig(None, str(compared / "runs"), "sentiment_rnn"))


def run_of(store: Store, alias: str) -> Run:
    """The run of a registered model."""
    return store.client.get_run(store.client.get_model_version_by_alias("demo", alias).run_id)


def test_a_command_says_which_registered_model_answers(compared: Path, store: Store, ask: Ask) -> None:
    run = run_of(store, "champion")
    encoder, accuracy = run.data.tags["encoder"], 100 * run.data.metrics["val/best_accuracy"]
    line = f"demo@champion: {encoder}, trained on data=generated, {accuracy:.1f} % on 40 validation texts"
    for which in ((), ("--model", "demo"), ("--model", "demo@champion")):
        assert ask("predict", compared, *which, "good").stderr.splitlines()[0] == line
    assert "demo@champion" not in ask("predict", compared, "--run", run.info.run_id, "good").stderr


def test_a_model_of_real_reviews_is_asked_before_that_of_the_demo(compared: Path, store: Store, ask: Ask) -> None:
    register(store, "sentiment", "champion", run_of(store, "rnn").info.run_id)
    assert ask("predict", compared, "good").stderr.startswith("sentiment@champion: rnn, ")
    store.client.delete_registered_model("sentiment")
    assert ask("predict", compared, "good").stderr.startswith("demo@champion: ")


@pytest.mark.parametrize(("stdin", "said"), [(None, "standard input is closed"), (b"\xff\xfe", "not UTF-8")])
def test_standard_input_that_is_closed_or_no_text_is_one_line(
    stdin: bytes | None, said: str, compared: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", stdin and io.TextIOWrapper(io.BytesIO(stdin)))
    assert said in ask("predict", compared, "-", status=1).stderr


def test_the_beginning_of_an_id_names_a_run_or_a_sweep(compared: Path, store: Store, ask: Ask) -> None:
    run = run_of(store, "rnn")
    whole, sweep = run.info.run_id, run.data.tags["mlflow.parentRunId"]
    answered = ask("predict", compared, "--run", whole, "good").stdout
    assert ask("predict", compared, "--run", whole[:8], "good").stdout == answered
    assert "rnn" in ask("compare", compared, sweep[:8]).stdout
    assert f"{whole}: a single run; expected a sweep" in ask("compare", compared, whole[:8], status=1).stderr


def test_what_a_store_refuses_to_keep_is_written_and_shown_all_the_same(
    compared: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(*_: object) -> None:
        raise UserError("the server refuses this user (403)")

    monkeypatch.setattr("sentiment_rnn.tracking.sweeps.log_comparison", refuse)
    said = ask("compare", compared, "mine", "--register", "--output", f"{tmp_path}/compared", status=1)
    assert {path.name for path in (tmp_path / "compared").iterdir()} == {"table.md", "results.csv", "comparison.png"}
    assert "registered" not in said.stdout
    assert said.stderr == "error: the server refuses this user (403)\n"


LOADING = """
import sys, pandas, mlflow.pyfunc
model = mlflow.pyfunc.load_model(sys.argv[1])
answers = model.predict(pandas.read_json(sys.argv[2], lines=True, dtype=False))
answers.to_json(sys.argv[3], orient="records", lines=True, double_precision=15)
"""


def test_mlflow_alone_gives_a_runs_own_test_predictions_in_a_place_of_its_own(
    compared: Path, store: Store, tmp_path: Path
) -> None:
    run = run_of(store, "lstm")
    recorded = Predictions.load(
        Path(store.client.download_artifacts(run.info.run_id, "predictions/test.npz", str(tmp_path)))
    )
    version = store.client.get_model_version_by_alias("demo", "lstm")
    shutil.copytree(Path(version.source.removeprefix("file://")), tmp_path / "model")
    source = source_of(RecordedRun(store, run).config.data)
    texts = [review.text for review in source.read()["test"]]
    (tmp_path / "texts.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    run_python(LOADING, "model", "texts.jsonl", "answers.jsonl", folder=tmp_path)
    answers = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
    np.testing.assert_array_equal(
        np.array([answer["probability"] for answer in answers], dtype=np.float32), recorded.probabilities
    )
    assert [answer["label"] == "positive" for answer in answers] == (recorded.probabilities > 0.5).tolist()


def test_predict_answers_arguments_standard_input_and_a_file_alike(
    ask: Ask, compared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ["i really liked the movie .", "", "the seats were <b>awful</b> & zzz", "😀"]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("\n".join(texts).encode())))
    (tmp_path / "texts.csv").write_text("text\n" + "".join(f'"{text}"\n' for text in texts))
    answers = [
        ask("predict", compared, "--json", *texts).stdout,
        ask("predict", compared, "--json", "-").stdout,
        ask("predict", compared, "--json", "--file", str(tmp_path / "texts.csv")).stdout,
    ]
    assert answers[0] == answers[1] == answers[2]
    rows = [json.loads(line) for line in answers[0].splitlines()]
    assert len(rows) == 4
    assert rows[1] == {"label": None, "probability": None, "known_tokens": 0, "unknown_tokens": 0}
    assert rows[3]["unknown_tokens"] == 1
    shown = ask("predict", compared, *texts).stdout
    assert len(shown.splitlines()) == 5
    assert "<b>awful</b>" in shown


def test_a_run_and_a_folder_can_be_asked_too(
    ask: Ask, compared: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = store.client.get_model_version_by_alias("demo", "rnn")
    folder = Path(version.source.removeprefix("file://"))
    monkeypatch.setenv("HOME", str(folder.parent))
    by_alias, by_version, by_run, by_folder = (
        ask("predict", compared, "--json", *which, "good").stdout
        for which in (
            ("--model", "demo@rnn"),
            ("--model", f"models:/demo/{version.version}"),
            ("--run", version.run_id),
            ("--model", f"~/{folder.name}"),
        )
    )
    assert by_alias == by_version == by_run == by_folder


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--run", "none", "good"), "run=none: no such run"),
        (("--run", "", "good"), "run=: no such run"),
        (("--model", "demo@none", "good"), "model=demo@none: not in"),
        (("--model", "other", "good"), "model=other: not in"),
        (("--model", "demo/9", "good"), "model=demo/9: not in"),
        (("--model", "models:/", "good"), "compare --register registers a sweep's best"),
        (("--model", "./runs", "good"), "no MLflow model of this project"),
        (("--store", "nowhere", "good"), "--store=nowhere: no runs there"),
        (("--run", "a", "--model", "b", "good"), "two models"),
        (("--file", "none.csv"), "none.csv: cannot be read"),
        (("--file", "none.csv", "good"), "give one or the other"),
    ],
)
def test_what_predict_cannot_do_is_one_line(ask: Ask, compared: Path, arguments: tuple[str, ...], said: str) -> None:
    done = ask("predict", compared, *arguments, status=1)
    (line,) = [line for line in done.stderr.strip().splitlines() if not line.startswith("demo@champion: ")]
    assert said in line
    assert done.stdout == ""


def test_evaluate_finds_the_runs_own_score_and_records_it_under_the_run(
    ask: Ask, compared: Path, store: Store, tmp_path: Path
) -> None:
    run = run_of(store, "champion")
    reviews = source_of(RecordedRun(store, run).config.data).read()
    rows = [{"Text": review.text, "Sentiment": review.label, "id": n // 2} for n, review in enumerate(reviews["test"])]
    (tmp_path / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    columns = ("--text", "Text", "--label", "Sentiment", "--id", "id")
    ask("evaluate", compared, str(tmp_path / "test.jsonl"), *columns)
    (recorded,) = (
        child for child in store.client.search_runs([store.experiment_id])
        if child.data.tags.get("sentiment_rnn.evaluation") == "test.jsonl"
    )  # fmt: skip
    assert recorded.data.tags["mlflow.parentRunId"] == run.info.run_id
    assert recorded.data.metrics["accuracy"] == pytest.approx(run.data.metrics["test/accuracy"])
    assert recorded.data.metrics["loss"] == pytest.approx(run.data.metrics["test/loss_calibrated"], abs=1e-5)
    assert 0 <= recorded.data.metrics["consistency"] <= recorded.data.metrics["accuracy"]
    artifacts = {item.path for item in store.client.list_artifacts(recorded.info.run_id)}
    assert {"table.md", "figures"} <= artifacts
    seen = tmp_path / "train.csv"
    seen.write_text(
        "text,label\n" + "".join(f'"{r.text}",{r.label}\n' for r in [*reviews["train"][:29], reviews["validation"][0]])
    )
    warned = ask("evaluate", compared, str(seen), "--no-log").stdout
    assert "note: this model has read generated reviews alone" in warned
    assert "trained or chosen on 30" in warned
    assert json.loads(ask("evaluate", compared, str(seen), "--json", "--no-log").stdout)["texts"] == 30


def test_inspect_writes_a_page_of_two_models_side_by_side(
    ask: Ask, compared: Path, store: Store, tmp_path: Path
) -> None:
    said = ask(
        "inspect", compared, "--model", "demo@lstm", "--against", run_of(store, "rnn").info.run_id[:8],
        "--output", str(tmp_path / "page.html"), "i liked the movie . the seats were awful .",
    ).stdout  # fmt: skip
    assert said.count("; moved most by “") == 2
    assert said.splitlines()[-1] == f"page: {(tmp_path / 'page.html').as_uri()}"
    page = (tmp_path / "page.html").read_text()
    assert page.count("data-model=") == 2
    assert "nothing to inspect" in ask("inspect", compared, " ", status=1).stderr


@pytest.fixture(scope="module")
def serving(compared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, psutil.Process]]:
    """Address and process of a server with its page. At its end it leaves nothing of the models behind."""
    port, temporary = free_port(), tmp_path_factory.mktemp("served")
    process = subprocess.Popen(
        [sys.executable, "-m", "sentiment_rnn", "serve", "--port", str(port)],
        cwd=compared, env=environment() | {"TMPDIR": str(temporary)}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True,
    )  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    wait_for_answer(f"{address}/ping", process)
    yield address, psutil.Process(process.pid)
    assert list(temporary.iterdir())
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert not list(temporary.iterdir())
    assert not re.search(f"Traceback|ERROR|{LIBRARY_WARNING.pattern}", output, re.MULTILINE), output


@pytest.fixture
def server(serving: tuple[str, psutil.Process]) -> str:
    """Its address."""
    return serving[0]


def test_curl_gets_what_predict_says(ask: Ask, compared: Path, server: str) -> None:
    if not shutil.which("curl"):
        pytest.skip("no curl here")
    done = subprocess.run(
        ["curl", "-s", f"{server}/invocations", "-H", "Content-Type: application/json", "-d",
         '{"inputs": {"text": ["i really liked the movie", "awful"]}}'],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    said = ask("predict", compared, "--json", "i really liked the movie", "awful").stdout
    answers = json.loads(done.stdout)["predictions"]
    for line, answer in zip(said.splitlines(), answers, strict=True):
        assert json.loads(line) == answer | {"probability": round(answer["probability"], 6)}


def test_a_body_of_two_hundred_megabytes_is_a_clear_413_and_takes_no_memory(
    serving: tuple[str, psutil.Process],
) -> None:
    address, process = serving
    body = json.dumps({"inputs": {"text": ["good film " * 20_000_000]}}).encode()
    Path(f"/proc/{process.pid}/clear_refs").write_text("5")  # the peak is that of now
    before = process.memory_info().rss
    # A client that keeps its connection, as curl and browsers do: another one sees the connection end while it sends.
    refused = requests.post(f"{address}/invocations", body, headers={"Content-Type": "application/json"})
    assert (refused.status_code, refused.text) == (413, "Content Too Large")
    peak = re.findall(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())
    assert 1024 * int(peak[0]) - before < 20_000_000


def test_a_text_that_raises_doubt_is_answered_with_the_reason(server: str) -> None:
    rnn, lstm = requests.post(f"{server}/typed", json={"text": "zebra quasar"}, timeout=60).json()
    assert (rnn["name"], lstm["name"]) == ("rnn", "lstm")
    assert (rnn["tokens"], rnn["unknown"]) == (2, 2)
    assert rnn["doubts"][0] == "a third or more of the words are unknown"
    assert requests.post(f"{server}/typed", json={"text": 5}, timeout=60).status_code == 400


def test_a_typed_review_is_answered_by_both_encoders(server: str, open_page: Callable[[str], webdriver.Chrome]) -> None:
    chromium = open_page(server)
    wait = WebDriverWait(chromium, 60)
    box = wait.until(lambda page: page.find_element(By.TAG_NAME, "textarea"))

    def answers() -> dict[str, str]:
        found = chromium.find_elements(By.CSS_SELECTOR, "#answers .answer")
        return {str(answer.get_attribute("data-model")): answer.text for answer in found}

    wait.until(lambda _: set(answers()) == {"rnn", "lstm"})
    assert all("waits for a word" in text for text in answers().values())
    box.send_keys("i really liked")
    wait.until(lambda _: all("(3 tokens" in text for text in answers().values()))
    assert all("warning: shorter than any text in training" in text for text in answers().values())
    box.send_keys(" the movie")
    wait.until(lambda _: all("(5 tokens" in text for text in answers().values()))
    assert all("% positive" in text for text in answers().values())
    chromium.find_element(By.XPATH, f"//button[.='{OF_THE_GRAMMAR[0]}']").click()
    wait.until(lambda _: all("(12 tokens)" in text for text in answers().values()))
    assert box.get_attribute("value") == OF_THE_GRAMMAR[0]
    assert all("warning" not in text for text in answers().values())
    assert [entry for entry in chromium.get_log("browser") if entry["level"] == "SEVERE"] == []


def test_make_ui_prints_the_way_to_the_runs(compared: Path, tmp_path: Path) -> None:
    programs = tmp_path / "venv" / "bin"
    programs.mkdir(parents=True)
    (programs / "python").symlink_to(sys.executable)
    (programs / "mlflow").symlink_to("/bin/true")
    makefile = Path(CONFIGURATION).parent / "Makefile"
    venv = programs.parent
    asked = [
        "make",
        "--no-print-directory",
        "-f",
        str(makefile),
        "-o",
        f"{venv}/.ready",
        "ui",
        f"VENV={venv}",
        "PORT=5",
    ]
    for store, way in (
        (compared / "runs", "experiments/1/runs?viewStateShareKey=sweep&"),
        (tmp_path / "none", "experiments?"),
    ):
        done = subprocess.run([*asked, f"STORE={store}"], capture_output=True, text=True, check=True, timeout=60)
        assert done.stdout == f"http://127.0.0.1:5/#/{way}workflowType=machine_learning  (Ctrl-C stops it)\n"
    assert not (tmp_path / "none").exists()


def test_a_port_that_is_taken_is_one_line(ask: Ask, compared: Path, server: str) -> None:
    port = server.rpartition(":")[2]
    assert f"--port={port}: Address already in use" in ask("serve", compared, "--port", port, status=1).stderr


def test_an_address_that_others_reach_is_served_with_a_warning(
    ask: Ask, compared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listening: list[str] = []
    monkeypatch.setattr("uvicorn.Server.run", lambda _, sockets: listening.append(sockets[0].getsockname()[0]))
    here = ask("serve", compared, "--no-page", "--port", "0")
    everywhere = ask("serve", compared, "--no-page", "--port", "0", "--host", "0.0.0.0")
    assert re.search(r"POST http://127\.0\.0\.1:\d\d+/invocations", here.stdout)
    assert listening == ["127.0.0.1", "0.0.0.0"]
    assert "warning" not in here.stderr
    (line,) = (line for line in everywhere.stderr.splitlines() if line.startswith("warning: --host=0.0.0.0: "))
    assert "whoever reaches this machine" in line
    assert f"It answers to 127.0.0.1, localhost, [::1], 0.0.0.0, {socket.gethostname()}, " in line


def test_the_page_has_the_served_model_whatever_its_encoder(
    ask: Ask, compared: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("uvicorn.Server.run", lambda *_: None)
    for alias, encoder in (("champion", "lstm"), ("rnn", "rnn")):
        register(store, "sentiment", alias, run_of(store, encoder).info.run_id)
    shown = ask("serve", compared, "--port", str(free_port())).stdout
    store.client.delete_registered_model("sentiment")
    assert "page, with rnn and lstm: " in shown
    assert "--allow-host=a*: expected a name" in ask("serve", compared, "--allow-host", "a*", status=1).stderr
    assert "error: --host=aaa" in ask("serve", compared, "--host", f"{64 * 'a'}.b", status=1).stderr


def test_a_model_that_names_other_code_is_not_loaded(ask: Ask, compared: Path, store: Store, tmp_path: Path) -> None:
    version = store.client.get_model_version_by_alias("demo", "lstm")
    model = tmp_path / "model"
    shutil.copytree(Path(version.source.removeprefix("file://")), model)
    described = (model / "MLmodel").read_text()
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\ndef _load_pyfunc(path): pass\n")
    for old, new in (
        ("loader_module: sentiment_rnn.inference.pyfunc", "loader_module: evil"),
        ("data: data/package", "data: ../elsewhere"),
        ("code: null", "code: code"),
    ):
        assert old in described
        (model / "MLmodel").write_text(described.replace(old, new))
        for name, *texts in (("predict", "good"), ("serve",)):
            assert "not loaded" in ask(name, tmp_path, "--model", str(model), *texts, status=1).stderr
    assert not (tmp_path / "ran").exists()


def test_several_sweeps_are_compared_in_one_table(compared: Path, store: Store, ask: Ask) -> None:
    ask("train", compared, "-m", *SMALL, "study=more", "encoder=lstm", "seed=1")
    parent = find_sweep(store, "more").info.run_id
    ask("compare", compared, "mine", parent, "--output", f"{compared}/both")
    rows = list(csv.DictReader((compared / "both" / "results.csv").open()))
    assert sorted((row["arm"], row["seed"]) for row in rows) == [("lstm", "0"), ("lstm", "1"), ("rnn", "0")]
    assert "absent: no such sweep" in ask("compare", compared, "mine", "absent", status=1).stderr
