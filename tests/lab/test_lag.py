"""`make lag` asks of any encoder what the study `reach` asks of its arms, and shows what is known so far and how long
the rest takes."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from experiments.lab import lag
from experiments.lab.lag import arm_of, draw, only, place, sweep_of
from experiments.lab.results import RESULTS, results_csv, rows_of
from experiments.lab.study import Study, Sweep, find_study
from experiments.lab.sweeps import overrides_of
from sentiment_rnn.errors import UserError


def study_of(encoder: str, folder: Path) -> Study:
    """The study with one encoder in place of its arms, whose results are in a folder."""
    arm, configuration = arm_of(encoder, folder)
    return replace(find_study("reach"), arms={arm.name: arm}, output=folder, configuration=configuration)


def write_results(study: Study, sweep: Sweep, good: int) -> None:
    """Results of a sweep in which both seeds of the first `good` draws succeed, and all other runs fail."""
    rows: list[Sequence[object]] = []
    for (arm,) in [sweep.arms]:
        for seed in sweep.seeds:
            at = sweep.name, "reach", arm, sweep.condition, seed, seed // 10
            score = 0.99 if seed // 10 < sweep.draws[0] + good else 0.5
            rows += [(*at, "validation", "final_accuracy", score), (*at, "test", "accuracy", score)]
    study.output.mkdir(parents=True, exist_ok=True)
    (study.output / RESULTS).write_text(results_csv(rows_of("reach", rows)))


def test_an_encoder_is_a_class_a_name_or_a_file(tmp_path: Path) -> None:
    arm, folder = arm_of("sentiment_rnn.model.encoders.lstm.Lstm", tmp_path)
    assert (arm.encoder, arm.label) == ("own_lstm", "Lstm (new)"), "not what the project calls lstm"
    file = folder / "encoder" / "own_lstm.yaml"
    assert file.read_text().startswith("_target_: sentiment_rnn.model.encoders.lstm.Lstm\n")
    assert arm_of(str(file), tmp_path)[0] == arm
    arm, _ = arm_of("lstm_no_input", tmp_path)
    assert (arm.encoder, arm.label) == ("lstm_no_input", "LSTM, no input gate (new)"), "also one of the lab"


@pytest.mark.parametrize(
    ("encoder", "line"),
    [
        ("lsmt", "lsmt: expected a class"),
        ("no.such.Cell", "ENCODER=no.such.Cell: cannot be imported"),
        ("mine.yaml", "mine.yaml: expected a file in a folder encoder/"),
        ("encoder/lstm.yaml", "expected name: lstm, as the file, and a name that no encoder of the project has"),
    ],
)
def test_what_is_no_encoder_is_one_line(
    encoder: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("encoder").mkdir()
    Path("encoder", "lstm.yaml").write_text("name: lstm\n")
    with pytest.raises(UserError, match=line):
        arm_of(encoder, tmp_path)


@pytest.mark.parametrize(
    ("draws", "override", "line"),
    [
        (3, "trainer.threads=1", r"^--draws 3: expected 4 or more"),
        (8, "data.max_lag=7", "^data.max_lag=7: this command sets it; give --lags and --draws"),
    ],
)
def test_what_would_change_the_question_is_refused(draws: int, override: str, line: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=line):
        place("gru", [100], draws, tmp_path, [override])


@pytest.mark.parametrize("at", [50, 100, 200])
def test_the_runs_are_those_of_the_study_but_for_their_encoder(at: int, tmp_path: Path) -> None:
    study, mine = find_study("reach"), study_of("min_lstm", tmp_path)
    (arm,) = mine.arms.values()
    name, encoder, *settings = overrides_of(mine, sweep_of(mine, arm, at, 32), [arm.name])
    assert (name, encoder) == (f"study=lag_min_lstm_{at}", "encoder=min_lstm")
    assert settings == overrides_of(study, study.sweep(f"reach_lstm_{at}"), ["lstm"])[2:]
    few, every = sweep_of(mine, arm, at, 8), study.sweep(f"reach_lstm_{at}")
    assert (few.draws, few.seeds) == (every.draws[:8], every.seeds[:16])


def test_the_encoder_is_drawn_above_the_arms_of_the_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    committed = replace(find_study("reach"), output=tmp_path / "reach")
    monkeypatch.setattr(lag, "find_study", lambda _: committed)
    write_results(committed, committed.sweep("reach_gru_100"), good=32)
    mine = study_of("gru", tmp_path / "gru")
    sweep = sweep_of(mine, mine.arms["new_gru"], 70, 8)
    write_results(mine, sweep, good=4)
    table = draw(only(mine, [sweep]), mine.output)
    assert table.columns == ("arm", "lag 70: S(4)", "window", "lag 100: S(4)", "window")
    (label, success, *rest), other = table.rows
    assert (label, success[:2], rest) == ("GRU (new)", "99", ["4/8", "", ""])
    assert other == ("GRU", "", "", "100 (63–100)", "32/32")
    picture = (mine.output / "reach.svg").read_text()
    assert (mine.output / "reach.png").stat().st_size > 10_000
    assert picture.index("<!-- 70 -->") < picture.index("<!-- 100 -->")


def test_the_picture_grows_and_the_time_left_is_reckoned_from_runs_that_were_trained_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock, asked = iter(range(0, 9000, 600)), []

    def trained(study: Study, *_: object, again: bool) -> None:
        ((sweep,),) = (protocol.sweeps for protocol in study.protocols.values())
        asked.append((sweep.condition, len(sweep.draws)))
        write_results(study, sweep, good=2)

    monkeypatch.setattr(lag, "run", trained)
    monkeypatch.setattr(lag, "time", SimpleNamespace(time=lambda: next(clock)))
    monkeypatch.setattr(lag, "runs_since", lambda _, sweep, __: 8 if asked.count((sweep.condition, 8)) else 0)
    place("gru", [40, 80], 8, tmp_path, [])
    assert asked == [("40", 4), ("80", 4), ("40", 8), ("80", 8)]
    before, *lines = capsys.readouterr().out.splitlines()[:5]
    assert before.startswith("32 runs: about ")
    assert lines[2].startswith("lag 40, 8 draws: S(4) 79 (0–100) %, window 2/8 (")
    # Runs with four draws were there. Eight at lag 40 took ten minutes, and eight at lag 80 are left.
    assert [line.partition("; ")[2] for line in lines] == ["", "", "about 17 min left", ""]
