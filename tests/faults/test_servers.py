"""A tracking server that is away, slow, frozen, empty, or lies: no number of a run is lost or doubled, and whoever
waits reads one line."""

import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from forked_commands import Command
from processes import Ask
from proxies import LOSE, Proxy, proxy_before
from sentiment_rnn.engine import train as engine
from sentiment_rnn.tracking import run as tracked
from sentiment_rnn.tracking.names import IDENTITY_TAG, REFUSED_TAG
from sentiment_rnn.tracking.store import Store
from servers import Server, sqlite_server
from short_runs import ADDING
from stored_runs import rows, runs_in

pytestmark = pytest.mark.slow

TINY = (*ADDING, "trainer.epochs=6", "trainer.threads=1", "trainer=cpu", "tracking.system_metrics=false")
Deeds = dict[int, Callable[[], object]]
"""What happens when an epoch of training starts."""
NOT_RECORDED = r"error: http://\S+: the end of run \w+ is not recorded \(.*\); nothing is lost: the same command.*\n"
Rows = list[tuple[str, int, float]]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process sends after each epoch, tries again soon, and gives up after some seconds."""
    for name, seconds in {"INTERVAL": 0.0, "PAUSE": 0.3, "PATIENCE": 20.0}.items():
        monkeypatch.setattr(tracked, name, seconds)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    """A proxy before the server."""
    with proxy_before(server.uri) as started:
        yield started


@pytest.fixture
def place(request: pytest.FixtureRequest, proxy: Proxy) -> tuple[str, str]:
    """An experiment of one test's own on the server, by the proxy."""
    return "tracking.experiment=" + re.sub(r"\W", "-", request.node.name), f"tracking.uri={proxy.uri}"


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """The numbers of the run that all tests here train, when nothing befalls it."""
    folder = tmp_path_factory.mktemp("undisturbed") / "folder"
    command = Command(folder, *TINY)
    assert command.end() == 0, command.said()
    client, (run,) = runs_in(folder)
    return rows(client, run)


@pytest.fixture
def at_epochs(monkeypatch: pytest.MonkeyPatch) -> Callable[[Deeds], None]:
    """Have something done when an epoch starts, counted from 0."""
    begin = engine.EpochTimer.on_train_epoch_start

    def patch(deeds: Deeds) -> None:
        def act_and_begin(self: engine.EpochTimer, trainer: object, module: object) -> None:
            if deed := deeds.pop(trainer.current_epoch, None):  # type: ignore[attr-defined]
                deed()
            begin(self, trainer, module)  # type: ignore[arg-type]

        monkeypatch.setattr(engine.EpochTimer, "on_train_epoch_start", act_and_begin)

    return patch


def runs_on(server: Server, place: tuple[str, str]) -> tuple[MlflowClient, list[Run]]:
    """The runs of an experiment that were trained, the oldest first."""
    client = MlflowClient(server.uri)
    found = client.get_experiment_by_name(place[0].partition("=")[2])
    if found is None:
        return client, []
    runs = client.search_runs([found.experiment_id], order_by=["start_time"])
    return client, [run for run in runs if IDENTITY_TAG in run.data.tags]


def assert_whole(server: Server, place: tuple[str, str], expected: Rows) -> None:
    """The server has one run, which FINISHED, with all numbers once."""
    client, (run,) = runs_on(server, place)
    assert run.info.status == "FINISHED"
    assert rows(client, run) == expected


def set_verdict(proxy: Proxy, verdict: int | str | None) -> Callable[[], None]:
    """What the proxy does from then on with every request."""
    return lambda: setattr(proxy, "verdict", lambda method, path: verdict)


@pytest.mark.parametrize("fault", ["away", "frozen", "503", "{}"])
def test_a_server_that_fails_while_a_run_trains_has_everything_once_in_the_end(
    fault: str, server: Server, proxy: Proxy, place: tuple[str, str], at_epochs: Callable[[Deeds], None],
    undisturbed: Rows, tmp_path: Path, ask: Ask,
) -> None:  # fmt: skip
    def freeze(number: int) -> Callable[[], None]:
        assert server.process
        return lambda: os.killpg(server.process.pid, number)  # type: ignore[union-attr]

    begin, end = {
        "away": (server.stop, server.start),
        "frozen": (freeze(signal.SIGSTOP), freeze(signal.SIGCONT)),
        "503": (set_verdict(proxy, 503), set_verdict(proxy, None)),
        "{}": (set_verdict(proxy, 200), set_verdict(proxy, None)),
    }[fault]

    at_epochs({1: begin, 4: lambda: (end(), time.sleep(0.4))})
    said = ask("train", tmp_path, *TINY, *place).stdout
    assert_whole(server, place, undisturbed)
    noticed = fault != "{}"  # what is swallowed there is sent again at the end
    assert said.count("cannot be reached (") == said.count("answers again") == noticed, said
    assert ("training goes on, and sends later" in said) == noticed


def test_a_slow_server_changes_nothing(
    server: Server, proxy: Proxy, place: tuple[str, str], undisturbed: Rows, tmp_path: Path, ask: Ask
) -> None:
    proxy.delay = 0.3
    said = ask("train", tmp_path, *TINY, *place).stdout
    assert_whole(server, place, undisturbed)
    assert "cannot be reached" not in said


def test_a_server_that_is_away_when_a_run_begins_is_one_line_and_nothing_is_trained(
    server: Server, proxy: Proxy, place: tuple[str, str], tmp_path: Path, ask: Ask
) -> None:
    for fault in (503, 200):
        set_verdict(proxy, fault)()
        begun = time.monotonic()
        done = ask("train", tmp_path, *TINY, *place, status=1)
        assert time.monotonic() - begun < 10
        assert re.fullmatch(r"error: .*\n", done.stderr), done.stderr
        assert "epoch 1" not in done.stdout
    assert runs_on(server, place)[1] == []
    assert not [*tmp_path.rglob("*.ckpt")]


def test_a_server_that_goes_for_good_is_one_line_at_the_end_and_the_same_command_records_without_training(
    server: Server, place: tuple[str, str], at_epochs: Callable[[Deeds], None], undisturbed: Rows, tmp_path: Path,
    ask: Ask, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(tracked, "PATIENCE", 2.0)
    at_epochs({3: server.stop})
    done = ask("train", tmp_path, *TINY, *place, status=1)
    assert re.fullmatch(NOT_RECORDED, done.stderr)
    assert "Traceback" not in done.stdout
    server.start()
    again = ask("train", tmp_path, *TINY, *place).stdout
    assert "epoch 1" not in again, "nothing is trained"
    assert_whole(server, place, undisturbed)


def test_a_server_that_answers_for_another_at_the_end_is_not_believed(
    server: Server, proxy: Proxy, place: tuple[str, str], at_epochs: Callable[[Deeds], None], undisturbed: Rows,
    tmp_path: Path, ask: Ask,
) -> None:  # fmt: skip
    def lie_for_a_while() -> None:
        set_verdict(proxy, 200)()
        threading.Timer(4, set_verdict(proxy, None)).start()

    at_epochs({5: lie_for_a_while})
    said = ask("train", tmp_path, *TINY, *place).stdout
    assert "waiting for it" in said
    assert_whole(server, place, undisturbed)


def test_a_server_that_loses_every_third_answer_has_each_run_once(
    server: Server, proxy: Proxy, place: tuple[str, str], undisturbed: Rows, tmp_path: Path, ask: Ask
) -> None:
    asked = iter(range(10**9))
    proxy.verdict = lambda method, path: LOSE if next(asked) % 3 == 2 else None
    for _ in range(8):  # the same command until it has gone well
        command = Command(tmp_path / "folder", "-m", *TINY, *place, "study=lossy")
        if command.end() == 0:
            break
        assert "Traceback" not in command.said(), command.said()
    assert not command.process.exitcode, command.said()
    assert_whole(server, place, undisturbed)


@pytest.mark.parametrize(("refused", "status"), [("predictions/test.npz", 413), ("", 500)], ids=["one file", "all"])
def test_a_run_of_which_a_server_refuses_files_is_finished_without_them_and_says_so(
    server: Server, proxy: Proxy, place: tuple[str, str], tmp_path: Path, refused: str, status: int, ask: Ask
) -> None:
    reviews = ("data=generated", "data.train_reviews=120", "data.test_reviews=40", "data.max_lag=10",
               "data.batch_size=20", "embedding.size=8", "encoder=bag", "trainer.epochs=2", "trainer=cpu",
               "tracking.system_metrics=false")  # fmt: skip
    proxy.verdict = lambda method, path: status if method == "PUT" and path.endswith(refused) else None
    said = ask("train", tmp_path, *reviews, *place).stdout
    client, (run,) = runs_on(server, place)
    assert run.info.status == "FINISHED"
    (line,) = [line for line in said.splitlines() if f"run {run.info.run_id}: not on http" in line]
    for text in (line, run.data.tags[REFUSED_TAG]):
        assert "predictions/test.npz (" in text
        assert ("config.yaml" in text) == ("its packaged model" in text) == (refused == "")
    there = [file.path for file in client.list_artifacts(run.info.run_id)]
    assert ("config.yaml" in there) == (refused != "")


@pytest.mark.parametrize("lost", ["server", "run"])
def test_a_store_that_lost_a_run_while_it_trained_gets_it_whole_by_the_same_command(
    lost: str, server: Server, proxy: Proxy, place: tuple[str, str], at_epochs: Callable[[Deeds], None],
    undisturbed: Rows, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, ask: Ask,
) -> None:  # fmt: skip
    def lose() -> None:
        proxy.target = other.uri
        if lost == "run":
            client, (run,) = runs_on(server, place)
            client.delete_run(run.info.run_id)

    other = sqlite_server(tmp_path_factory.mktemp("other")) if lost == "server" else server
    if lost == "server":
        other.start()
    try:
        at_epochs({3: lose})
        done = ask("train", tmp_path, *TINY, *place, status=1)
        assert re.fullmatch(NOT_RECORDED, done.stderr)
        assert "epoch 1" not in ask("train", tmp_path, *TINY, *place).stdout, "nothing is trained"
        assert_whole(other, place, undisturbed)
    finally:
        if lost == "server":
            other.stop(signal.SIGTERM)


def test_a_server_that_starts_again_when_a_job_begins_costs_a_sweep_no_run(
    server: Server, place: tuple[str, str], undisturbed: Rows, tmp_path: Path, ask: Ask,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    open_store, opened = engine.open_store, []

    def open_after_restart(*given: Any, **named: Any) -> Store:
        opened.append(True)
        if len(opened) == 2:
            server.stop(signal.SIGTERM)
            threading.Timer(3, server.start).start()
        return open_store(*given, **named)

    monkeypatch.setattr(engine, "open_store", open_after_restart)
    said = ask("train", tmp_path, "-m", *TINY, *place, "seed=0,1", "study=restarted").stdout
    assert "waiting for it" in said
    client, runs = runs_on(server, place)
    assert [run.info.status for run in runs] == ["FINISHED"] * 2
    assert rows(client, runs[0]) == undisturbed


@pytest.mark.parametrize("second", [("0,1", "a"), ("1,2", "b")], ids=["one sweep", "two sweeps"])
def test_two_launchers_at_once_train_each_run_once(
    second: tuple[str, str], server: Server, proxy: Proxy, place: tuple[str, str], tmp_path: Path
) -> None:
    proxy.delay = 0.05
    given = (*TINY, "trainer.epochs=20", *place, f"tracking.directory={tmp_path}/runs")
    commands = [
        Command(tmp_path / str(number), "-m", *given, f"seed={seeds}", f"study={study}")
        for number, (seeds, study) in enumerate((("0,1", "a"), second))
    ]
    assert [command.end() for command in commands] == [0, 0], [command.said() for command in commands]
    client, runs = runs_on(server, place)
    assert sorted(run.data.params["seed"] for run in runs) == sorted({"0", "1", *second[0].split(",")})
    assert {run.info.status for run in runs} == {"FINISHED"}
    parents = client.search_runs([runs[0].info.experiment_id], "tags.`sentiment_rnn.sweep` LIKE '%'")
    assert sorted((run.info.run_name, run.info.status) for run in parents) == [
        (study, "FINISHED") for study in sorted({"a", second[1]})
    ]
