"""One process at a time trains a run or runs a sweep; a second one waits, is refused, or takes the place of one that is
gone."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from mlflow.exceptions import MlflowException

from sentiment_rnn.config.run import RunConfig
from sentiment_rnn.config.store import run_config
from sentiment_rnn.config.tracking import TrackingConfig
from sentiment_rnn.errors import UserError
from sentiment_rnn.tracking import ownership
from sentiment_rnn.tracking.names import IDENTITY_TAG, PARENT_TAG, TAKEN_OVER_TAG, WRITER_TAG
from sentiment_rnn.tracking.ownership import OWNER, Owner, SweepLock, owner_in, started_at, this_process
from sentiment_rnn.tracking.record import RunRecord
from sentiment_rnn.tracking.results import SweepPlan
from sentiment_rnn.tracking.start import start_or_resume_run, tracked_run
from sentiment_rnn.tracking.store import Store, open_store
from sentiment_rnn.tracking.sweeps import open_sweep

ELSEWHERE = replace(this_process(), host="node7", machine="another", token="of node7")
"""A process on another machine, which this one cannot see."""
TELL = "from sentiment_rnn.tracking.ownership import this_process; print(this_process().text())"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A local store: making one takes longer than any test here."""
    return open_store(TrackingConfig(uri=None, directory=str(tmp_path_factory.mktemp("store")), experiment="here"))


@pytest.fixture
def config(store: Store) -> RunConfig:
    """A job of a sweep of the test's own."""
    parent = store.client.create_run(store.experiment_id).info.run_id
    return run_config("task=adding", "tracking.system_metrics=false", f"tracking.parent='{parent}'")


@pytest.fixture
def owned() -> Iterator[ExitStack]:
    """Stack of the locks that a test releases at its end."""
    with ExitStack() as owned:
        yield owned


@pytest.fixture
def living() -> Iterator[Owner]:
    """Another process of this machine, which is at work."""
    with subprocess.Popen(["sleep", "60"]) as process:
        yield replace(this_process(), pid=process.pid, started=started_at(process.pid) or "", token="of another")
        process.kill()


def broken_run(store: Store, config: RunConfig, writer: Owner, here: bool) -> str:
    """A run of the sweep that is running by the store's status; its record is here, or on another machine."""
    tags = {IDENTITY_TAG: "mine", PARENT_TAG: config.tracking.parent, WRITER_TAG: writer.text()}
    run_id = str(store.client.create_run(store.experiment_id, tags=tags).info.run_id)
    store.client.log_param(run_id, "seed", "0")
    if here:
        RunRecord(store, run_id).begin({WRITER_TAG: writer.text()})
    return run_id


@pytest.fixture
def ended(living: Owner) -> Owner:
    """A process of this machine that has ended."""
    os.kill(living.pid, signal.SIGKILL)
    os.waitid(os.P_PID, living.pid, os.WEXITED | os.WNOWAIT)
    return living


def test_a_process_that_has_ended_is_gone_and_so_is_one_whose_id_was_given_again() -> None:
    own = this_process()
    assert (own.is_here, own.is_this_process, own.is_gone) == (True, True, False)
    ended = owner_in(subprocess.check_output([sys.executable, "-c", TELL], timeout=200, text=True))
    assert (ended.is_here, ended.is_this_process, ended.is_gone) == (True, False, True)
    again = replace(own, started="1")
    assert (again.is_here, again.is_this_process, again.is_gone) == (True, False, True)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_process_that_was_killed_is_gone_before_its_parent_has_asked_for_its_status(living: Owner) -> None:
    assert not living.is_gone
    os.kill(living.pid, signal.SIGKILL)
    os.waitid(os.P_PID, living.pid, os.WEXITED | os.WNOWAIT)
    assert living.is_gone


def test_a_process_elsewhere_may_live_unless_the_scheduler_has_started_its_job_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    first = replace(this_process(), host="node7", machine="another")
    assert (first.is_here, first.is_gone) == (False, False)
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    assert first.is_gone
    monkeypatch.setenv("SLURM_JOB_ID", "8")
    assert not first.is_gone


def test_a_process_of_this_system_before_its_last_start_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ownership, "system_id", lambda: "this system")
    now = this_process()
    boot, _, container = now.machine.partition(" ")
    assert replace(now, machine=f"before {container}").is_gone
    for lives in (
        {"machine": f"{boot} another-container"},
        {"machine": "before", "host": "node7"},
        {"machine": "before", "system": ""},
    ):
        assert not replace(now, **lives).is_gone


@pytest.mark.parametrize("left", ["", "1", "[1]", '{"pid": 1}', 400 * "[", "process 7 on node7"])
def test_an_owner_of_another_version_is_of_a_machine_that_is_not_known(left: str) -> None:
    found = owner_in(left)
    assert (str(found), found.is_here, found.is_gone) == ("process 0 on an unknown machine", False, False)


def test_what_a_later_version_adds_to_an_owner_is_passed_over() -> None:
    own = this_process()
    assert owner_in(json.dumps(asdict(own) | {"more": "of a later version"})) == own


def test_a_run_whose_process_here_has_ended_is_resumed(
    store: Store, config: RunConfig, owned: ExitStack, ended: Owner
) -> None:
    run_id = broken_run(store, config, ended, here=True)
    started = start_or_resume_run(store, config, "mine", [], owned)
    assert (started.run_id, started.finished) == (run_id, False)


def test_a_run_of_a_process_here_whose_record_is_in_another_folder_is_left_to_it(
    store: Store, config: RunConfig, owned: ExitStack, living: Owner
) -> None:
    run_id = broken_run(store, config, living, here=False)
    with pytest.raises(UserError, match=f"^run {run_id}: process {living.pid} on "):
        start_or_resume_run(store, config, "mine", [], owned)
    assert TAKEN_OVER_TAG not in store.client.get_run(run_id).data.tags


def test_a_run_that_has_finished_here_is_not_trained_again_while_its_store_calls_it_running(
    store: Store, config: RunConfig, owned: ExitStack
) -> None:
    run_id = broken_run(store, config, ELSEWHERE, here=True)
    record = RunRecord(store, run_id)
    record.begin()
    record.end("FINISHED")
    started = start_or_resume_run(store, config, "mine", [], owned)
    assert (started.run_id, started.finished) == (run_id, True)


def test_a_run_that_another_process_has_begun_anew_is_not_resumed(
    store: Store, config: RunConfig, owned: ExitStack
) -> None:
    run_id = broken_run(store, config, replace(this_process(), started="before"), here=True)
    store.client.set_tag(run_id, TAKEN_OVER_TAG, ELSEWHERE.text())
    assert start_or_resume_run(store, config, "mine", [], owned).run_id != run_id


def test_a_run_of_a_process_elsewhere_is_refused_until_the_user_says_that_it_is_gone(
    store: Store, config: RunConfig, owned: ExitStack
) -> None:
    run_id = broken_run(store, config, ELSEWHERE, here=False)
    with pytest.raises(UserError, match=rf"^run {run_id}: process \d+ on node7 trains it; wait .*tracking.takeover=tr"):
        start_or_resume_run(store, config, "mine", [], owned)
    assert TAKEN_OVER_TAG not in store.client.get_run(run_id).data.tags
    owned.close()
    config.tracking.takeover = True
    started = start_or_resume_run(store, config, "mine", [], owned)
    assert started.run_id != run_id, "its record is on the other machine"
    taken = store.client.get_run(run_id)
    assert taken.info.status == "KILLED"
    assert owner_in(taken.data.tags[TAKEN_OVER_TAG]).is_this_process


def test_a_run_that_ended_on_another_machine_is_trained_anew(store: Store, config: RunConfig, owned: ExitStack) -> None:
    run_id = broken_run(store, config, ELSEWHERE, here=False)
    store.client.set_terminated(run_id, "KILLED")
    assert start_or_resume_run(store, config, "mine", [], owned).run_id != run_id


def test_a_run_of_another_machine_that_shares_the_folder_is_resumed_once_the_user_says_so(
    store: Store, config: RunConfig, owned: ExitStack
) -> None:
    run_id = broken_run(store, config, ELSEWHERE, here=True)
    with pytest.raises(UserError, match="on node7 trains it"):
        start_or_resume_run(store, config, "mine", [], owned)
    owned.close()
    config.tracking.takeover = True
    assert start_or_resume_run(store, config, "mine", [], owned).run_id == run_id


def test_a_second_process_waits_for_the_first_and_takes_its_finished_run(store: Store, config: RunConfig) -> None:
    found: list[RunRecord] = []

    def second() -> None:
        with tracked_run(store, config, "mine", []) as record:
            found.append(record)

    with tracked_run(store, config, "mine", []) as first:
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.3)
        assert thread.is_alive()
        assert not found
    thread.join(20)
    assert [(record.run_id, record.finished) for record in found] == [(first.run_id, True)]


def test_a_run_that_is_being_trained_is_resumed_by_nobody_else(store: Store) -> None:
    config = run_config("task=adding", "tracking.system_metrics=false")
    with tracked_run(store, config, "alone", []) as record:
        again = run_config("task=adding", f"tracking.resume='{record.run_id}'")
        with pytest.raises(UserError, match=f"^tracking.resume={record.run_id}: another process trains this run; wait"):
            start_or_resume_run(store, again, "alone", [], ExitStack())


def test_a_run_whose_folder_is_elsewhere_stays_there_whoever_would_resume_it(
    store: Store, config: RunConfig, tmp_path: Path, owned: ExitStack, ended: Owner
) -> None:
    run_id = broken_run(store, config, ended, here=True)
    again = run_config("task=adding", f"tracking.resume='{run_id}'")
    with pytest.raises(UserError, match=f"^tracking.resume={run_id}: its folder is not here"):
        start_or_resume_run(replace(store, directory=tmp_path), again, "mine", [], ExitStack())
    assert start_or_resume_run(store, again, "mine", [], owned).run_id == run_id


def on_host(store: Store, folder: Path) -> Store:
    """The store as that of a server, from a machine of its own."""
    folder.mkdir(exist_ok=True)
    return replace(store, uri="http://127.0.0.1", directory=folder)


def test_a_sweep_is_run_by_one_process_of_a_folder_until_it_ends_or_the_user_says_that_it_is_gone(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(ownership, "TAKEOVER_SECONDS", 0.05)
    first = SweepLock(store, "mine", "here", takeover=False)
    with pytest.raises(UserError, match=r"^study=mine: this very sweep is running; wait for it, or name another st"):
        SweepLock(store, "mine", "here", takeover=False)
    SweepLock(store, "mine", "other", takeover=True).release()
    assert not caplog.text
    SweepLock(store, "mine", "here", takeover=True)
    assert ".sweep-here.lock: taken over from a process that still has it" in caplog.text
    first.release()
    SweepLock(store, "mine", "here", takeover=False).release()


def test_a_sweep_is_run_by_one_host_until_it_ends_or_the_user_says_that_it_is_gone(
    store: Store, tmp_path: Path
) -> None:
    first = SweepLock(on_host(store, tmp_path / "a"), "a/b: c", "hosts", takeover=False)
    with pytest.raises(UserError, match=rf"^study=a/b: c: {first.own} runs this very sweep; .*tracking.takeover=true"):
        SweepLock(on_host(store, tmp_path / "b"), "a/b: c", "hosts", takeover=False)
    first.release()
    second = SweepLock(on_host(store, tmp_path / "b"), "a/b: c", "hosts", takeover=False)
    third = SweepLock(on_host(store, tmp_path / "c"), "a/b: c", "hosts", takeover=True)
    second.release()
    with pytest.raises(UserError, match="runs this very sweep"):  # whose place nobody takes by releasing a lost lock
        SweepLock(on_host(store, tmp_path / "d"), "a/b: c", "hosts", takeover=False)
    third.release()
    assert store.client.search_registered_models() == []


def test_a_sweep_that_ends_while_another_asks_who_has_it_is_handed_on(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = SweepLock(on_host(store, tmp_path / "a"), "mine", "handed", takeover=False)
    holder = SweepLock._holder

    def release_and_ask(self: SweepLock) -> Owner:
        first.release()
        return holder(self)

    monkeypatch.setattr(SweepLock, "_holder", release_and_ask)
    second = SweepLock(on_host(store, tmp_path / "b"), "mine", "handed", takeover=False)
    assert second.taken
    assert store.client.get_registered_model(second.name).tags[OWNER] == second.own.text()
    monkeypatch.undo()
    second.release()


def test_the_lock_of_a_launcher_that_was_killed_here_is_taken(store: Store, tmp_path: Path, ended: Owner) -> None:
    killed = SweepLock(on_host(store, tmp_path / "a"), "killed", "digest", takeover=False)
    store.client.set_registered_model_tag(killed.name, OWNER, ended.text())
    SweepLock(on_host(store, tmp_path / "b"), "killed", "digest", takeover=False).release()


def test_a_launcher_whose_answer_was_lost_does_not_wait_for_itself(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = store.client.create_registered_model

    def lose_the_answer(*given: Any) -> None:
        create(*given)
        create(*given)  # as MLflow's client does, which asks again

    monkeypatch.setattr(store.client, "create_registered_model", lose_the_answer)
    SweepLock(on_host(store, tmp_path / "a"), "lost", "digest", takeover=False).release()
    assert store.client.search_registered_models() == []


def test_a_server_that_fails_holds_up_no_release(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise MlflowException("API request failed with exception Connection refused")

    lock = SweepLock(on_host(store, tmp_path / "a"), "away", "digest", takeover=False)
    with monkeypatch.context() as patched:
        patched.setattr(store.client, "get_registered_model", fail)
        lock.release()
    store.client.delete_registered_model(lock.name)


def test_a_sweep_that_cannot_begin_its_record_gives_its_lock_back(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as full:
        full.setattr(RunRecord, "begin", Mock(side_effect=OSError("no space")))
        with pytest.raises(OSError, match="no space"):
            open_sweep(store, TrackingConfig(None, str(store.directory), "here"), "full", "0123", SweepPlan([[]]))
    SweepLock(store, "full", "0123", takeover=False).release()


def test_of_hosts_that_begin_a_sweep_at_once_one_has_it(store: Store, tmp_path: Path) -> None:
    got: list[SweepLock] = []
    refused: list[UserError] = []

    def begin(host: str) -> None:
        try:
            got.append(SweepLock(on_host(store, tmp_path / host), "at once", "digest", takeover=False))
        except UserError as error:
            refused.append(error)

    threads = [threading.Thread(target=begin, args=(host,)) for host in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert (len(got), len(refused)) == (1, 3)
    got[0].release()
