"""Every documented command and make target, run as it stands, at a tiny size, in a copy of the checkout."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from documented import REPOSITORY, commands, targets
from made_imdb import write_imdb, write_unlabelled
from processes import environment, free_port, served

TINY = "trainer.epochs=1 trainer.threads=1 encoder.hidden_size=4 embedding.size=4 tracking.system_metrics=false"
GENERATED = f"{TINY} data.train_reviews=120 data.test_reviews=40 data.max_lag=20"
IMDB = f"{TINY} data.verify=false"


class Step(NamedTuple):
    """A documented command, and overrides that make it small."""

    line: str
    shows: str
    """Pattern that its output must match."""
    more: str = ""
    """Overrides; a make target takes them as ARGS."""

    def __str__(self) -> str:
        return self.line[:40]


INSPECT_TWO, SWEEP = (
    next(line for line in commands() if line.startswith(f"make {beginning}"))
    for beginning in ('inspect ARGS="--model sentiment', "sweep ARGS=")
)
WALKS = {
    "demo": [
        Step("make", "Compare rnn, lstm and bag"),
        Step("make demo", "(?s)registered as demo@champion.*Figure: runs/demo/comparison", f"{GENERATED} seed=0"),
        Step(
            'make predict TEXT="The beginning is slow. The ending is one of the finest I have seen."',
            "has read generated reviews alone",
        ),
        Step("make evaluate FILE=reviews.csv", "accuracy"),
        Step(
            'make inspect TEXT="The beginning is slow. The ending is one of the finest I have seen."',
            r"inspection\.html",
        ),
        Step(
            'make inspect ARGS="--model demo@lstm --against demo@rnn" TEXT="I really liked the movie but I was '
            'disappointed in the service and cleanliness of the cinema."',
            r"(?s)lstm: .*rnn: .*inspection\.html",
        ),
        Step("make serve", "ping", "--port PORT"),
        Step("make ui", "", "PORT"),
        Step("make learning-rate-demo", "Figure: runs/learning_rate_demo", f"{GENERATED} optimizer.learning_rate=0.01"),
        Step("make report", r"report\.html"),
        Step("make readme", ""),
        Step("sentiment-rnn runs --json", '"name": "demo"'),
        Step('for folder in runs/checkpoints/*; do test -e "$folder/last.ckpt" || rm -r "$folder"; done', "^$"),
        Step("sentiment-rnn train --help", "trainer.epochs"),
        Step("make clean", ""),
    ],
    "imdb": [
        Step("make compare IMDB_ARCHIVE=path/aclImdb_v1.tar.gz", "Figure: runs/rnn_vs_lstm", f"{IMDB} seed=0"),
        Step(INSPECT_TWO, r"inspection\.html"),
        Step("make train", "validation", f"data=imdb {IMDB}"),
        Step("sentiment-rnn train data=imdb encoder=lstm seed=0", "validation", IMDB),
        Step("sentiment-rnn train -m data=imdb encoder=rnn,lstm,gru seed=0,1,2 study=mine", "FINISHED", IMDB),
        Step("sentiment-rnn compare mine --output runs/mine", "Figure: runs/mine/comparison"),
        Step(SWEEP, "logged to run", IMDB),
        Step("make best", "(?s)perplexity.*pooling last_mean_max.*Figure: runs/best/comparison", IMDB),
        Step(
            "sentiment-rnn train experiment=best data=files data.train=reviews.csv trainer.epochs=null study=own",
            "pooling last_mean_max, seed 0: validation",
            f"{TINY.partition(' ')[2]} data.validation_fraction=0.3 data.least_steps=1",
        ),
        Step("sentiment-rnn compare own --register --model products", "registered as products@champion"),
        Step("sentiment-rnn serve --model products", "ping", "--port PORT"),
    ],
}
"""Commands that build on each other, in order; each list in a copy of its own."""

ELSEWHERE = {
    "tests/test_wheel.py": (
        "sentiment-rnn train -m data=files", "sentiment-rnn predict",
        "mlflow models serve",
    ),
    "tests/experiments/test_scripts.py": (
        "make bench-quick",
    ),
    "tests/cli/test_use.py": ("curl ", "sentiment-rnn evaluate"),
    "tests/test_own_encoder.py": (
        "python -m sentiment_rnn train -m --config-dir my_conf", "sentiment-rnn compare cells", "make lag",
    ),
    "tests/test_site.py": ("make docs",),
    "tests/tracking/test_publish.py": ("sentiment-rnn publish",),
    "tests/sweeps/test_dry_run.py": (
        "sentiment-rnn train -m data=imdb encoder=rnn,lstm seed=0,1,2 study=mine --dry-run",
    ),
    "tests/faults/test_passwords.py": ("make server",),
    "tests/tasks/test_pretrained.py": ("sentiment-rnn train task=language_model",),
    "tests/sweeps/test_search_sweep.py": (
        "sentiment-rnn train -m hydra/sweeper=search", "sentiment-rnn compare tuned",
    ),
    ".ci/run": ("make setup", "make lint", "make test"),
}  # fmt: skip
"""Beginnings of commands, by the file that runs them."""

NOT_RUN = {
    "hours of work": ("make study", "make studies", "python -m experiments.lab study", "make learning-rate"),
    "the same sweep as one that is run, with other values": (
        "sentiment-rnn train -m data=imdb encoder=rnn,lstm seed", "sentiment-rnn train -m encoder=rnn,lstm",
        "sentiment-rnn train -m data=generated encoder=rnn,lstm",
        "sentiment-rnn train data=files", "sentiment-rnn train encoder=lstm", "make compare OUTPUT=",
        "sentiment-rnn train data=imdb encoder=lstm pretrained", "sentiment-rnn train data=imdb encoder=gru pooling",
        "sentiment-rnn train -m data=imdb encoder=rnn,lstm seed=0,1,2 study=mine precision",
    ),
    "tests run their scripts": (
        "make bench", "make notebook",
    ),
    "Docker's engine": ("docker ",),
    "a server of others": (
        "sentiment-rnn compare mine --tracking-uri",
        "sentiment-rnn train -m data=imdb encoder=rnn,lstm seed=0,1,2 study=mine tracking.uri=",
    ),
    "the shell's own": ("source ",),
}  # fmt: skip
"""Beginnings of commands that nothing runs, by the reason."""


def test_every_documented_command_is_run_or_says_why_not() -> None:
    listed = tuple(beginning for group in (ELSEWHERE, NOT_RUN) for lines in group.values() for beginning in lines)
    walked = {step.line for steps in WALKS.values() for step in steps}
    asked = {*commands(), *(f"make {target}" for target in targets() - {"help"})}
    # A bare target counts as run where a line with its variables is.
    run = {line for line in asked if any(step == line or step.startswith(f"{line} ") for step in walked)}
    assert {line for line in asked - run if not line.startswith(listed)} == set()
    assert walked - asked <= {"make"}, "commands that no document has"
    unused = {beginning for beginning in listed if not any(line.startswith(beginning) for line in asked)}
    assert unused == set(), "beginnings of commands that no document has"


@pytest.fixture(scope="module")
def checkouts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """For each walk a copy of the tracked files with this environment, some labelled texts and a tiny IMDb."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, check=True, capture_output=True, text=True)
    there = {walk: tmp_path_factory.mktemp(walk) for walk in WALKS}
    for folder in there.values():
        for name in filter(None, names.stdout.split("\0")):
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, target)
        (folder / ".venv").symlink_to(Path(sys.prefix))
        (folder / "path").mkdir()
        (folder / "path" / "aclImdb_v1.tar.gz").symlink_to(write_unlabelled(write_imdb(folder / "path")))
        texts = (f"film {n} was great .,1\nfilm {n} was awful .,0\n" for n in range(20))
        (folder / "reviews.csv").write_text("text,label\n" + "".join(texts))
    return there


def small(step: Step) -> str:
    """The line in its tiny size, for a shell in the copy."""
    # The environment is this one, so nothing is to be set up, whatever the times of the files in the copy.
    line = step.line.replace("make", "make -o .venv/.ready", 1) if step.line.startswith("make") else step.line
    line = line.replace("seed=0,1,2", "seed=0")
    if not step.more or not step.line.startswith("make"):
        return f"{line} {step.more}"
    if step.more == "PORT":
        return f"{line} PORT=PORT"
    return line.replace('ARGS="', f'ARGS="{step.more} ') if 'ARGS="' in line else f'{line} ARGS="{step.more}"'


@pytest.mark.slow
@pytest.mark.parametrize(("walk", "step"), [(walk, step) for walk, steps in WALKS.items() for step in steps], ids=str)
def test_a_documented_command_runs(walk: str, step: Step, checkouts: dict[str, Path]) -> None:
    folder, line = checkouts[walk], small(step)
    path = f"{folder}/.venv/bin{os.pathsep}{os.environ['PATH']}"
    if "PORT" in line:
        port = free_port()
        command = line.replace("PORT=PORT", f"PORT={port}").replace("--port PORT", f"--port {port}")
        with served(["sh", "-c", command], folder, f"http://127.0.0.1:{port}/{step.shows}"):
            return
    done = subprocess.run(
        line, shell=True, cwd=folder, capture_output=True, text=True, timeout=280,
        env=environment() | {"PATH": path, "IMDB_ARCHIVE": "path/aclImdb_v1.tar.gz"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(step.shows, done.stdout + done.stderr), done.stdout + done.stderr
