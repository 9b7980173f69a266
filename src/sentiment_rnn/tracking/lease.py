"""A lease: the right of one process to write a run, kept as a tag in the tracking store, which all machines share.

The owner says in the tag who it is, and counts up a heartbeat. Another process takes the lease over where the owner
is gone from this machine, or where the heartbeat has stood still for `tracking.lease` seconds. It counts them by its
own clock: no clock of one machine is compared with another's.

MLflow cannot compare and set. Two processes that take a lease at once both write their token, wait, and read again;
the last to write has it (Lamport, A fast mutual exclusion algorithm, 1987, credits this to Fischer). One that wrote
later still is found at the other's next heartbeat, and that other stops.
"""

import json
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import psutil
from mlflow.exceptions import MlflowException

from sentiment_rnn.config.tracking import TrackingConfig
from sentiment_rnn.errors import UserError
from sentiment_rnn.locks import FileLock
from sentiment_rnn.tracking.answers import quick_answers
from sentiment_rnn.tracking.names import LEASE_TAG
from sentiment_rnn.tracking.store import Store

log = logging.getLogger("sentiment_rnn")

SETTLE_SECONDS = 1.0
"""How long a server may take to show one process what another has written."""

RELEASE_SECONDS = 5.0
"""How long the end of a lease waits for a heartbeat that is on its way."""


class HeldError(Exception):
    """Another process, which is alive, has the lease; `owner` says which."""

    def __init__(self, owner: "Owner") -> None:
        super().__init__(str(owner))
        self.owner = owner


@dataclass(frozen=True)
class Owner:
    """Who has a lease."""

    host: str
    machine: str
    """Equal for processes that see each other's ids: since the same start of a machine, in the same container."""
    pid: int
    started: str
    """When the process started, as the system counts: an id is given again."""
    token: str
    """Random, for each lease that is taken."""
    job: str = ""
    """Of the scheduler that started it; empty without one. All processes of the job have the same."""
    beat: int = 0

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}" + (f", job {self.job}" if self.job else "")

    @property
    def is_here(self) -> bool:
        """Whether it is, or was, a process that this one could see."""
        return self.machine == machine_id()

    @property
    def is_gone(self) -> bool:
        """Whether it has certainly ended; never true of another machine's."""
        return self.is_here and started_at(self.pid) != self.started


class Lease:
    """A lease on a run, or on a part of one.

    Args:
        run_id: the run that has the tag.
        part: what of it; empty for all.
    """

    def __init__(self, store: Store, run_id: str, config: TrackingConfig, part: str = "") -> None:
        self.store = store
        self.run_id = run_id
        self.tag = lease_tag(part)
        self.heartbeat, self.lasts = config.heartbeat, config.lease
        self.own = this_process()
        self.taken_over = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="heartbeat", daemon=True)

    def acquire(self, wait: bool) -> "Lease":
        """Take the lease, and keep it until `release`.

        Args:
            wait: until another process, which is alive, is done.

        Raises:
            HeldError: it is alive, and nobody is to wait.
        """
        seen: Owner | None = None
        since = time.monotonic()
        told = False
        while True:
            with FileLock(self.store.directory / ".lease.lock"):  # at once for processes that share the folder
                held = self._read()
                if seen is None or held != seen:
                    alive = seen is not None and held is not None
                    seen, since = held, time.monotonic()
                free = held is None or held.is_gone or time.monotonic() - since > self.lasts
                written = free and self._written()
            if free:
                if written and self._is_last_to_write():
                    self._thread.start()
                    return self
                seen = None
                continue
            assert held is not None
            if not wait and (alive or held.is_here):
                raise HeldError(held)
            if not told:
                waits = "waiting until it is done" if wait else f"waiting up to {self.lasts:g} s for its heartbeat"
                log.info("%s writes this run; %s", held, waits)
                told = True
            time.sleep(self.heartbeat / 3)

    def owner(self) -> Owner | None:
        """Who has the lease now."""
        return self._read()

    def check(self) -> None:
        """Raise `UserError` where another process has taken the lease over."""
        if self.taken_over:
            raise UserError(
                f"run {self.run_id}: taken over by another process, since this one gave no heartbeat for "
                f"{self.lasts:g} s (tracking.lease); this one stops"
            )

    def release(self) -> None:
        """Let another process take it; a server that is away is not waited for long."""
        self._ended.set()
        try:
            with quick_answers():
                if self._thread.is_alive():
                    self._thread.join(RELEASE_SECONDS)
                held = self._read()
                if held and held.token == self.own.token:
                    self.store.client.delete_tag(self.run_id, self.tag)
        except (MlflowException, OSError) as error:  # the others will find that it has no heartbeat
            log.debug("lease not given back: %s", error)

    def __enter__(self) -> "Lease":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _read(self) -> Owner | None:
        tags = self.store.client.get_run(self.run_id).data.tags
        return owner_in(tags[self.tag]) if self.tag in tags else None

    def _write(self) -> None:
        self.store.client.set_tag(self.run_id, self.tag, json.dumps(asdict(self.own)))

    def _written(self) -> bool:
        """Write, unless another process has done so at the same moment: a database refuses the second new tag."""
        try:
            self._write()
        except MlflowException:
            if self._read() is None:
                raise
            return False
        return True

    def _is_last_to_write(self) -> bool:
        if self.store.uri.startswith("sqlite:"):  # in the folder whose lock was held
            return True
        time.sleep(SETTLE_SECONDS)
        held = self._read()
        return held is not None and held.token == self.own.token

    def _keep(self) -> None:
        while not self._ended.wait(self.heartbeat):
            try:
                held = self._read()
                if held is None or held.token != self.own.token:
                    self.taken_over = True
                    return
                self.own = replace(self.own, beat=self.own.beat + 1)
                self._write()
            except (MlflowException, OSError) as error:  # the store may be back before the lease is over
                log.debug("no heartbeat: %s", error)


def lease_tag(part: str = "") -> str:
    """The tag of a lease on a part of a run; empty for all of it."""
    return f"{LEASE_TAG}.{part}" if part else LEASE_TAG


def owners_of(tags: Mapping[str, str]) -> list[Owner]:
    """Who has, or had when it was killed, leases on a run or on parts of one, by the run's tags."""
    return [owner_in(value) for name, value in tags.items() if name.startswith(LEASE_TAG)]


def owner_in(value: str) -> Owner:
    """The owner that a lease's tag names. One that this version cannot read is of no process here: whether it is alive
    shows in the tag, which changes with its heartbeat."""
    try:
        told = json.loads(value)
        owner = Owner(**{field.name: told[field.name] for field in fields(Owner) if field.name in told})
        if isinstance(owner.pid, int):
            return owner
    except (ValueError, TypeError, RecursionError):
        pass
    return Owner("an unknown machine", machine="", pid=0, started="", token=value)


def this_process() -> Owner:
    """This process, with a new token."""
    pid = os.getpid()
    return Owner(socket.gethostname(), machine_id(), pid, started_at(pid) or "", uuid.uuid4().hex, scheduled_job())


def scheduled_job() -> str:
    """The job of a scheduler that this process is part of, and which start of it; empty outside of one."""
    values = os.environ
    if "SLURM_ARRAY_JOB_ID" in values:
        job = f"{values['SLURM_ARRAY_JOB_ID']}_{values['SLURM_ARRAY_TASK_ID']}"
    else:
        job = values.get("SLURM_JOB_ID", "")
    again = values.get("SLURM_RESTART_COUNT", "0")
    return f"{job} (requeued: {again})" if job and again != "0" else job or values.get("TORCHELASTIC_RUN_ID", "")


def machine_id() -> str:
    """Of this start of this machine, and of the container; process ids mean nothing across either."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    namespace = Path("/proc/self/ns/pid")
    started = boot.read_text().strip() if boot.exists() else f"{socket.gethostname()} {psutil.boot_time():.0f}"
    return f"{started} {namespace.readlink() if namespace.exists() else ''}".strip()


def started_at(pid: int) -> str | None:
    """When a process started, in the system's own count; None for one that has ended."""
    stat = Path(f"/proc/{pid}/stat")
    if stat.parent.parent.joinpath("self").exists():
        try:
            # Behind the name, which may hold spaces and brackets: the state is field 3, the start field 22 (proc(5)).
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            return None
        return None if fields[0] in "ZX" else fields[19]
    return "" if psutil.pid_exists(pid) else None
