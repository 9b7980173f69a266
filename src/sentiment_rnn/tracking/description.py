"""The description of a run that is recorded when it starts, in plain values."""

import getpass
import os
import platform
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from sentiment_rnn import __version__
from sentiment_rnn.config.code import loaded_code_digest
from sentiment_rnn.config.run import RunConfig
from sentiment_rnn.tracking.names import (
    CODE_TAG,
    COMMAND_VARIABLE,
    COMMIT_TAG,
    CONFIGURATION,
    IDENTITY_TAG,
    LIGHTNING_TAG,
    LONGEST_TAG,
    OVERRIDES,
    PROCESSOR_TAG,
    PROTOCOL_TAG,
    PROTOCOL_VARIABLE,
    SEARCH_TRIAL_TAG,
    STUDY_TAG,
    TORCH_TAG,
    TRIAL_TAG,
    VERSION_TAG,
)

CODE = ("py", "cpp", "h", "yaml", "toml")
"""Suffixes of files that decide what a run does."""
LONGEST_PARAM = 6000
"""Most characters of a parameter in MLflow."""
LONGEST_NAME = 250
"""Most characters of a run's name in MLflow."""
MAIN = (
    *("seed", "precision", "task.name", "data.name", "data.max_lag", "encoder.name", "encoder.hidden_size"),
    *("encoder.layers", "embedding.size", "pooling.name", "optimizer.learning_rate", "trainer.accelerator"),
    *("trainer.epochs", "pretrained"),
)
"""Parameters that MLflow's pages show for every run."""


def origin_tags() -> dict[str, str]:
    """MLflow's own tags for user, source and commit; the versions of the libraries that compute; and the protocol of
    the study."""
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
    """Name of the user of this process; empty if the system does not know it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # in a container, without an entry for the user
        return ""


def command_line() -> str:
    """Command line that started this process; for a job of a sweep, that of the sweep."""
    return os.environ.get(COMMAND_VARIABLE) or shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])


def git_commit() -> str | None:
    """The commit of the git repository that contains this file, perhaps around a virtual environment. It ends with
    `-dirty` if code or configuration has changed since; results, which a study writes, may change. None if this file is
    in no repository."""
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
    """The GPU; or the processor with its family and model, since generations share a name, and its unit for bfloat16:
    `AMD EPYC 25.17, avx512_bf16`.

    Results depend on it, since devices differ in their order of floating-point summation.
    """
    import torch

    from sentiment_rnn import runtime  # here, since it loads torch, which commands that list runs do not need

    if runtime.on_gpu(accelerator):
        return str(torch.cuda.get_device_name())
    name = runtime.cpuinfo("model name") or platform.processor() or platform.machine()
    generation = ".".join(filter(None, map(runtime.cpuinfo, ("cpu family", "model"))))
    return ", ".join([f"{name} {generation}".strip(), *runtime.bfloat16_units()])


@dataclass(frozen=True)
class Description:
    """Values that are recorded when a run starts."""

    identity: str
    """`RunConfig.identity`."""
    study: str
    """Name of the run's sweep, or the study of a single run."""
    overrides: list[str]
    """Overrides of the command line."""
    params: dict[str, str]
    """Parameters that MLflow's pages show: the main ones, and those that the user gave."""
    tags: dict[str, str]
    files: dict[str, str]
    """Texts by the name of their artifact: the whole configuration, and the overrides."""
    data: str
    """Name of the source of the reviews; empty where there is none."""
    variant: list[str]
    """Tells a single run from others, without a sweep that defines what varies: `["lstm", "last", "seed=0"]`."""
    search_trial: int | None
    """Number among the trials of a search."""
    system_metrics: bool
    """Whether the use of processor and memory is recorded."""

    def name(self, varied: Sequence[str]) -> str:
        """`imdb lstm seed=0`: the data, and what differs between the jobs of the run's sweep."""
        words = [self.data, *(override.removeprefix("encoder=") for override in varied or self.variant)]
        return " ".join(filter(None, words))[:LONGEST_NAME]


def description_of(config: RunConfig, identity: str, overrides: Sequence[str]) -> Description:
    """The description of a run.

    Args:
        config: resolved, as the run trains it.
        overrides: those of the command line.
    """
    settings, overrides, tags = config.settings(), list(overrides), config.tags
    trial = config.tracking.search_trial
    given_keys = {override.lstrip("+").partition("=")[0] for override in overrides}
    params = {key: value[:LONGEST_PARAM] for key, value in _flat(settings).items() if key in (*MAIN, *given_keys)}
    variant = [*tags.values(), f"seed={config.seed}", *([] if trial is None else [f"trial={trial}"])]
    return Description(
        identity=identity,
        study=settings["study"],
        overrides=overrides,
        params=params,
        tags={
            **tags,
            **origin_tags(),
            IDENTITY_TAG: identity,
            STUDY_TAG: settings["study"],
            CODE_TAG: loaded_code_digest(tuple(config.targets)),
            PROCESSOR_TAG: processor_name(config.trainer.accelerator),
            **({} if trial is None else {SEARCH_TRIAL_TAG: str(trial)}),
            **({TRIAL_TAG: config.trainer.trial} if config.trainer.trial else {}),
        },
        files={
            CONFIGURATION: yaml.safe_dump(settings, sort_keys=False),
            OVERRIDES: yaml.safe_dump(overrides),
        },
        data=settings["data"]["name"] if "data" in settings else "",
        variant=variant,
        search_trial=trial,
        system_metrics=config.tracking.system_metrics,
    )


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Values as text by their dotted keys."""
    flat: dict[str, str] = {}
    for key, value in settings.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: str(value)}
    return flat
