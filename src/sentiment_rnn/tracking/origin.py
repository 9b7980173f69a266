"""Where a run comes from: who started it, with which command, code and protocol, on which processor."""

import getpass
import os
import platform
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from sentiment_rnn import __version__
from sentiment_rnn.masking import masked, masked_command
from sentiment_rnn.tracking.names import (
    COMMAND_VARIABLE,
    COMMIT_TAG,
    LIGHTNING_TAG,
    LONGEST_TAG,
    PROTOCOL_TAG,
    PROTOCOL_VARIABLE,
    TORCH_TAG,
    VERSION_TAG,
)

CODE = ("py", "cpp", "h", "yaml", "toml")
"""Endings of files that decide what a run does."""


def origin_tags() -> dict[str, str]:
    """MLflow's own tags for user, source and commit, the versions of what computes, and the protocol of the study."""
    tags = {
        VERSION_TAG: __version__,
        TORCH_TAG: version("torch"),
        LIGHTNING_TAG: version("lightning"),
        "mlflow.user": user_name(),
        "mlflow.source.name": command_line()[:LONGEST_TAG],
        "mlflow.source.type": "LOCAL",
    }
    if commit := git_commit():
        tags[COMMIT_TAG] = commit
    if protocol := os.environ.get(PROTOCOL_VARIABLE):
        tags[PROTOCOL_TAG] = protocol
    return tags


def user_name() -> str:
    """Who runs this process; empty where the system does not know."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # in a container, without an entry for the user
        return ""


def command_line() -> str:
    """Command line, as far as this process knows, without secrets: a job of a sweep is handed its sweep's."""
    return masked(os.environ.get(COMMAND_VARIABLE, "")) or masked_command([Path(sys.argv[0]).name, *sys.argv[1:]])


def git_commit() -> str | None:
    """The commit of the git folder that this file is in, be it that around an environment, with `-dirty` where its code
    or configuration was changed since; results may be, which a study writes. None where this file is in no such folder.
    """
    status = ["git", "status", "--porcelain=v2", "--branch", "--untracked-files=no"]
    try:
        status_lines = subprocess.run(
            [*status, "--", *(f":/*.{ending}" for ending in CODE)],
            cwd=Path(__file__).parent, capture_output=True, text=True, check=True, timeout=10,
        ).stdout  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    commit = re.search(r"^# branch.oid (\w+)$", status_lines, re.MULTILINE)  # none in a folder without commits
    return commit and commit[1] + ("-dirty" if re.search("^[^#]", status_lines, re.MULTILINE) else "")


def processor_name(accelerator: str) -> str:
    """The GPU, or the processor, its family and model, and what it computes bfloat16 with: `AMD EPYC 25.17,
    avx512_bf16`. Generations share a name.

    Results depend on it: another one uses another floating-point summation order.
    """
    import torch

    from sentiment_rnn import runtime  # loads torch, which commands that list runs do without

    if runtime.on_gpu(accelerator):
        return str(torch.cuda.get_device_name())
    name = runtime.cpuinfo("model name") or platform.processor() or platform.machine()
    generation = ".".join(filter(None, map(runtime.cpuinfo, ("cpu family", "model"))))
    return ", ".join([f"{name} {generation}".strip(), *runtime.bfloat16_units()])
