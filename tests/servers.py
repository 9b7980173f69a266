"""Tracking servers in processes of their own, which can be taken away and brought back."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from processes import environment, free_port, wait_for_answer

REPOSITORY = Path(__file__).resolve().parents[1]


class Server:
    """A command that serves on 127.0.0.1, at one port however often it is started."""

    def __init__(self, command: list[str], folder: Path, port: int, **variables: str) -> None:
        self.command, self.folder, self.port = command, folder, port
        self.variables = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", **variables}
        self.uri = f"http://127.0.0.1:{port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait for its first answer."""
        log = (self.folder / "server.log").open("ab")
        self.process = subprocess.Popen(
            self.command, cwd=self.folder, env=environment() | self.variables, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
        try:
            wait_for_answer(f"{self.uri}/health", self.process)
        except (AssertionError, TimeoutError) as error:
            raise TimeoutError((self.folder / "server.log").read_text()) from error

    def stop(self, how: int = signal.SIGKILL) -> None:
        """End it and what it has started, by default without a word."""
        if self.process and self.process.poll() is None:
            if how == signal.SIGKILL:
                os.killpg(self.process.pid, how)
            else:
                self.process.send_signal(how)
            self.process.wait(60)


def sqlite_server(folder: Path) -> Server:
    """MLflow's server on SQLite, which stores artifacts as well."""
    port = free_port()
    command = [
        sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
        "--backend-store-uri", f"sqlite:///{folder}/server.db", "--serve-artifacts",
        "--artifacts-destination", f"{folder}/served",
    ]  # fmt: skip
    return Server(command, folder, port)


def make_server(folder: Path, **variables: str) -> Server:
    """The server of `make server`."""
    port = free_port()
    command = [str(REPOSITORY / "tools" / "server.sh"), sys.executable]
    return Server(command, folder, port, STORE=str(folder), PORT=str(port), WORKERS="1", **variables)


def asking_server(folder: Path) -> Server:
    """That of `make server AUTH=1`, on SQLite."""
    return make_server(folder, AUTH="1", DATABASE=f"sqlite:///{folder}/server.db")


def admin_password(server: Server) -> str:
    """The password that `make server AUTH=1` has made for `admin`."""
    return (server.folder / "server" / "admin-password").read_text().strip()


def postgres_server(folder: Path, cluster: Path) -> Server:
    """That of `make server`, on PostgreSQL."""
    return make_server(folder, CLUSTER=str(cluster))
