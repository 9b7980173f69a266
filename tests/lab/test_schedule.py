"""The study of schedules keeps the curve of every run, and draws those that count."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from made_studies import evidence, make_study

from experiments.lab.rules import Evidence
from experiments.lag import schedule

STORE: Any = None


def measured_curves(found: Evidence, monkeypatch: pytest.MonkeyPatch) -> str:
    """`curves.csv` of made-up runs: seed 7 of each sweep learns."""

    def runs(*_: Any, diverged: bool) -> list[Any]:
        assert diverged
        curve, config = ([224, 449], [0.5, 0.95]), SimpleNamespace(optimizer=SimpleNamespace(draw=8))
        return [SimpleNamespace(seed=7, overrides={"optimizer.draw": "3"}, config=config, curve=lambda _: curve)]

    monkeypatch.setattr(schedule, "trained_runs", runs)
    return str(schedule.measure(found.study, found.protocol, STORE).files[schedule.CURVES])


def test_every_run_has_its_curve_those_of_searches_too_and_the_others_are_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweeps = [
        {"name": "search", "at": [20], "arms": ["rnn"], "draws": "0-3", "seeds": 100},
        {"name": "learn", "at": [20], "arms": ["rnn"], "seeds": 7, "rates": ["search"]},
    ]
    study = make_study(tmp_path, {"sweeps": sweeps})
    found = evidence(study, {("rnn", "20"): [0.95]})
    nothing = replace(found.study, output=tmp_path / "nowhere")
    assert schedule.findings(replace(found, study=nothing), found.table).figures == {}
    curves = measured_curves(found, monkeypatch)
    assert curves.splitlines() == [
        "arm,seed,draw,steps,accuracy",
        *("rnn,7,3,225,0.5000", "rnn,7,3,450,0.9500"),
        *("rnn,7,,225,0.5000", "rnn,7,,450,0.9500"),
    ]
    (study.folder / schedule.CURVES).write_text(curves)
    (axes,) = schedule.findings(found, found.table).figures["curves"].axes
    accuracies = [list(line.get_ydata()) for line in axes.lines]
    assert accuracies[0] == [50.0, 95.0]
    assert len(accuracies) == 2, "one run that counts, and the level of success"
