"""A study trains what its results lack, under the protocol with which it began, and resumes where it breaks off."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from made_studies import RULES, make_study

from experiments.lab import __main__ as main_module
from experiments.lab import run as run_module
from experiments.lab.provenance import OWN, PROVENANCE, read_provenance
from experiments.lab.results import Correct, read_correct, read_results, values_of
from experiments.lab.run import add, freeze, run
from experiments.lab.study import EXPERIMENTS, Study, find_study
from experiments.lab.sweeps import CHANGED, Measured
from processes import environment, wait_for
from sentiment_rnn.errors import UserError
from stored_runs import sweep_in


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return make_study(tmp_path)


def found(accuracies: Mapping[int, float], sweep: str = "learn_20", reviews: str = "a") -> Measured:
    """Measurements of an LSTM, from its accuracies by seed."""
    correct = {
        (sweep, "lstm", "20", seed): Correct(np.arange(10) < round(10 * accuracy), reviews)
        for seed, accuracy in accuracies.items()
    }
    rows: list[Any] = [
        (sweep, "first", "lstm", "20", seed, None, *measure)
        for seed, accuracy in accuracies.items()
        for measure in (("test", "accuracy", accuracy), ("validation", "best_accuracy", accuracy))
    ]
    return Measured(rows, correct)


def trained(sweep: str, seeds: Sequence[int]) -> dict[str, Any]:
    days = {"began": "2026-01-01", "ended": "2026-01-02"}
    return {"sweep": sweep, **days, "runs": len(seeds), "encoders": ["lstm"], "seeds": list(seeds)}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_the_digest_of_a_protocol_is_written_down_before_anything_is_trained(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = study.protocols["first"].digest

    def train(*_: Any) -> None:
        assert read_provenance(study.folder) == {"first": {"protocol": digest, "sweeps": []}}
        raise KeyboardInterrupt

    monkeypatch.setattr(run_module, "train", train)
    with pytest.raises(KeyboardInterrupt):
        run(study, [], [], [f"tracking.directory={study.folder / 'runs'}"])
    assert (study.folder / PROVENANCE).is_file()


def test_a_protocol_that_was_changed_after_its_first_run_is_refused_and_nothing_is_trained(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    freeze(study, study.protocols["first"])
    freeze(study, study.protocols["first"])
    before = contents(study.folder)
    study.protocols["first"].path.write_text(RULES + "Or nearly so.\n")
    monkeypatch.setattr(run_module, "train", lambda *_: pytest.fail("trained"))
    with pytest.raises(
        UserError, match=r"is not the protocol under which its runs began \(.{8}, provenance.json\); put"
    ):
        run(study, [], [], [f"tracking.directory={study.folder / 'runs'}"])
    assert contents(study.folder) == before


def test_an_override_that_changes_what_a_protocol_fixed_needs_another_folder(study: Study, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^data\.max_tokens=7 changes what the protocols of made fixed; give another"):
        run(study, [], [], ["trainer.threads=1", "data.max_tokens=7"])
    assert not (study.folder / PROVENANCE).exists()
    for name in (["--protocols"], ["second"]):
        with pytest.raises(UserError, match="no protocol of made"):
            run(study, name, [], [])
    with pytest.raises(UserError, match="no sweep of made"):
        run(study, [], ["learn_7"], [])
    other = replace(study, protocols=study.protocols | {"other": replace(study.protocol("first"), sweeps=())})
    with pytest.raises(UserError, match="other: none of these sweeps is one of this protocol"):
        run(other, ["other"], ["learn_20"], [])


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[str], list[str]]]:
    """Sweeps that a run would train, with arms and overrides; each is measured as one LSTM."""
    found_runs: list[tuple[str, list[str], list[str]]] = []

    def train(_: Study, sweep: Any, protocol: str, arms: list[str], overrides: list[str]) -> None:
        assert len(protocol.removesuffix(CHANGED)) == 64
        found_runs.append((sweep.name, arms, overrides))

    monkeypatch.setattr(run_module, "train", train)
    monkeypatch.setattr(run_module, "open_store", lambda *_, **__: None)
    monkeypatch.setattr(run_module, "trainable", lambda _, sweep, __: list(sweep.arms) if sweep.draws else ["lstm"])
    monkeypatch.setattr(run_module, "measured", lambda _, sweep, *__: found({0: 0.9}, sweep.name))
    monkeypatch.setattr(run_module, "provenance_of", lambda _, sweep: trained(sweep, [0]))
    return found_runs


def test_where_it_is_trained_may_change_and_a_part_of_the_sweeps_may_be_run(
    study: Study, tmp_path: Path, asked: list[tuple[str, list[str], list[str]]], capsys: pytest.CaptureFixture[str]
) -> None:
    beside = [f"tracking.directory={tmp_path / 'runs'}", "trainer.threads=1", "hydra/launcher=basic"]
    run(study, [], ["learn_50", "search_20"], beside)
    assert asked == [("search_20", ["rnn", "gru", "lstm"], beside), ("learn_50", ["lstm"], beside)]
    said = "left out of learn_50: rnn, gru; no search of theirs was run (search_20)"
    assert capsys.readouterr().out.splitlines() == [said]
    assert [part["sweep"] for part in read_provenance(study.folder)["first"]["sweeps"]] == ["search_20", "learn_50"]
    assert set(read_results(study.folder).sweep) == {"search_20", "learn_50"}


def test_runs_with_other_settings_are_tagged_as_such_and_those_of_some_encoders_are_not(
    study: Study, tmp_path: Path, asked: list[tuple[str, list[str], list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    tags: list[str] = []
    monkeypatch.setattr(run_module, "train", lambda _, __, protocol, *___: tags.append(protocol))
    elsewhere = replace(study, output=tmp_path / "again")
    for override in ("data.max_tokens=7", "encoder=lstm", "seed=0"):
        run(elsewhere, [], ["learn_50"], [override], again=True)
    digest = study.protocols["first"].digest
    assert tags == [digest + CHANGED, digest, digest]


@pytest.mark.parametrize(
    ("of_protocol", "said"),
    [
        ({"tables": ["share"]}, "first names table share; expected one of shares,"),
        ({"figures": ["share"]}, "first names figure share; expected one of shares,"),
        ({"own": "nowhere"}, "nowhere.py: not there; first names it as its own"),
        ({"sweeps": [{"name": "learn", "arms": ["rnn"], "seeds": 0, "rates": ["serach"]}]}, "serach: no sweep of made"),
    ],
)
def test_what_a_protocol_names_and_there_is_not_is_refused_before_anything_is_trained_or_frozen(
    tmp_path: Path, of_protocol: dict[str, Any], said: str
) -> None:
    study = make_study(tmp_path, of_protocol)
    with pytest.raises(UserError, match=said):
        run(study, [], [], [f"tracking.directory={tmp_path / 'runs'}"])
    assert not (study.folder / PROVENANCE).exists()


def test_a_closed_sweep_names_the_commit_that_trains_it_unless_it_is_measured(
    tmp_path: Path, asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    sweeps = [
        {"name": name, "arms": ["lstm"], "seeds": 0} | more
        for name, more in (("gone", {"closed": "abc1234"}), ("here", {"settings": {"optimizer.learning_rate": 1}}))
    ]
    study = make_study(tmp_path, {"sweeps": sweeps})
    store = [f"tracking.directory={tmp_path / 'runs'}"]
    with pytest.raises(UserError, match="gone: the code of its settings was removed; check out abc1234 to train it"):
        run(study, [], [], store)
    assert asked == []
    run(study, [], ["here"], store)
    freeze(study, study.protocols["first"])
    add(study, study.protocols["first"], found({0: 0.5}, "gone"), trained("gone", [0]))
    run(study, [], [], store)
    assert [name for name, *_ in asked] == ["here"]
    with pytest.raises(UserError, match="gone: the code"):
        run(study, [], ["gone"], store, again=True)


def test_an_interrupted_measurement_of_a_protocol_is_made_by_the_same_command(
    study: Study, tmp_path: Path, asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    row, measured = ("learn_20", "first", "lstm", "20", 0, None, "train", "half_life", 7.0), []

    def measure(*_: Any, overrides: Sequence[str]) -> Measured:
        measured.append(row)
        if len(measured) == 1:
            raise KeyboardInterrupt
        return Measured([row])

    monkeypatch.setattr(run_module, "own_module", lambda *_: SimpleNamespace(measure=measure))
    monkeypatch.setattr(run_module, "is_measured", lambda sweep, table: sweep.name in set(table.sweep))
    store = [f"tracking.directory={tmp_path / 'runs'}"]
    with pytest.raises(KeyboardInterrupt):
        run(study, [], [], store)
    for _ in range(2):
        run(study, [], [], store)
    assert len(measured) == 2, "once more, and not again"
    run(study, [], ["learn_20"], store, again=True)
    run(study, [], [], store)
    assert len(measured) == 3, "after a sweep that is new"


def test_of_a_seed_that_diverged_when_it_was_trained_again_nothing_old_stays(study: Study) -> None:
    first = study.protocols["first"]
    freeze(study, first)
    add(study, first, found({0: 0.5, 1: 0.5, 2: 0.5}), trained("learn_20", [0, 1, 2]))
    add(study, first, found({0: 0.9}), trained("learn_20", [0, 1]))
    assert values_of(read_results(study.folder), "accuracy")["lstm", "20"] == {2: 0.5, 0: 0.9}
    assert [key[-1] for key in read_correct(study.folder)] == [2, 0]


def test_what_a_protocol_measured_of_another_ones_runs_is_out_of_date_once_these_are_new(tmp_path: Path) -> None:
    first = {"date": "2026-01-02", "sweeps": [{"name": "learn", "arms": ["lstm"], "seeds": 0}]}
    others = {"reader": {"date": "2026-01-03", "reads": ["first"]}, "other": {"date": "2026-01-04"}}
    study = make_study(tmp_path, protocols={"first": first, **others})
    for protocol in study.protocols.values():
        freeze(study, protocol)
        add(study, protocol, Measured())
    add(study, study.protocols["first"], found({0: 0.9}, "learn"), trained("learn", [0]))
    assert {name: OWN in of for name, of in read_provenance(study.folder).items()} == {
        "first": False, "reader": False, "other": True,
    }  # fmt: skip


def test_measurements_join_those_of_before_and_replace_what_is_measured_again(study: Study) -> None:
    first = study.protocols["first"]
    freeze(study, first)
    add(study, first, found({0: 0.5, 1: 0.5}), trained("learn_20", [0, 1]))
    add(study, first, found({1: 0.9, 2: 0.9}), trained("learn_20", [1, 2]))
    assert values_of(read_results(study.folder), "accuracy")["lstm", "20"] == {0: 0.5, 1: 0.9, 2: 0.9}
    assert [key[-1] for key in read_correct(study.folder)] == [0, 1, 2]
    assert len(read_results(study.folder)) == 6


def test_a_sweep_that_is_trained_again_takes_the_place_of_what_it_covers(study: Study) -> None:
    first = study.protocols["first"]
    freeze(study, first)
    for sweep, seeds in (("learn_20", [2, 3]), ("learn_50", [0]), ("learn_20", [0, 1]), ("learn_50", [0, 1])):
        add(study, first, found(dict.fromkeys(seeds, 0.5), sweep), trained(sweep, seeds))
    parts = read_provenance(study.folder)["first"]["sweeps"]
    assert [(part["sweep"], part["seeds"]) for part in parts] == [
        ("learn_20", [2, 3]), ("learn_20", [0, 1]), ("learn_50", [0, 1]),
    ]  # fmt: skip
    add(study, first, Measured(), trained("learn_50", [0, 1]) | {"encoders": ["rnn"]})
    parts = read_provenance(study.folder)["first"]["sweeps"]
    assert [part["encoders"] for part in parts] == [["lstm"], ["lstm"], ["lstm"], ["rnn"]], "of other encoders"


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The lab's command in this process: what it would run, and the folder of the results."""

    def begin(*arguments: str) -> tuple[Path, tuple[Any, ...]]:
        begun: list[tuple[Any, ...]] = []
        monkeypatch.setattr(sys, "argv", ["lab", *arguments])
        monkeypatch.setattr(main_module, "run", lambda *given: begun.append(given) or [])
        monkeypatch.setattr(main_module, "uncommitted", lambda _: [])
        for name in ("write", "write_figures", "findings_by_protocol"):
            monkeypatch.setattr(main_module, name, lambda *_: {})
        main_module.main()
        ((study, *rest),) = begun
        return study.output, tuple(rest[:3])

    return begin


def test_overrides_stand_anywhere_behind_the_study(command: Any) -> None:
    given = ["trainer.threads=1", "seed=0,1"]
    asked = ["--protocols", "schedule", "--sweeps", "a, b", "--store", "mine", "--output", "out"]
    output, (protocols, sweeps, overrides) = command("study", "lag", *asked, *given)
    assert (output, protocols, sweeps) == (Path("out"), ["schedule"], ["a", "b"])
    assert overrides == ["tracking.directory=mine", *given]
    assert command("study", "lag", *given) == (find_study("lag").folder, ([], [], ["tracking.directory=runs", *given]))
    with pytest.raises(UserError, match="threads: expected an override of runs"):
        command("study", "lag", "--store", "x", "threads")
    for wrong in (["report", "a=1"], ["study", "lag", "--sweep_s=x"]):
        with pytest.raises(SystemExit):
            command(*wrong)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_study_that_was_killed_trains_a_search_and_what_it_chose_each_run_once(tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [
        "study", "ablation", "--sweeps", "causes_search_20,causes_20", "--store", str(tmp_path / "runs"),
        "--output", str(out), "encoder=lstm_no_input,lstm_coupled", "optimizer.draw=0,1", "seed=0,1",
        "data.train_reviews=120", "data.test_reviews=40",
        "encoder.hidden_size=8", "embedding.size=8", "trainer.epochs=1", "trainer.threads=1", "hydra/launcher=basic",
    ]  # fmt: skip
    committed = contents(EXPERIMENTS / "ablation")

    line = [sys.executable, "-m", "experiments.lab", *command]

    def lab() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            line, cwd=EXPERIMENTS.parent, capture_output=True, text=True, timeout=280, env=environment()
        )

    # SIGKILL to all of its processes, in its second run.
    killed = subprocess.Popen(line, cwd=EXPERIMENTS.parent, env=environment(), start_new_session=True)
    wait_for(lambda: len([*tmp_path.glob("runs/checkpoints/*/best.ckpt")]) == 2)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    done = lab()
    assert done.returncode == 0, done.stdout + done.stderr
    table = read_results(out)
    searched, compared = (table[table.sweep == name] for name in ("causes_search_20", "causes_20"))
    assert sorted(set(zip(searched.arm, searched.draw, searched.seed, strict=True))) == [
        (arm, draw, 100) for arm in ("lstm_coupled", "lstm_no_input") for draw in (0, 1)
    ]
    assert set(compared.arm) == {"lstm_coupled", "lstm_no_input"}
    assert set(compared.seed) == {0, 1}
    scores, rates = (searched[searched.metric == name].set_index(["arm", "draw"]).value
                     for name in ("score", "learning_rate"))  # fmt: skip
    for arm, used in compared[compared.metric == "learning_rate"].groupby("arm").value:
        (rate,) = used.unique()
        assert scores[arm][rates[arm] == rate].max() == scores[arm].max()
    known = json.loads((out / PROVENANCE).read_text())["causes"]
    assert known["protocol"] == find_study("ablation").protocols["causes"].digest
    assert [(part["sweep"], part["runs"], part["protocols"]) for part in known["sweeps"]] == [
        ("causes_search_20", 4, [known["protocol"] + CHANGED]), ("causes_20", 4, [known["protocol"] + CHANGED]),
    ]  # fmt: skip
    assert (out / "figures" / "causes_shares.png").is_file()
    parents, jobs = sweep_in(tmp_path)
    assert {run.info.status for run in (*parents, *jobs)} == {"FINISHED"}
    trained_runs = [run.info.run_id for run in jobs]
    assert (len(parents), len(trained_runs)) == (2, 8)
    before = contents(out)
    done = lab()
    assert done.returncode == 0, done.stdout + done.stderr
    assert [run.info.run_id for run in sweep_in(tmp_path)[1]] == trained_runs
    assert contents(out) == before
    assert contents(EXPERIMENTS / "ablation") == committed
