"""Who owns a run or a sweep: one process, until it ends.

On machines that share the folder of a store, the system's file locks decide: they go with their process. Between others
the tracking server does. MLflow refuses a second registered model of one name, so a sweep that runs is one.
A process of another machine may be gone without having said so; then the user says so, by `tracking.takeover=true`.
"""

import contextlib
import json
import logging
import os
import socket
import uuid
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import psutil
from filelock import Timeout
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from sentiment_rnn.errors import UserError
from sentiment_rnn.locks import FileLock
from sentiment_rnn.tracking.names import WRITER_TAG
from sentiment_rnn.tracking.store import Store
from sentiment_rnn.tracking.store_errors import STORE_ERRORS, found_or_none, quick_answers

log = logging.getLogger("sentiment_rnn")

OWNER = "owner"
"""Tag of the registered model that stands for a sweep that runs."""
TAKEOVER_SECONDS = 2.0
"""How long who takes over waits for a lock."""
REQUEUED = " (requeued: "
TAKEOVER = "if it is gone, tracking.takeover=true takes its place"


@dataclass(frozen=True)
class Owner:
    """A process that writes a run or runs a sweep."""

    host: str
    machine: str
    """Equal for processes that see each other's ids: since the same start of a machine, in the same container."""
    pid: int
    started: str
    """When the process started, as the system counts: an id is given again."""
    token: str
    """Random."""
    job: str = ""
    """Job id of the scheduler that started it; empty without one."""
    system: str = ""
    """Id of the installed system, which a start of the machine leaves as it is; empty where none is known."""

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}" + (f", job {self.job}" if self.job else "")

    def text(self) -> str:
        """As tags have it."""
        return json.dumps(asdict(self))

    @property
    def is_here(self) -> bool:
        """Whether it is, or was, a process that this one could see."""
        return self.machine == machine_id()

    @property
    def is_this_process(self) -> bool:
        """Whether it is this one."""
        return self.is_here and (self.pid, self.started) == (os.getpid(), started_at(self.pid))

    @property
    def is_gone(self) -> bool:
        """Whether it has certainly ended. Of another machine's, only the scheduler that started it again knows."""
        if self.is_here:
            return started_at(self.pid) != self.started
        if self.system and (self.host, self.system) == (socket.gethostname(), system_id()):
            return boot_of(self.machine) != boot_of(machine_id())  # else it is in another container
        job = scheduled_job()
        return self.job != job and self.job.partition(REQUEUED)[0] == job.partition(REQUEUED)[0] != ""


def this_process() -> Owner:
    """This process, with a new token."""
    pid = os.getpid()
    return Owner(
        socket.gethostname(), machine_id(), pid, started_at(pid) or "", uuid.uuid4().hex, scheduled_job(), system_id()
    )


def owner_in(text: str) -> Owner:
    """The owner that a tag names; one that this version cannot read is of another machine."""
    with contextlib.suppress(ValueError, TypeError, RecursionError):
        told = json.loads(text)
        owner = Owner(**{field.name: told[field.name] for field in fields(Owner) if field.name in told})
        if isinstance(owner.pid, int):
            return owner
    return Owner("an unknown machine", machine="", pid=0, started="", token=text)


def writer_of(run: Run) -> Owner | None:
    """The process that wrote a run last; None for a run of an earlier version."""
    return owner_in(run.data.tags[WRITER_TAG]) if WRITER_TAG in run.data.tags else None


class SweepLock:
    """The right of one launcher to run a sweep: until this process ends, or `release`.

    Args:
        study: the sweep's name.
        digest: what the sweep is.
        takeover: whether a launcher on another machine is gone, as the user says.

    Raises:
        UserError: another process runs this very sweep.
    """

    def __init__(self, store: Store, study: str, digest: str, takeover: bool) -> None:
        self.client = store.client
        self.name = f"sweep {study} is running ({store.experiment_id}-{digest})".replace("/", "-").replace(":", "-")
        self.own = this_process()
        self.taken = False
        try:
            self.lock = own_lock(store.directory / f".sweep-{digest}.lock", takeover, timeout=0)
        except Timeout as error:
            raise UserError(f"study={study}: this very sweep is running; wait for it, or name another study") from error
        if not store.remote:
            return
        held = self._take()
        if held and (takeover or held.is_gone):
            self.client.delete_registered_model(self.name)
            held = self._take()
        if held:
            self.lock.release()
            raise UserError(
                f"study={study}: {held} runs this very sweep; wait for it, or name another study ({TAKEOVER})"
            )

    def release(self) -> None:
        """Let others run the sweep; nothing where another process has taken its place."""
        if self.taken:
            self.taken = False
            with contextlib.suppress(*STORE_ERRORS), quick_answers():  # else the next launcher finds the process gone
                if self._holder().token == self.own.token:
                    self.client.delete_registered_model(self.name)
        self.lock.release()

    def _take(self) -> Owner | None:
        """Take the server's lock; who has it where another process does."""
        held: Owner | None = None
        for _ in range(3):  # it may be released between the two requests
            try:
                self.client.create_registered_model(self.name, {OWNER: self.own.text()})
                held = self.own
            except MlflowException as error:
                # The second where it is released while MLflow looks.
                if error.error_code not in ("RESOURCE_ALREADY_EXISTS", "RESOURCE_DOES_NOT_EXIST"):
                    raise
                held = found_or_none(self._holder)
            if held:
                break
        self.taken = held is not None and held.token == self.own.token  # also where the answer to an attempt was lost
        return None if self.taken else held or owner_in("")

    def _holder(self) -> Owner:
        return owner_in(self.client.get_registered_model(self.name).tags.get(OWNER, ""))


def own_lock(path: Path, takeover: bool, timeout: float | None = None) -> FileLock:
    """A lock of the system that this process has now.

    Args:
        takeover: go on without it where another process, which may be stopped, keeps it.
        timeout: seconds to wait for it; None waits for ever.

    Raises:
        Timeout: it cannot be had.
    """
    lock = FileLock(path)
    try:
        lock.acquire(TAKEOVER_SECONDS if takeover else timeout)
    except Timeout:
        if not takeover:
            raise
        log.warning("%s: taken over from a process that still has it", path)
    return lock


def scheduled_job() -> str:
    """The job of a scheduler that this process is part of, and which start of it; empty outside of one."""
    values = os.environ
    job = values.get("SLURM_JOB_ID", "")
    if "SLURM_ARRAY_JOB_ID" in values:
        job = f"{values['SLURM_ARRAY_JOB_ID']}_{values['SLURM_ARRAY_TASK_ID']}"
    again = values.get("SLURM_RESTART_COUNT", "0")
    return f"{job}{REQUEUED}{again})" if job and again != "0" else job


def machine_id() -> str:
    """Id of this start of this machine and of the container; process ids mean nothing across either."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    namespace = Path("/proc/self/ns/pid")
    started = boot.read_text().strip() if boot.exists() else f"{socket.gethostname()} {psutil.boot_time():.0f}"
    return f"{started} {namespace.readlink() if namespace.exists() else ''}".strip()


def boot_of(machine: str) -> str:
    """The part of a machine's id that says when it started."""
    return machine.partition(" ")[0]


def system_id() -> str:
    """Id of the system that is installed on this machine; empty where it has none."""
    path = Path("/etc/machine-id")
    return path.read_text().strip() if path.exists() else ""


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
