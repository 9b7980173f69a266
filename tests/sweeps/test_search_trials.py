"""Whoever searches is promised each trial once, and the same proposals, whatever was interrupted, failed or pruned."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState, create_trial

from sentiment_rnn.config.sections import SearchConfig
from sentiment_rnn.engine.pruning import load_study, study_file
from sentiment_rnn.engine.train import train
from sentiment_rnn.errors import UserError
from sentiment_rnn.report.plotting import search_history
from sentiment_rnn.sweeps.search import open_study, run_trials
from sentiment_rnn.sweeps.space import Space
from sentiment_rnn.tracking.run import DivergedError, PrunedError
from sentiment_rnn.tracking.store import open_store
from sentiment_rnn.tracking.sweeps import OpenSweep, jobs_of
from short_runs import ADDING, config_of
from stored_runs import runs_in

SETTINGS = SearchConfig("", sampler="tpe", trials=14, seed=0, pruning=None, at_once=None)
SPACE = Space([], {"x": FloatDistribution(0, 1), "kind": CategoricalDistribution(["a", "b"])}, [])


class Launcher:
    """Scores a trial by its distance from x = 0.3; notes every batch.

    Args:
        endings: exceptions by trial: a failure is given back, what kills a process is raised.
    """

    def __init__(self, endings: dict[int, BaseException] | None = None) -> None:
        self.endings = endings or {}
        self.batches: list[list[int]] = []
        self.jobs: dict[int, list[str]] = {}

    def __call__(self, jobs: Sequence[Sequence[str]]) -> list[Any]:
        numbers = [int(job[-1].removeprefix("tracking.search_trial=")) for job in jobs]
        self.batches.append(numbers)
        found: list[Any] = []
        for number, job in zip(numbers, jobs, strict=True):
            self.jobs[number] = list(job[:-1])
            ending = self.endings.get(number)
            if isinstance(ending, KeyboardInterrupt):
                raise ending
            found.append(ending or abs(float(job[0].removeprefix("x=")) - 0.3))
        return found


def opened(folder: Path, settings: SearchConfig = SETTINGS) -> optuna.Study:
    """The study in a folder, as a new process reads it."""
    return open_study(folder / "search" / "space.log", "min", settings)


def searched(folder: Path, launcher: Launcher, at_once: int = 1, **changed: Any) -> tuple[optuna.Study, int]:
    """Search, in a new process as it were; the study, and how many trials failed."""
    settings = replace(SETTINGS, **changed)
    study = opened(folder, settings)
    return study, run_trials(study, SPACE, settings, at_once, launcher, lambda: None)


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_a_search_that_was_interrupted_proposes_what_an_undisturbed_one_does(tmp_path: Path, sampler: str) -> None:
    whole = Launcher()
    searched(tmp_path / "whole", whole, sampler=sampler)
    assert len({tuple(job) for job in whole.jobs.values()}) == 14, "no proposal twice"
    parts = [Launcher({number: KeyboardInterrupt()}) for number in (3, 12)]
    for part in parts:
        with pytest.raises(KeyboardInterrupt):
            searched(tmp_path / "parts", part, sampler=sampler)
    last = Launcher()
    study, _ = searched(tmp_path / "parts", last, sampler=sampler)
    assert last.batches == [[12], [13]], "the broken trial first, then what is left"
    assert parts[0].jobs | parts[1].jobs | last.jobs == whole.jobs
    assert parts[0].jobs[3] == parts[1].jobs[3]
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE] * 14


def test_trials_are_asked_for_in_batches_and_a_finished_search_runs_those_that_it_lacks(tmp_path: Path) -> None:
    launcher = Launcher()
    for trials in (10, 10, 11):
        searched(tmp_path, launcher, at_once=4, trials=trials)
    assert launcher.batches == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9], [10]]


def test_a_failed_trial_stays_open_and_is_run_again_by_the_next_search(tmp_path: Path) -> None:
    first = Launcher({1: RuntimeError("disk\nfull"), 2: RuntimeError()})
    assert searched(tmp_path, first, trials=4)[1] == 2
    second = Launcher()
    assert searched(tmp_path, second, trials=4)[1] == 0
    assert (first.batches, second.batches) == ([[0], [1], [2], [3]], [[1], [2]])
    assert second.jobs[1] == first.jobs[1]


def test_pruned_and_diverged_trials_have_ended_and_are_no_failures(tmp_path: Path) -> None:
    launcher = Launcher({0: PrunedError("after epoch 1 of 3"), 1: DivergedError("the loss is nan")})
    study, failed = searched(tmp_path, launcher, trials=3)
    assert failed == 0
    assert [trial.state.name for trial in study.trials] == ["PRUNED", "PRUNED", "COMPLETE"]


def test_a_trial_that_was_killed_while_it_was_proposed_is_proposed_anew(tmp_path: Path) -> None:
    opened(tmp_path).ask({"x": SPACE.dimensions["x"]})
    launcher = Launcher()
    study, _ = searched(tmp_path, launcher, trials=2)
    assert launcher.batches == [[1], [2]]
    assert [trial.state.name for trial in study.trials] == ["FAIL", "COMPLETE", "COMPLETE"]


def test_a_search_that_was_killed_while_its_log_was_begun_can_be_opened(tmp_path: Path) -> None:
    opened(tmp_path)
    log = tmp_path / "search" / "space.log"
    whole = log.read_bytes()
    for written in range(0, len(whole), 16):
        log.write_bytes(whole[:written])
        assert opened(tmp_path).user_attrs == {"pruning": None}


def test_a_run_that_is_worse_than_the_median_is_pruned_and_says_so(tmp_path: Path) -> None:
    config = config_of(tmp_path, ADDING, "trainer.epochs=3", "study=tuned")
    sweep = OpenSweep(open_store(config.tracking), "tuned", [], trials=6, search="space")
    study = open_study(study_file(sweep.store, "space"), "min", replace(SETTINGS, pruning="median"))
    for _ in range(5):
        study.add_trial(create_trial(value=0.0, intermediate_values={1: 1e9, 2: 0.0, 3: 0.0}))
    config.tracking.search_trial = study.ask().number
    with pytest.raises(PrunedError, match="after epoch 2 of 3"):
        train(config, ["seed=0"], in_sweep=True)
    assert list(study.trials[5].intermediate_values) == [1, 2]

    def child() -> Any:
        (found,) = [run for run in runs_in(tmp_path)[1] if run.info.run_id != sweep.run_id]
        return found

    pruned = child()
    assert (pruned.info.status, pruned.data.tags["sentiment_rnn.pruned"]) == ("KILLED", "after epoch 2 of 3")
    assert pruned.data.tags["sentiment_rnn.search_trial"] == "5"
    assert pruned.info.run_name.endswith(" trial=5")
    assert {"val/loss", "test/loss"} & pruned.data.metrics.keys() == {"val/loss"}
    with pytest.raises(PrunedError, match="after epoch 2 of 3"):
        train(config, ["seed=0"], in_sweep=True)  # as where the search was killed before it heard of it
    assert child().info.end_time == pruned.info.end_time, "nothing was trained"
    listed = jobs_of(sweep.store.client.get_run(sweep.run_id))
    assert listed == {5: (pruned.data.tags["sentiment_rnn.identity"], ["seed=0"])}
    config.tracking.search_trial = None
    train(config, ["seed=0"])  # asked for by itself
    assert child().info.status == "FINISHED"


def test_the_best_so_far_follows_the_direction() -> None:
    for mode, expected in (("max", [0.2, 0.6, 0.6]), ("min", [0.2, 0.2, 0.1])):
        (axes,) = search_history({0: 0.2, 3: 0.6, 4: 0.1}, [1, 2], "val/accuracy", mode).axes
        drawn = {line.get_label(): [*line.get_ydata()] for line in axes.lines}
        assert drawn["best so far"] == expected


@pytest.mark.parametrize("line", [b"\xff", b'{"op_code": 4, "worker_id": "x"}'])
def test_a_damaged_log_is_one_line_that_names_it(tmp_path: Path, line: bytes) -> None:
    searched(tmp_path, Launcher(), trials=3)
    path = tmp_path / "search" / "space.log"
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([*lines[:4], line, *lines[4:]]) + b"\n")
    for read in (opened, lambda _: load_study(path)):
        with pytest.raises(UserError, match=r"^\S+space\.log: damaged \(.*move it away"):
            read(tmp_path)
