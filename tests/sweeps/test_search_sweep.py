"""A search that is killed and started again has each trial once, and ends with the best of them; what it refuses."""

import csv
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from processes import Ask, Refused, environment, run_command, wait_for
from stored_runs import runs_in, sweep_in

TRIALS = 20
SEARCH = (
    "-m", "hydra/sweeper=search", f"hydra.sweeper.trials={TRIALS}", "data=generated", "data.train_reviews=64",
    "data.test_reviews=16", "data.max_lag=5", "data.batch_size=16", "encoder=bag",
    "trainer=cpu", "trainer.epochs=1", "trainer.threads=1", "tracking.system_metrics=false", "study=tuned",
)  # fmt: skip
SPACE = ("optimizer.learning_rate=tag(log,interval(1e-4,1e-1))", "embedding.size=choice(2,4)")


def kill_in_trial(number: int, folder: Path) -> None:
    """Start the search, and kill its processes while it trains a trial."""
    output = folder / "output.txt"
    command = [sys.executable, "-m", "sentiment_rnn", "train", *SEARCH, *SPACE]
    with output.open("w") as file:
        process = subprocess.Popen(
            command, cwd=folder, env=environment(), stdout=file, stderr=file, start_new_session=True
        )
    wait_for(lambda: f"tracking.search_trial={number}" in output.read_text() or process.poll() is not None)
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, output.read_text()


@pytest.mark.slow
def test_a_search_that_was_killed_has_each_trial_once_and_says_and_registers_the_best(tmp_path: Path) -> None:
    kill_in_trial(3, tmp_path)
    output = run_command("train", tmp_path, *SEARCH, *SPACE, status=0).stdout
    client, ((parent,), trials) = runs_in(tmp_path)[0], sweep_in(tmp_path)
    assert [run.info.status for run in (parent, *trials)] == ["FINISHED"] * (1 + TRIALS)
    by_number = {int(run.data.tags["sentiment_rnn.search_trial"]): run for run in trials}
    assert sorted(by_number) == list(range(TRIALS))

    best = re.search(rf"best of {TRIALS} trials: trial (\d+), val/accuracy \S+: optimizer.learning_rate=(\S+)", output)
    assert best, output
    scores = {run.info.run_id: run.data.metrics["val/best_accuracy"] for run in trials}
    assert scores[by_number[int(best[1])].info.run_id] == max(scores.values())
    assert by_number[int(best[1])].data.params["optimizer.learning_rate"] == best[2]

    folder = Path(client.download_artifacts(parent.info.run_id, "search", str(tmp_path)))
    assert (folder / "history.png").exists()
    for row in csv.DictReader((folder / "trials.csv").read_text().splitlines()):
        run = by_number[int(row["number"])]
        assert (row["state"], float(row["val/best_accuracy"])) == ("COMPLETE", scores[run.info.run_id])

    run_command("compare", tmp_path, "tuned", "--register", "--panel", "accuracy", status=0)
    assert scores[client.get_model_version_by_alias("demo", "champion").run_id] == max(scores.values())


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("seed=0", "error: hydra/sweeper=search: there is nothing to search"),
        ("encoder.layers=interval(1)", "error: encoder.layers=interval(1): expected interval(LOW,HIGH), two numbers"),
        ("encoder=choice(bag,lsmt)", "error: In 'config': Could not find 'encoder/lsmt'"),
        ("hydra.sweeper.trails=3", "error: hydra.sweeper.trails: no such key; did you mean trials?"),
    ],
)
def test_a_search_that_cannot_run_is_refused_in_one_line(
    override: str, line: str, tmp_path: Path, refused: Refused
) -> None:
    assert refused(tmp_path, *SEARCH, override).startswith(line)
    assert not (tmp_path / "runs" / "mlflow.db").exists()


def test_a_search_on_other_reviews_is_another_search(tmp_path: Path, ask: Ask) -> None:
    command = [override for override in SEARCH if not override.startswith(("hydra.sweeper.trials", "data"))]
    command += ["hydra.sweeper.trials=1", "data=files", "data.train=reviews.csv", *SPACE[:1]]
    for word, trials in (("good", 1), ("good", 1), ("fine", 2)):
        rows = [f"a {word} film {number},{number % 2}" for number in range(60)]
        (tmp_path / "reviews.csv").write_text("\n".join(["text,label", *rows]))
        ask("train", tmp_path, *command)
        assert len(sweep_in(tmp_path)[1]) == trials
