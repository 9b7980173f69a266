"""Whoever waits for a lock is promised to learn which process holds it."""

import logging
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from processes import wait_for
from sentiment_rnn import files
from sentiment_rnn.files import FileLock

HOLDS = """
import os, signal, sys
from filelock import FileLock
with FileLock(sys.argv[1]):
    print("held", flush=True)
    os.kill(os.getpid(), signal.SIGSTOP)
"""


def test_a_command_that_waits_for_a_stopped_process_says_for_which_and_goes_on_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(files, "SILENT_SECONDS", 0.2)
    with subprocess.Popen([sys.executable, "-c", HOLDS, tmp_path / "lock"], stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        holder.stdout.readline()
        os.waitpid(holder.pid, os.WUNTRACED)

        def wake_once_that_is_said() -> None:
            wait_for(lambda: caplog.messages)
            holder.send_signal(signal.SIGCONT)

        threading.Thread(target=wake_once_that_is_said).start()
        with caplog.at_level(logging.WARNING, logger="sentiment_rnn"), FileLock(tmp_path / "lock") as lock:
            assert lock.is_locked
        holder.wait()
    (line,) = caplog.messages
    assert line.startswith(f"waiting for {tmp_path / 'lock'}, which ")
    assert (f"process {holder.pid} (" in line and ", stopped)" in line) or not Path("/proc/locks").exists()
