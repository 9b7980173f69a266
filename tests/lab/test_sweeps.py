"""A sweep of a study is the tool's own command, and its runs are measured as their study asks."""

import math
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from made_studies import make_study, search_rows
from omegaconf import open_dict

from experiments.lab import sweeps
from experiments.lab.results import Correct, check_correct, results_csv, rows_of, values_of
from experiments.lab.run import is_measured
from experiments.lab.study import ENCODERS, Study, Sweep, all_studies
from experiments.lab.sweeps import (
    CHANGED,
    Measured,
    learning_time,
    measured,
    overrides_of,
    train,
    trainable,
    trained_runs,
)
from made_results import make_result, predictions_of
from sentiment_rnn.config import CONFIGURATION
from sentiment_rnn.config.loading import checked
from sentiment_rnn.config.store import register_schema
from sentiment_rnn.errors import UserError
from sentiment_rnn.report.plotting import write_folder
from sentiment_rnn.sweeps.plan import job_configs, job_overrides
from sentiment_rnn.tracking.names import PROTOCOL_TAG
from sentiment_rnn.tracking.results import RecordedRun

STORE: Any = None
OWN_ENCODERS = ENCODERS[1].parent


@pytest.fixture
def composing() -> Iterator[None]:
    """Hydra as `train` has it."""
    register_schema()
    GlobalHydra.instance().clear()
    with initialize_config_dir(CONFIGURATION, version_base="1.3"):
        yield


def composed(study: Study, sweep: Sweep, arm: str) -> Any:
    """The checked configuration of the first run of an arm, as the tool makes it."""
    one = replace(sweep, seeds=sweep.seeds[:1], draws=sweep.draws[:1], seeds_of_draw=min(1, sweep.seeds_of_draw))
    beside = [f"hydra.searchpath=[file://{OWN_ENCODERS}]"] if OWN_ENCODERS.is_dir() else []
    return checked(compose("config", [*overrides_of(study, one, [arm]), *beside]))


def check_planned(study: Study, sweep: Sweep, arm: str) -> None:
    """That the configuration of a run is what its study declares."""
    config = composed(study, sweep, arm)
    assert (config.study, config.seed, config.encoder.name) == (sweep.name, sweep.seeds[0], study.arms[arm].encoder)
    if sweep.best_of:
        assert config.optimizer.draw in study.sweep(sweep.best_of).draws
    else:
        assert config.optimizer.draw == (sweep.draws[0] if sweep.draws else sweeps.chosen_draws(study, sweep)[arm])
    if sweep.condition.isdecimal():
        assert config.data.max_lag == int(sweep.condition)
    elif sweep.condition:
        assert config.task.title == sweep.condition
    if sweep.seeds_of_draw:
        assert config.data.generator_seed == sweep.draws[0]
    if study.name in ("lag", "ablation", "gradient", "reach") and not sweep.searches:
        reviews = round((1 - config.data.validation_fraction) * config.data.train_reviews / config.data.batch_size)
        assert config.settle_epochs(reviews) == (18_000 if sweep.settings["trainer.epochs"] == 80 else 1_800)


def planned(study: Study) -> list[tuple[Sweep, list[str]]]:
    """Its sweeps with arms that have a learning rate."""
    every = [sweep for protocol in study.protocols.values() for sweep in protocol.sweeps]
    return [(sweep, arms) for sweep in every if (arms := trainable(study, sweep, []))]


@pytest.mark.usefixtures("composing")
@pytest.mark.parametrize("study", all_studies(), ids=lambda study: study.name)
def test_sweeps_that_have_each_setting_between_them_are_configurations_of_the_tool(study: Study) -> None:
    seen: set[tuple[str, bool]] = set()
    for sweep, arms in reversed(planned(study)):
        settings = {(key, sweep.searches) for key in sweep.settings}
        if not settings <= seen:
            seen |= settings
            check_planned(study, sweep, arms[-1])


@pytest.mark.slow
@pytest.mark.usefixtures("composing")
@pytest.mark.parametrize("study", all_studies(), ids=lambda study: study.name)
def test_every_arm_in_each_kind_of_its_sweeps_is_a_configuration_of_the_tool(study: Study) -> None:
    kinds = {(arm, *sweep.settings, sweep.searches): sweep for sweep, arms in planned(study) for arm in arms}
    for (arm, *_), sweep in kinds.items():
        check_planned(study, sweep, arm)


def test_a_sweep_is_the_overrides_of_its_study(tmp_path: Path) -> None:
    settings: Any = {"data": "generated", "trainer.target_score": None, "tracking.system_metrics": False}
    study = make_study(tmp_path, settings=settings)
    assert overrides_of(study, study.sweep("search_20"), ["rnn", "lstm"]) == [
        "study=search_20", "encoder=rnn,lstm", "seed=100", "data='generated'", "trainer.target_score=null",
        "tracking.system_metrics=false", "data.max_lag=20", "optimizer.draw=0,1,2,3",
    ]  # fmt: skip
    rows = [
        row for arm, scores in (("rnn", [50, 60]), ("lstm", [90, 80])) for row in search_rows("search_20", arm, scores)
    ]
    (study.folder / "results.csv").write_text(results_csv(rows_of("made", rows)))
    assert trainable(study, study.sweep("learn_50"), []) == ["rnn", "lstm"]
    assert trainable(study, study.sweep("learn_50"), ["encoder=lstm,gru", "seed=0"]) == ["lstm"]
    assert trainable(study, study.sweep("learn_50"), ["encoder=gru", "optimizer.draw=0"]) == ["gru"], "a rate is given"
    assert overrides_of(study, study.sweep("learn_50"), ["rnn", "lstm"])[-1] == "+optimizer.draws={rnn:1,lstm:0}"


def test_where_the_draw_is_the_unit_it_decides_seeds_and_corpus(tmp_path: Path) -> None:
    sweep = {"name": "drawn", "at": [20], "arms": ["rnn"], "draws": "7-8", "seeds_of_draw": 2}
    study = make_study(tmp_path, {"sweeps": [sweep]})
    drawn = study.sweep("drawn")
    assert drawn.runs == {("rnn", 70, 7), ("rnn", 71, 7), ("rnn", 80, 8), ("rnn", 81, 8)}
    assert trainable(study, drawn, []) == ["rnn"]
    given = overrides_of(study, drawn, ["rnn"])
    assert given[-3:] == [
        "optimizer.draw=7,8", "data.generator_seed=${optimizer.draw}", "seed=${optimizer.draw}0,${optimizer.draw}1",
    ]  # fmt: skip
    register_schema()
    GlobalHydra.instance().clear()
    with initialize_config_dir(CONFIGURATION, version_base="1.3"):
        config = compose("config", ["hydra.mode=MULTIRUN"], return_hydra_config=True)
        with open_dict(config):
            config.hydra.overrides.task = given
        jobs = job_configs(config, job_overrides(config))
    assert [(job.optimizer.draw, job.seed, job.data.generator_seed) for job in jobs] == [
        (7, 70, 7), (7, 71, 7), (8, 80, 8), (8, 81, 8),
    ]  # fmt: skip


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], dict[str, str]]]:
    """Commands and environments of the trainings that are begun; each goes well."""
    found: list[tuple[list[str], dict[str, str]]] = []

    def start(command: list[str], env: dict[str, str]) -> Any:
        found.append((command, env))
        return nullcontext(SimpleNamespace(wait=lambda: 0))

    monkeypatch.setattr(subprocess, "Popen", start)
    return found


def test_a_sweep_is_trained_by_the_tool_with_the_lab_on_its_path(
    started: list[tuple[list[str], dict[str, str]]], tmp_path: Path
) -> None:
    study = make_study(tmp_path)
    train(study, study.sweep("search_20"), "ab12", ["rnn"], [])
    ((command, environment),) = started
    assert command[:7] == [
        sys.executable, "-m", "sentiment_rnn", "train", "--multirun", "--config-dir", str(OWN_ENCODERS)
    ]  # fmt: skip
    assert environment["PYTHONPATH"].split(os.pathsep)[0] == str(Path(__file__).resolve().parents[2])
    assert "ab12" in environment.values()


def test_an_override_takes_the_place_of_what_the_study_says_but_for_seeds_of_searches_and_chosen_draws(
    started: list[tuple[list[str], dict[str, str]]], tmp_path: Path
) -> None:
    study = make_study(tmp_path)
    given = ["seed=0,1", "optimizer.draw=0,1", "data.max_lag=7", "trainer.threads=1"]
    for sweep in ("search_20", "learn_50"):
        train(study, study.sweep(sweep), "ab12", ["rnn"], given)
    swept = [
        [given for given in command if given.startswith(("seed=", "optimizer.draw=", "data.max"))]
        for command, _ in started
    ]
    assert swept == [["seed=100", "data.max_lag=7", "optimizer.draw=0,1"], ["seed=0,1", "data.max_lag=7"]]
    assert all(command[-1] == "trainer.threads=1" for command, _ in started)


@pytest.fixture
def give_runs(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let a sweep have these runs; validation accuracy is 0.5 at first, and at the end the best of the run."""

    def give(*runs: RecordedRun) -> None:
        monkeypatch.setattr(sweeps, "find_sweep", lambda *_, **__: None)
        monkeypatch.setattr(
            sweeps, "results_of", lambda *_, diverged: [run for run in runs if diverged or not run.diverged]
        )
        monkeypatch.setattr(RecordedRun, "curve", lambda run, _: ([224, 449], [0.5, run.metrics["val/best_accuracy"]]))

    return give


def test_runs_with_other_settings_are_measured_only_for_who_changed_them(give_runs: Any) -> None:
    give_runs(make_result(tags={PROTOCOL_TAG: "ab12"}), make_result(seed=1, tags={PROTOCOL_TAG: "ab12" + CHANGED}))
    with pytest.raises(UserError, match=r"^sweep learn: the latest in this store was trained with other settings"):
        trained_runs(STORE, "learn")
    assert [run.seed for run in trained_runs(STORE, "learn", ["data.max_tokens=7"])] == [0, 1]
    give_runs(make_result(tags={PROTOCOL_TAG: "ab12"}), make_result(seed=2))
    assert [run.seed for run in trained_runs(STORE, "learn")] == [0, 2]


def test_a_run_is_measured_by_arm_and_seed_with_its_rate_its_steps_and_its_bits(give_runs: Any, tmp_path: Path) -> None:
    study = make_study(tmp_path)
    runs = [
        make_result(arm, seed=seed, predictions=predictions_of([1, 1, seed, 0], 20), metrics=metrics)
        for arm, metrics in (("lstm", {"val/best_accuracy": 0.95}), ("rnn", {"val/best_accuracy": 0.6}))
        for seed in (1, 0)
    ]
    give_runs(*runs)
    found = measured(study, study.sweep("learn_20"), STORE)
    table = rows_of("made", found.rows)
    assert list(found.correct) == [("learn_20", arm, "20", seed) for arm in ("rnn", "lstm") for seed in (0, 1)]
    assert values_of(table, "accuracy") == {("rnn", "20"): {0: 0.5, 1: 0.75}, ("lstm", "20"): {0: 0.5, 1: 0.75}}
    validation = {name: values_of(table, name, "validation") for name in ("best_accuracy", "steps", "learned")}
    assert [of["lstm", "20"][0] for of in validation.values()] == [0.95, 450, 1]
    assert [of["rnn", "20"][0] for of in validation.values()] == [0.6, 450, 0]
    assert values_of(table, "learning_rate", "train")["rnn", "20"] == {0: 0.001, 1: 0.001}
    assert set(table.protocol) == {"first"}
    check_correct(table, found.correct, tmp_path)


def test_a_protocol_measures_each_run_of_its_own_arms_with_the_sweep(give_runs: Any, tmp_path: Path) -> None:
    study = make_study(tmp_path)
    right = {"predictions": predictions_of([1, 0], 20), "metrics": {"val/best_accuracy": 0.6}}
    give_runs(make_result("lstm", seed=3, **right), make_result("rnn", seed=4, **right))

    def own(_: Study, sweep: Sweep, arm: str, run: Any, __: Any) -> Measured:
        correct = {(sweep.name, f"{arm}_part", "20", run.seed): Correct(np.array([True, False]), "digest")}
        minutes = [(sweep.name, "first", arm, "20", run.seed, None, "train", "minutes", 7.0)]
        return Measured(minutes, correct, {f"more/{arm}.txt": "more"})

    found = measured(study, study.sweep("learn_20"), STORE, own)
    minutes = values_of(rows_of("made", found.rows), "minutes", "train")
    assert minutes == {("rnn", "20"): {4: 7.0}, ("lstm", "20"): {3: 7.0}}
    assert [key[1] for key in found.correct] == ["rnn", "rnn_part", "lstm", "lstm_part"]
    write_folder(tmp_path, found.files, {})
    assert {path.name for path in (tmp_path / "more").iterdir()} == {"rnn.txt", "lstm.txt"}


def test_a_compared_seed_that_diverged_is_left_out_and_named(
    give_runs: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = make_study(tmp_path)
    right = {"predictions": predictions_of([1, 0], 20), "metrics": {"val/best_accuracy": 0.6}}
    give_runs(
        make_result("rnn", seed=0, **right), make_result("rnn", seed=1, tags={"sentiment_rnn.diverged": "it is nan"})
    )
    assert list(measured(study, study.sweep("learn_20"), STORE).correct) == [("learn_20", "rnn", "20", 0)]
    said = "left out of learn_20: rnn, seed 1, diverged; no claim on its arm is decided\n"
    assert capsys.readouterr().out == said


def test_a_run_that_is_tested_at_several_lags_has_bits_at_each(give_runs: Any, tmp_path: Path) -> None:
    sweep = {"name": "learn", "at": [20], "arms": ["lstm"], "seeds": 0, "tested": [2, 20]}
    study = make_study(tmp_path, {"sweeps": [sweep]})
    give_runs(make_result(predictions=predictions_of([1, 0, 0], [2, 20, 20]), metrics={"val/best_accuracy": 0.9}))
    found = measured(study, study.sweep("learn"), STORE)
    assert {key[2]: run.right.tolist() for key, run in found.correct.items()} == {"2": [True], "20": [False, False]}
    assert len({run.reviews for run in found.correct.values()}) == 2
    assert values_of(rows_of("made", found.rows), "accuracy") == {("lstm", "2"): {0: 1.0}, ("lstm", "20"): {0: 0.0}}


@pytest.mark.parametrize(
    ("score", "worth"),
    [("mean_accuracy", [72.5, 55]), ("best_accuracy", [95, 60]), ("final_accuracy", [95, 60]), ("kept", [75, 0])],
)
def test_a_draw_is_worth_its_score_on_validation_and_one_that_diverged_has_none(
    give_runs: Any, tmp_path: Path, score: str, worth: list[float]
) -> None:
    study = make_study(tmp_path, search_score=score)
    runs = [
        make_result("rnn", seed=100, draw=draw, metrics=metrics | {"baseline": 0.2})
        for draw, metrics in enumerate((
            {"val/best_accuracy": 0.95, "val/best_loss": 0.05}, {"val/best_accuracy": 0.6, "val/best_loss": 0.3},
        ))
    ]  # fmt: skip
    give_runs(*runs, make_result("rnn", seed=100, draw=2, tags={"sentiment_rnn.diverged": "the loss is nan"}))
    found = measured(study, study.sweep("search_20"), STORE)
    table = rows_of("made", found.rows)
    scores = table[table.metric == "score"]
    assert scores.draw.tolist() == [0, 1, 2]
    assert scores.value.tolist() == pytest.approx([*worth, np.nan], nan_ok=True)
    assert not found.correct


def test_a_run_whose_draw_is_the_unit_is_measured_at_drawn_lags_and_apart_at_others(
    give_runs: Any, tmp_path: Path
) -> None:
    sweep = {"name": "drawn", "at": [20], "arms": ["lstm"], "draws": [7], "seeds_of_draw": 2}
    study = make_study(tmp_path, {"sweeps": [sweep]})
    right = make_result(
        seed=70, draw=7, predictions=predictions_of([1, 0, 1, 1, 0, 0, 1, 1], [22, 18, 20, 20, 18, 20, 20, 20]),
        metrics={"val/best_accuracy": 0.95}, test_lags=[0, 20],
    )  # fmt: skip
    give_runs(right, make_result(seed=71, draw=7, tags={"sentiment_rnn.diverged": "the loss is nan"}))
    found = measured(study, study.sweep("drawn"), STORE)
    assert not found.correct
    rates = [("train", "learning_rate", 0.001), ("train", "clip_norm", 1.0)]
    validation = [("final_accuracy", 0.95), ("trained_steps", 450), ("steps", 450), ("learned", 1)]
    assert [row[4:] for row in found.rows] == [
        *((70, 7, *rate) for rate in rates),
        *((70, 7, "validation", *measure) for measure in validation),
        (70, 7, "test", "accuracy", 0.25), (70, 7, "test", "accuracy_at_20", 1.0),
        *((71, 7, *rate) for rate in rates),
        (71, 7, "validation", "final_accuracy", pytest.approx(np.nan, nan_ok=True)),
    ]  # fmt: skip
    assert is_measured(study.sweep("drawn"), rows_of("made", found.rows))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.5, 0.95, 0.6, 0.99], (450, True)),
        ([0.5, 0.8999999, 0.5, 0.5], (450, True)),  # 0.9 as float32 has it
        ([0.5, 0.8994, 0.5, 0.5], (900, False)),
        ([0.99], (225, True)),
    ],
)
def test_a_run_learns_at_its_first_validation_that_reaches_the_threshold(
    values: Sequence[float], expected: tuple[int, bool]
) -> None:
    assert learning_time(([225 * (epoch + 1) - 1 for epoch in range(len(values))], list(values))) == expected


def test_a_sweep_that_fails_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sweeps, "sys", SimpleNamespace(executable="false"))
    study = make_study(tmp_path)
    with pytest.raises(UserError, match=r"sweep search_20 did not finish \(status 1\); the same command resumes it"):
        train(study, study.sweep("search_20"), "ab12", ["rnn"], [])


def test_a_study_that_is_told_to_end_ends_its_sweep_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    sweep = tmp_path / "sweep"
    sweep.write_text("#!/bin/sh\ntrap 'exit 130' TERM\nwhile :; do kill -TERM $PPID; sleep 0.1; done\n")
    sweep.chmod(0o755)
    monkeypatch.setattr(sweeps, "sys", SimpleNamespace(executable=str(sweep)))
    study = make_study(tmp_path)
    before = signal.signal(signal.SIGTERM, lambda *_: None)  # for one that comes before the study listens
    try:
        with pytest.raises(UserError, match=r"did not finish \(status 130\)"):
            train(study, study.sweep("search_20"), "ab12", ["rnn"], [])
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_textbook_task_is_measured_by_its_loss_and_that_of_who_remembers_nothing(
    give_runs: Any, tmp_path: Path
) -> None:
    study = make_study(tmp_path, score="kept")
    give_runs(make_result("rnn", metrics={"test/loss": 0.05, "baseline": 0.2}))
    table = rows_of("made", measured(study, study.sweep("learn_20"), STORE).rows)
    assert dict(zip(table.metric, table.value, strict=True)) == {
        "learning_rate": 0.001, "clip_norm": 1.0, "loss": 0.05, "baseline": 0.2,
    }  # fmt: skip


def test_language_models_are_trained_at_the_rate_of_their_settings_and_are_no_scores_of_an_arm(
    give_runs: Any, tmp_path: Path
) -> None:
    settings = {"task": "language_model", "optimizer.learning_rate": 0.002}
    sweep = {"name": "words", "at": [20], "arms": ["rnn"], "seeds": [0], "settings": settings}
    study = make_study(tmp_path, {"sweeps": [sweep]})
    words = study.sweep("words")
    assert trainable(study, words, []) == ["rnn"]
    assert overrides_of(study, words, ["rnn"])[-2:] == ["task='language_model'", "optimizer.learning_rate=0.002"]
    assert study.protocols["first"].seeds("rnn", "20") == frozenset()
    give_runs(make_result("rnn", metrics={"val/best_loss": math.log(80)}))
    found = measured(study, words, STORE)
    assert not found.correct
    assert values_of(rows_of("made", found.rows), "perplexity", "validation") == {("rnn", "20"): {0: pytest.approx(80)}}
