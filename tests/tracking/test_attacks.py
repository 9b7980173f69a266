"""A tracking server that is slow, silent, another, or refuses; hosts that die, stop and wake: nothing is lost.

Nor is anything doubled, and nobody waits for long."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run, ViewType

from processes import Ask, environment, run_command, training_that, wait_for
from proxies import LOSE, SILENCE, Proxy, proxy_before
from sentiment_rnn.config.store import run_config
from sentiment_rnn.runs import engine
from sentiment_rnn.runs.engine import train
from sentiment_rnn.tracking.names import PARENT_TAG
from servers import Server, sqlite_server
from stored_runs import rows

pytestmark = pytest.mark.slow

TINY = (
    "data=generated", "data.train_reviews=200", "data.test_reviews=60", "data.max_lag=10", "data.batch_size=20",
    "embedding.size=8", "encoder.hidden_size=8", "trainer.threads=1", "trainer=cpu", "tracking.system_metrics=false",
)  # fmt: skip
LONG = "trainer.epochs=200"
HOST = """
import socket, sys
from sentiment_rnn.tracking import ownership
from sentiment_rnn.cli.main import main
name = sys.argv[1]
ownership.machine_id = socket.gethostname = lambda: name
sys.argv = ["sentiment-rnn", "train", *sys.argv[2:]]
main()
"""
"""`train` on a machine of another name, whose processes nobody else sees."""
STOP_ITSELF = training_that("os.kill(os.getpid(), signal.SIGSTOP)", epoch=60)
STOPS = HOST.rpartition("sys.argv = ")[0] + "del sys.argv[1]" + STOP_ITSELF
"""The same, which stops between two epochs."""


@pytest.fixture
def proxy(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """A proxy before it."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    with proxy_before(server.uri) as started:
        yield started


@pytest.fixture
def experiment(request: pytest.FixtureRequest) -> str:
    """The name of an experiment of one test's own."""
    return "tracking.experiment=" + re.sub(r"\W", "-", request.node.name)


def runs_of(server: Server, experiment: str) -> tuple[MlflowClient, list[Run]]:
    """All runs of an experiment, deleted ones among them, the oldest first."""
    client = MlflowClient(server.uri)
    found = client.get_experiment_by_name(experiment.partition("=")[2])
    if found is None:
        return client, []
    runs = client.search_runs([found.experiment_id], run_view_type=ViewType.ALL, order_by=["start_time"])
    return client, list(runs)


def jobs_of(server: Server, experiment: str) -> tuple[list[Run], list[Run]]:
    """The parents and the jobs' runs of an experiment."""
    _, runs = runs_of(server, experiment)
    parents = [run for run in runs if PARENT_TAG not in run.data.tags]
    return parents, [run for run in runs if PARENT_TAG in run.data.tags]


def artifacts(client: MlflowClient, run: Run) -> set[str]:
    """The paths of a run's artifacts."""
    found, folders = set(), [""]
    while folders:
        for each in client.list_artifacts(run.info.run_id, folders.pop()):
            (folders.append if each.is_dir else found.add)(each.path)
    return found


def started(folder: Path, host: str, *overrides: str, program: str = HOST) -> "subprocess.Popen[str]":
    """`train` on another host, in a folder; its output goes to the file `output` there."""
    folder.mkdir(exist_ok=True)
    with (folder / "output").open("a") as output:
        return subprocess.Popen(
            [sys.executable, "-c", program, host, *overrides], cwd=folder, env=environment(), stdout=output,
            stderr=output, text=True, start_new_session=True,
        )  # fmt: skip


def undisturbed(tmp_path: Path, *overrides: str) -> tuple[MlflowClient, Run]:
    """The same run, alone, in a store of its own."""
    train(run_config(*TINY, *overrides, f"tracking.directory={tmp_path}/alone"), [])
    client = MlflowClient(f"sqlite:///{tmp_path}/alone/mlflow.db")
    return client, client.search_runs([client.get_experiment_by_name("sentiment_rnn").experiment_id])[0]


def at_epochs(monkeypatch: pytest.MonkeyPatch, deeds: dict[int, Callable[[], object]]) -> None:
    """Do something when an epoch of training starts."""
    start = engine.EpochTimer.on_train_epoch_start

    def act_and_start(self: engine.EpochTimer, trainer: object, module: object) -> None:
        if deed := deeds.get(trainer.current_epoch):  # type: ignore[attr-defined]
            deed()
        start(self, trainer, module)  # type: ignore[arg-type]

    monkeypatch.setattr(engine.EpochTimer, "on_train_epoch_start", act_and_start)


def test_another_server_at_the_same_address_between_two_runs_costs_nothing(
    server: Server, proxy: Proxy, experiment: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = sqlite_server(tmp_path_factory.mktemp("other"))
    other.start()
    try:
        sweep = started(tmp_path / "a", "a", "-m", *TINY, "trainer.epochs=60", "seed=0,1", experiment,
                        f"tracking.uri={proxy.uri}")  # fmt: skip
        client = MlflowClient(server.uri)
        first = {"config.yaml", "overrides.yaml"}  # files: the other server would take them without knowing the run
        wait_for(lambda: (jobs := jobs_of(server, experiment)[1]) and first <= artifacts(client, jobs[0]))
        proxy.target = other.uri
        wait_for(lambda: "waiting for it" in (tmp_path / "a" / "output").read_text())
        proxy.target = server.uri
        assert sweep.wait(120) == 0, (tmp_path / "a" / "output").read_text()
        assert runs_of(other, experiment)[1] == []
    finally:
        other.stop(signal.SIGTERM)
    (parent,), jobs = jobs_of(server, experiment)
    assert [run.info.status for run in (parent, *jobs)] == ["FINISHED"] * 3
    assert artifacts(client, jobs[0]) == artifacts(client, jobs[1])
    assert not list((tmp_path / "a").rglob("record"))


def test_what_a_machine_that_died_beside_a_slow_server_has_recorded_is_there_once_when_another_resumes(
    server: Server, proxy: Proxy, experiment: str, tmp_path: Path
) -> None:
    proxy.delay = 1.5
    given = (
        *TINY,
        LONG,
        experiment,
        f"tracking.uri={proxy.uri}",
        f"tracking.checkpoints={tmp_path}/shared",
        "encoder=rnn",
    )
    first = started(tmp_path / "a", "a", "-m", *given)
    wait_for(lambda: len(list((tmp_path / "shared").glob("*/last.ckpt"))) == 1)
    time.sleep(2)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    proxy.delay = 0.0
    refused = started(tmp_path / "b", "b", "-m", *given)
    alone, expected = undisturbed(tmp_path, LONG, "encoder=rnn")
    assert refused.wait(120) == 1
    said = (tmp_path / "b" / "output").read_text()
    assert "runs this very sweep" in said.splitlines()[-1]
    assert "tracking.takeover=true" in said.splitlines()[-1]
    second = started(tmp_path / "b", "b", "-m", *given, "tracking.takeover=true")
    assert second.wait(200) == 0, (tmp_path / "b" / "output").read_text()
    (parent,), (run,) = jobs_of(server, experiment)
    assert [parent.info.status, run.info.status] == ["FINISHED", "FINISHED"]
    assert rows(MlflowClient(server.uri), run) == rows(alone, expected)


@pytest.mark.parametrize(("refused", "status"), [("predictions/test.npz", 413), ("", 500)], ids=["one file", "all"])
def test_what_a_server_does_not_take_keeps_nothing_else_back(
    server: Server, proxy: Proxy, experiment: str, tmp_path: Path, refused: str, status: int,
    caplog: pytest.LogCaptureFixture, ask: Ask,
) -> None:  # fmt: skip
    proxy.verdict = lambda method, path: status if method == "PUT" and path.endswith(refused) else None
    folder = f"tracking.directory={tmp_path}/runs"
    train(run_config(*TINY, "trainer.epochs=2", folder, experiment, f"tracking.uri={proxy.uri}"), [])
    client, (run,) = runs_of(server, experiment)
    assert run.info.status == "FINISHED"
    (line,) = [record.getMessage() for record in caplog.records if "not on http" in record.getMessage()]
    assert "predictions/test.npz" in line
    assert "kept in" in line
    assert ("config.yaml" in line) == (refused == "")
    assert ("config.yaml" in artifacts(client, run)) == (refused != "")
    proxy.verdict = lambda method, path: None
    ask("sync", tmp_path)
    assert {"predictions/test.npz", "config.yaml"} <= artifacts(client, run)
    assert client.get_run(run.info.run_id).outputs.model_outputs
    assert not list(tmp_path.rglob("record"))


def test_compare_finds_a_sweep_whose_files_the_server_does_not_take(
    server: Server, proxy: Proxy, experiment: str, tmp_path: Path
) -> None:
    proxy.verdict = lambda method, path: 500 if method == "PUT" else None
    place = (experiment, f"tracking.uri={proxy.uri}")
    run_command("train", tmp_path, "-m", *TINY, "trainer.epochs=2", "encoder=rnn,bag", *place, status=0)
    compared = run_command(
        "compare", tmp_path, "--experiment", experiment.partition("=")[2], "--tracking-uri", proxy.uri, status=1
    )  # it logs its tables there, in vain
    assert "bag" in compared.stdout


@pytest.mark.parametrize("what", ["run", "experiment"])
def test_what_was_deleted_and_restored_while_a_run_trained_is_complete(
    server: Server, experiment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr("sentiment_rnn.tracking.publish.INTERVAL", 0.1)
    client = MlflowClient(server.uri)
    identifier: list[str] = []

    def delete() -> None:
        run = runs_of(server, experiment)[1][0]
        identifier.append(run.info.run_id if what == "run" else run.info.experiment_id)
        (client.delete_run if what == "run" else client.delete_experiment)(identifier[0])
        time.sleep(1)

    def restore() -> None:
        time.sleep(1)
        (client.restore_run if what == "run" else client.restore_experiment)(identifier[0])

    at_epochs(monkeypatch, {2: delete, 5: restore})
    place = (f"tracking.directory={tmp_path}/runs", experiment, f"tracking.uri={server.uri}")
    train(run_config(*TINY, "trainer.epochs=8", *place), [])
    _, (run,) = runs_of(server, experiment)
    assert (run.info.status, run.info.lifecycle_stage) == ("FINISHED", "active")
    monkeypatch.undo()
    alone, expected = undisturbed(tmp_path, "trainer.epochs=8")
    assert rows(client, run) == rows(alone, expected)
    assert artifacts(client, run) == artifacts(alone, expected)


def test_a_running_job_has_its_curves_on_the_server_within_ten_seconds_of_each_epoch(
    server: Server, experiment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def look() -> None:
        """The third epoch waits until the server has the second."""
        client, (run,) = runs_of(server, experiment)
        begun = time.monotonic()
        wait_for(lambda: len(client.get_metric_history(run.info.run_id, "val/loss")) == 2, seconds=10)
        seen.append(round(time.monotonic() - begun))

    at_epochs(monkeypatch, {2: look})
    place = (f"tracking.directory={tmp_path}/runs", experiment, f"tracking.uri={server.uri}")
    train(run_config(*TINY, "trainer.epochs=3", *place), [])
    assert seen


def test_of_two_launchers_on_two_hosts_one_runs_a_new_sweep_and_each_run_is_there_once(
    server: Server, proxy: Proxy, experiment: str, tmp_path: Path
) -> None:
    proxy.delay = 0.3
    given = ("-m", *TINY, "trainer.epochs=2", "seed=0,1", experiment, f"tracking.uri={proxy.uri}")
    launchers = [started(tmp_path / host, host, *given) for host in ("a", "b")]
    assert sorted(launcher.wait(200) for launcher in launchers) == [0, 1]
    loser = next(host for host, launcher in zip("ab", launchers, strict=True) if launcher.returncode)
    assert "runs this very sweep" in (tmp_path / loser / "output").read_text().splitlines()[-1]
    parents, jobs = jobs_of(server, experiment)
    assert [run.info.status for run in parents] == ["FINISHED"]
    assert sorted(run.data.params["seed"] for run in jobs) == ["0", "1"]
    assert MlflowClient(server.uri).search_registered_models() == []


def test_a_process_that_was_stopped_and_wakes_after_it_was_replaced_writes_nothing(
    server: Server, experiment: str, tmp_path: Path
) -> None:
    given = ("-m", *TINY, "trainer.epochs=90", "encoder=rnn", experiment, f"tracking.uri={server.uri}",
             f"tracking.checkpoints={tmp_path}/shared")  # fmt: skip
    first = started(tmp_path / "a", "a", *given, program=STOPS)
    os.waitpid(first.pid, os.WUNTRACED)
    assert len(list((tmp_path / "shared").glob("*/last.ckpt"))) == 1
    try:
        second = started(tmp_path / "b", "b", *given, "tracking.takeover=true")
        assert second.wait(200) == 0, (tmp_path / "b" / "output").read_text()
        client = MlflowClient(server.uri)
        (parent,), (run,) = jobs_of(server, experiment)
        assert [parent.info.status, run.info.status] == ["FINISHED", "FINISHED"]
        before = (rows(client, run), parent.to_dictionary(), run.to_dictionary(), contents(tmp_path / "shared"))
    finally:
        os.killpg(first.pid, signal.SIGCONT)
    assert first.wait(60) == 1
    assert "another process has taken this run over" in (tmp_path / "a" / "output").read_text()
    (parent,), (run,) = jobs_of(server, experiment)
    assert (rows(client, run), parent.to_dictionary(), run.to_dictionary(), contents(tmp_path / "shared")) == before


def contents(folder: Path) -> dict[Path, bytes]:
    """All files under a folder."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_lock_whose_answer_was_lost_is_held_by_who_asked_for_it(
    server: Server, proxy: Proxy, experiment: str, tmp_path: Path
) -> None:
    lost: list[str] = []

    def verdict(method: str, path: str) -> str | None:
        if "registered-models/create" not in path or lost:
            return None
        lost.append(path)
        return LOSE

    proxy.verdict = verdict
    run_command("train", tmp_path, "-m", *TINY, "trainer.epochs=1", "encoder=bag", experiment,
                f"tracking.uri={proxy.uri}", status=0)  # fmt: skip
    assert lost
    assert [run.info.status for run in runs_of(server, experiment)[1]] == ["FINISHED"] * 2


def test_a_server_that_never_answers_costs_the_end_of_a_run_ten_seconds_at_most(
    server: Server, proxy: Proxy, experiment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[float] = []
    finish = engine.fit_and_test

    def fit_and_note(*given: object) -> float:
        found = finish(*given)  # type: ignore[arg-type]
        ended.append(time.monotonic())
        return found

    monkeypatch.setattr(engine, "fit_and_test", fit_and_note)
    at_epochs(monkeypatch, {1: lambda: setattr(proxy, "verdict", lambda method, path: SILENCE)})
    place = (f"tracking.directory={tmp_path}/runs", experiment, f"tracking.uri={proxy.uri}")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "12")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    train(run_config(*TINY, "trainer.epochs=2", *place), [])
    assert time.monotonic() - ended[0] < 11
    for thread in threading.enumerate():  # a process would end here, with its threads
        if thread.name.startswith("publisher"):
            thread.join(60)
    proxy.verdict = lambda method, path: None
    run_command("sync", tmp_path, status=0)
    assert [run.info.status for run in runs_of(server, experiment)[1]] == ["FINISHED"]


def test_a_server_that_is_away_while_a_job_begins_costs_no_job(
    server: Server, proxy: Proxy, experiment: str, tmp_path: Path
) -> None:
    away: list[float] = []

    def verdict(method: str, path: str) -> int | None:
        if not away and "runs/search" in path and jobs_of(server, experiment)[1]:
            away.append(time.monotonic())
        return 503 if away and time.monotonic() < away[0] + 12 else None

    proxy.verdict = verdict
    run_command("train", tmp_path, "-m", *TINY, "trainer.epochs=2", "seed=0,1", experiment,
                f"tracking.uri={proxy.uri}", status=0)  # fmt: skip
    assert away
    _, jobs = jobs_of(server, experiment)
    assert [run.info.status for run in jobs] == ["FINISHED"] * 2


def test_a_slow_server_holds_a_sweep_of_two_tiny_runs_up_for_two_fifths_of_its_requests_at_most(
    server: Server, proxy: Proxy, experiment: str, tmp_path: Path
) -> None:
    """Most run beside training, or beside each other."""

    def seconds(turn: int, delay: float) -> float:
        proxy.delay = delay
        proxy.requests.clear()
        begun = time.monotonic()
        run_command("train", tmp_path, "-m", *TINY, "trainer.epochs=2", "seed=0,1", f"study=turn{turn}", experiment,
                    f"tracking.uri={proxy.uri}", "tracking.repeat=true", status=0)  # fmt: skip
        return time.monotonic() - begun

    delay = 1.2  # so long that what a busy machine adds weighs little
    alone = max(seconds(0, 0.0), seconds(1, 0.0))
    held_up, limit = seconds(2, delay) - alone, 0.4 * delay * len(proxy.requests)
    if held_up >= limit:  # a neighbor may have come
        held_up = seconds(3, delay) - alone
    assert held_up < limit
