"""One process at a time writes a run; a second one waits, is refused, or takes over what is given up."""

import json
import socket
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from mlflow import MlflowClient

from sentiment_rnn.config.tracking import TrackingConfig
from sentiment_rnn.errors import UserError
from sentiment_rnn.tracking.answers import QUICK
from sentiment_rnn.tracking.lease import HeldError, Lease, Owner, this_process
from sentiment_rnn.tracking.names import LEASE_TAG
from sentiment_rnn.tracking.store import Store, open_store

BEAT, LASTS = 0.2, 1.2


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One store for all tests here; each has a run of its own."""
    return tmp_path_factory.mktemp("store")


@pytest.fixture
def config(folder: Path) -> TrackingConfig:
    """Leases that are over soon."""
    return TrackingConfig(None, str(folder), "here", heartbeat=BEAT, lease=LASTS)


@pytest.fixture
def store(config: TrackingConfig) -> Store:
    """The store that leases are kept in."""
    return open_store(config)


@pytest.fixture
def run_id(store: Store) -> str:
    """A fresh run."""
    return str(store.client.create_run(store.experiment_id).info.run_id)


def owner_in(store: Store, run_id: str) -> Owner | None:
    """Who has the lease, as the store says."""
    tags = store.client.get_run(run_id).data.tags
    return Owner(**json.loads(tags[LEASE_TAG])) if LEASE_TAG in tags else None


def give_to(store: Store, run_id: str, owner: Owner) -> None:
    """Make another process the owner."""
    store.client.set_tag(run_id, LEASE_TAG, json.dumps(asdict(owner)))


def elsewhere(**changes: object) -> Owner:
    """A process on another machine, of which nothing but its heartbeat can be seen."""
    return replace(this_process(), host="node7", machine="another", **changes)  # type: ignore[arg-type]


def ended_process() -> Owner:
    """A process of this machine that has ended."""
    code = (
        "import json; from dataclasses import asdict; from sentiment_rnn.tracking.lease import this_process;"
        "print(json.dumps(asdict(this_process())))"
    )
    return Owner(**json.loads(subprocess.check_output([sys.executable, "-c", code], timeout=200)))


def test_a_lease_of_another_version_is_taken_over_once_its_heartbeat_stands_still(
    store: Store, config: TrackingConfig, run_id: str
) -> None:
    store.client.set_tag(run_id, LEASE_TAG, "of a later version: beat 1")
    beats = threading.Timer(LASTS / 2, store.client.set_tag, (run_id, LEASE_TAG, "of a later version: beat 2"))
    beats.start()
    with pytest.raises(HeldError, match="an unknown machine"):
        Lease(store, run_id, config).acquire(wait=False)
    beats.join()
    started = time.monotonic()
    with Lease(store, run_id, config).acquire(wait=False):
        assert time.monotonic() - started > LASTS
    store.client.set_tag(run_id, LEASE_TAG, json.dumps(asdict(this_process()) | {"more": "of a later version"}))
    with pytest.raises(HeldError, match=f"process {this_process().pid} on"):
        Lease(store, run_id, config).acquire(wait=False)


def test_a_lease_is_kept_by_a_heartbeat_and_leaves_nothing_behind(
    store: Store, config: TrackingConfig, run_id: str
) -> None:
    with Lease(store, run_id, config).acquire(wait=False) as lease:
        first = owner_in(store, run_id)
        assert first is not None
        assert str(first) == str(lease.own)
        time.sleep(5 * BEAT)
        later = owner_in(store, run_id)
        assert later is not None
        assert later.token == first.token
        assert later.beat > first.beat
    assert owner_in(store, run_id) is None


def test_the_parts_of_a_sweep_are_leased_one_by_one(store: Store, config: TrackingConfig, run_id: str) -> None:
    parts = [Lease(store, run_id, config, part).acquire(wait=False) for part in ("", "a", "b")]
    assert {tag for tag in store.client.get_run(run_id).data.tags if tag.startswith(LEASE_TAG)} == {
        LEASE_TAG, f"{LEASE_TAG}.a", f"{LEASE_TAG}.b",
    }  # fmt: skip
    for part in parts:
        part.release()


def test_a_process_here_that_is_alive_is_refused_at_once_or_waited_for(
    store: Store, config: TrackingConfig, run_id: str
) -> None:
    first = Lease(store, run_id, config).acquire(wait=False)
    second = Lease(store, run_id, config)
    with pytest.raises(HeldError, match=r"process \d+ on "):
        second.acquire(wait=False)
    thread = threading.Thread(target=second.acquire, args=(True,))
    thread.start()
    time.sleep(2 * LASTS)  # longer than a lease lasts: the heartbeat keeps it
    assert thread.is_alive()
    first.release()
    thread.join(10)
    assert not thread.is_alive()
    assert not first.taken_over
    second.release()


def test_a_process_here_that_has_ended_is_not_waited_for(run_id: str, store: Store, config: TrackingConfig) -> None:
    long = replace(config, lease=1000.0)
    give_to(store, run_id, ended_process())
    Lease(store, run_id, long).acquire(wait=False).release()


def test_a_process_id_that_was_given_again_is_another_process(
    store: Store, config: TrackingConfig, run_id: str
) -> None:
    give_to(store, run_id, replace(this_process(), started="1"))
    Lease(store, run_id, replace(config, lease=1000.0)).acquire(wait=False).release()


def test_a_process_elsewhere_is_taken_for_ended_when_its_heartbeat_stands_still(
    store: Store, config: TrackingConfig, run_id: str
) -> None:
    give_to(store, run_id, elsewhere())
    started = time.monotonic()
    lease = Lease(store, run_id, config).acquire(wait=False)
    assert time.monotonic() - started > LASTS
    lease.release()


def test_a_process_elsewhere_with_a_heartbeat_is_refused(store: Store, config: TrackingConfig, run_id: str) -> None:
    other = elsewhere()
    give_to(store, run_id, other)
    beat = threading.Timer(2 * BEAT, give_to, (store, run_id, replace(other, beat=1)))
    beat.start()
    with pytest.raises(HeldError, match="on node7"):
        Lease(store, run_id, config).acquire(wait=False)
    beat.join()


def test_who_has_lost_a_lease_stops_and_leaves_it_to_the_other(
    store: Store, config: TrackingConfig, run_id: str
) -> None:
    lease = Lease(store, run_id, config).acquire(wait=False)
    other = elsewhere()
    give_to(store, run_id, other)  # as where this process was suspended for long
    time.sleep(5 * BEAT)
    with pytest.raises(UserError, match=f"^run {run_id}: taken over by another process, since this one gave no hear"):
        lease.check()
    lease.release()
    assert owner_in(store, run_id) == other


def test_a_server_that_says_nothing_holds_up_no_release(
    tmp_path: Path, config: TrackingConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sentiment_rnn.tracking.lease.RELEASE_SECONDS", 0.5)
    monkeypatch.setitem(QUICK, "MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        lease = Lease(Store(MlflowClient(uri), uri, "1", tmp_path), "r", config)
        lease._thread.start()  # as if it had been taken before the server fell silent
        time.sleep(2 * BEAT)
        started = time.monotonic()
        lease.release()
        assert time.monotonic() - started < 5


def test_of_processes_that_take_a_lease_at_once_one_has_it(
    store: Store, config: TrackingConfig, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sentiment_rnn.tracking.lease.SETTLE_SECONDS", 0.3)
    server = replace(store, uri="http://127.0.0.1")  # whose folders are not shared
    got: list[Lease] = []

    def take(folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        alone = replace(server, directory=folder)
        got.append(Lease(alone, run_id, replace(config, lease=60.0)).acquire(wait=True))

    threads = [threading.Thread(target=take, args=(store.directory / name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for count in range(1, 5):
        deadline = time.monotonic() + 20
        while len(got) < count and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(3 * BEAT)
        assert len(got) == count, "one at a time"
        assert not got[-1].taken_over
        got[-1].release()


@pytest.mark.parametrize(
    ("given", "said"),
    [({"heartbeat": 0.0}, "tracking.heartbeat=0.0"), ({"lease": 20.0}, "tracking.lease=20.0: expected at least three")],
)
def test_a_lease_that_ends_before_its_heartbeats_is_refused(given: dict[str, float], said: str) -> None:
    with pytest.raises(UserError, match=f"^{said}"):
        TrackingConfig(None, "runs", "here", **given)  # type: ignore[arg-type]
