"""A Slurm cluster of one node on this machine's loopback address, with its own configuration and state."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from processes import free_port, wait_for

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scontrol", "squeue")
CONFIGURATION = """
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={daemon}
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=2,bf_interval=2
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=10
MpiDefault=none
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=4000 State=UNKNOWN
PartitionName=tests Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> str:
    """Why no cluster can be started here; empty where one can."""
    absent = [program for program in PROGRAMS if not program_path(program)]
    if absent:
        return f"no Slurm here ({', '.join(absent)}): install slurm-wlm and munge (Debian)"
    return "" if os.geteuid() == 0 else "Slurm's daemons need root"


def program_path(name: str) -> str | None:
    """Where a program is; daemons are not on everybody's path."""
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")


@contextmanager
def slurm_cluster(folder: Path, cpus: int = 2) -> Iterator[dict[str, str]]:
    """Start it, and stop it with the block; gives the variables by which Slurm's commands find it."""
    host = socket.gethostname().split(".")[0]
    controller, daemon = free_port(), free_port()
    for name in ("state", "spool"):
        (folder / name).mkdir()
    settings = CONFIGURATION.format(host=host, controller=controller, daemon=daemon, folder=folder, cpus=cpus)
    (folder / "slurm.conf").write_text(settings)
    (folder / "cgroup.conf").write_text("CgroupPlugin=disabled\n")
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    variables = {"SLURM_CONF": str(folder / "slurm.conf")}
    places = {"socket": "munge.socket", "key-file": "munge.key", "pid-file": "munge.pid", "log-file": "munge.log",
              "seed-file": "munge.seed"}  # fmt: skip
    munge = ["munged", "--foreground", "--force", *(f"--{option}={folder / name}" for option, name in places.items())]
    with ExitStack() as running:
        running.enter_context(daemon_of(munge, variables, folder))
        wait_for(lambda: (folder / "munge.socket").exists())
        running.enter_context(daemon_of(["slurmctld", "-D", "-i"], variables, folder))
        running.enter_context(daemon_of(["slurmd", "-D", "-N", host], variables, folder))
        wait_for(lambda: "idle" in slurm(variables, "sinfo", "--noheader", "--format=%T"))
        try:
            yield variables
        finally:
            slurm(variables, "scancel", "--user=root", "--signal=KILL")
            time.sleep(1)


@contextmanager
def daemon_of(command: list[str], variables: dict[str, str], folder: Path) -> Iterator[None]:
    """Run a daemon until the block ends."""
    program = program_path(command[0])
    assert program
    with (folder / f"{command[0]}.out").open("wb") as output:
        process = subprocess.Popen(
            [program, *command[1:]], env={**os.environ, **variables}, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def slurm(variables: dict[str, str], *command: str) -> str:
    """Output of one of Slurm's commands."""
    done = subprocess.run(command, env={**os.environ, **variables}, capture_output=True, text=True, timeout=60)
    return done.stdout + done.stderr
