"""One encoder in the leading figure: how it is named, how many runs it takes, and what is shown."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from experiments.lab import lag
from experiments.lab.lag import Placement, arm_of, figure_of, table_of, work_of
from sentiment_rnn.config.store import run_config
from sentiment_rnn.errors import UserError
from sentiment_rnn.tracking.names import CODE_TAG


def placement(tmp_path: Path, encoder: str = "min_gru", draws: int = 12, seeds: int = 20) -> Placement:
    """Of an encoder, at three lags."""
    return Placement(encoder, (20, 100, 400), seeds, draws, tmp_path)


def test_an_encoder_is_found_by_its_name_in_the_tool_and_the_lab(tmp_path: Path) -> None:
    arm, _, sized = arm_of("min_gru", tmp_path)
    assert (arm.name, arm.encoder, arm.label, sized) == ("min_gru", "min_gru", "minGRU, two layers", True)
    assert arm_of("lstm_no_input", tmp_path)[0].label == "LSTM, no input gate"


def test_a_class_gets_a_file_with_its_name_and_a_size_if_it_takes_one(tmp_path: Path) -> None:
    arm, folder, sized = arm_of("sentiment_rnn.model.encoders.lstm.Lstm", tmp_path)
    assert (arm.name, arm.label, sized) == ("own_lstm", "Lstm", True), "not what the project calls lstm"
    assert "hidden_size: 64" in (folder / "encoder" / "own_lstm.yaml").read_text()
    arm, folder, sized = arm_of("sentiment_rnn.model.encoders.bag.Bag", tmp_path)
    assert not sized
    assert "hidden_size" not in (folder / "encoder" / "own_bag.yaml").read_text()


def test_a_file_of_ones_own_names_label_and_color(tmp_path: Path) -> None:
    (tmp_path / "mine" / "encoder").mkdir(parents=True)
    path = tmp_path / "mine" / "encoder" / "mine.yaml"
    path.write_text('_target_: x.Y\nname: mine\nlabel: My cell\ncolor: "#123456"\nhidden_size: 8\n')
    arm, folder, sized = arm_of(str(path), tmp_path)
    assert (arm.name, arm.encoder, arm.label, arm.color, sized) == ("mine", "mine", "My cell", "#123456", True)
    assert folder == tmp_path / "mine"


@pytest.mark.parametrize(
    ("encoder", "line"),
    [
        ("lsmt", "lsmt: expected a class"),
        ("no.such.Cell", "ENCODER=no.such.Cell: cannot be imported"),
        ("mine.yaml", "mine.yaml: expected a file in a folder encoder/"),
        ("math.pi", "ENCODER=math.pi: expected a class, not float"),
    ],
)
def test_what_is_no_encoder_is_one_line(encoder: str, line: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=line):
        arm_of(encoder, tmp_path)


@pytest.mark.parametrize("content", ["name: other\n", "name: lstm\n", ""])
def test_a_file_is_named_as_its_encoder_and_as_no_other(content: str, tmp_path: Path) -> None:
    (tmp_path / "encoder").mkdir()
    path = tmp_path / "encoder" / "lstm.yaml"
    path.write_text(content)
    with pytest.raises(UserError, match="expected name: lstm, as the file, and a name that no"):
        arm_of(str(path), tmp_path)


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"draws": 0}, r"^--lags 20,100,400 --seeds 20 --draws 0: expected numbers above 0"),
        ({"seeds": 0}, "--seeds 0 --draws 12: expected"),
        ({"overrides": ["data.max_lag=7"]}, "^data.max_lag=7: this command sets it; give --lags, --seeds and --draws"),
        ({"overrides": ["encoder.dropout=0.1", "seed=0,1"]}, "^seed=0,1: this command sets it"),
        ({"overrides": ["+optimizer.draws.gru=3"]}, r"^\+optimizer.draws.gru=3: this command sets it"),
    ],
)
def test_nothing_is_trained_of_what_cannot_end(given: dict[str, Any], line: str, tmp_path: Path) -> None:
    asked = {"encoder": "gru", "lags": (20, 100, 400), "seeds": 20, "draws": 12, "store": tmp_path} | given
    with pytest.raises(UserError, match=line):
        Placement(**asked)


@pytest.mark.parametrize(("draws", "again"), [(12, 3), (8, 2), (4, 0), (1, 0)])
def test_the_best_quarter_of_a_search_is_tried_again(draws: int, again: int, tmp_path: Path) -> None:
    assert placement(tmp_path, draws=draws).tried_again == again


def test_far_lags_have_ten_seeds_at_most(tmp_path: Path) -> None:
    asked = placement(tmp_path)
    assert [asked.seeds_at(lag) for lag in asked.lags] == [20, 20, 10]
    assert placement(tmp_path, seeds=5).seeds_at(400) == 5


def test_the_work_is_that_of_all_runs_at_half_or_all_epochs(tmp_path: Path) -> None:
    asked = placement(tmp_path)
    settings = {"trainer.epochs": 8}
    assert work_of(20, 3, settings) == 3 * 8 * 40
    expected = [(12 * 4 + (3 * 3 + seeds) * 8) * (lag + 20) for lag, seeds in ((20, 20), (100, 20), (400, 10))]
    assert asked.work() == sum(expected)


def test_runs_have_the_settings_of_the_committed_figure_at_their_lag(tmp_path: Path) -> None:
    asked = placement(tmp_path)
    sweep = asked.sweep(50, "seeds", range(3), asked.settings)
    assert sweep.name == "lag_min_gru_seeds_50"
    assert (sweep.settings["data.max_lag"], sweep.settings["trainer.epochs"]) == (50, 8)
    assert sweep.settings["encoder.hidden_size"] == 64


def test_table_and_figure_have_the_new_line_beside_the_committed_ones(tmp_path: Path) -> None:
    asked, counts = placement(tmp_path), {20: (20, 20), 100: (3, 20)}
    table = table_of(asked, counts)
    assert table.columns == ("encoder", "5", "20", "50", "100", "400", "1000")
    assert table.rows[0] == ("minGRU, two layers (new)", "", "20/20 (83–100)", "", "3/20 (3–38)", "", "")
    assert next(row[0] for row in table.rows[1:]) == "RNN, uniform"
    asked.committed_counts = {arm: asked.committed_counts[arm] for arm in ("rnn", "gru", "lstm")}
    texts = [text.get_text() for text in figure_of(asked, counts).axes[0].texts]
    assert "minGRU, two layers (new)" in texts


def test_the_time_left_is_reckoned_from_what_was_trained_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = placement(tmp_path, draws=1, seeds=3)
    ended, clock = {"lag_min_gru_search_20"}, iter(range(0, 9000, 60))

    def find(_: object, name: str, finished: bool) -> SimpleNamespace:
        if name not in ended:
            raise UserError("no such sweep")
        return SimpleNamespace(info=SimpleNamespace(run_id=name))

    monkeypatch.setattr(lag, "find_sweep", find)
    monkeypatch.setattr(lag, "train", lambda _, sweep, *__: ended.add(sweep.name))
    monkeypatch.setattr(lag, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    vars(asked)["parent"] = "parent"
    monkeypatch.setattr(asked, "opened", lambda: SimpleNamespace(client=SimpleNamespace(set_tag=lambda *_: None)))
    for place in (20, 100):
        asked.train(asked.sweep(place, "search", [100], {"trainer.epochs": 4}, [0]), "a search")
        asked.train(asked.sweep(place, "seeds", range(3), asked.settings), "seeds")
    # Of 16,240 tokens 160 were there. 960 took a minute, and 480 another one.
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition("; ")[2] for line in lines] == ["", "", "about 16 min left", "about 20 min left"]


def test_lags_of_an_earlier_command_are_shown_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Placement("min_gru", (20,), 20, 12, tmp_path)
    score = {"test/accuracy": 0.95}

    def find(_: object, name: str, finished: bool) -> str:
        if name not in [f"lag_min_gru_seeds_{lag}" for lag in (20, 50, 100, 400)]:
            raise UserError("no such sweep")
        return name

    def runs_of(_: object, name: str, diverged: bool) -> list[SimpleNamespace]:
        pooling = "mean" if name.endswith("400") else "last"
        config = run_config("data=generated", f"data.max_lag={name.rpartition('_')[2]}", f"pooling={pooling}")
        metrics, tags = ({}, score), {CODE_TAG: "another" if name.endswith("100") else "this"}
        return [
            SimpleNamespace(diverged=no, metrics=metrics[not no], config=config, tags=tags)
            for no in (False, False, True)
        ]

    monkeypatch.setattr(asked, "opened", lambda: None)
    monkeypatch.setattr(lag, "find_sweep", find)
    monkeypatch.setattr(lag, "results_of", runs_of)
    assert asked.counted_before(20) == {50: (2, 3)}, (
        "of lags that are not asked for now, with the same settings and code"
    )


def test_beside_many_encoders_the_new_one_is_a_thin_line_in_the_panel_of_each(tmp_path: Path) -> None:
    asked = placement(tmp_path)
    few = asked.committed_counts
    asked.committed_counts = dict.fromkeys(
        ("rnn", "rnn_gain", "gru", "lstm", "lstm_chrono", "lstm_chrono_2000"), few["rnn"]
    )
    figure = figure_of(asked, {20: (20, 20), 100: (10, 20)})
    panels = [axes for axes in figure.axes if axes.get_visible()]
    assert len(panels) == 6
    assert figure.get_suptitle().startswith("Thin: minGRU, two layers (new). Success")
    for axes in panels:
        assert list(axes.lines[0].get_ydata()) == [100.0, 50.0]


def test_a_committed_encoder_is_not_shown_twice(tmp_path: Path) -> None:
    labels = [row[0] for row in table_of(placement(tmp_path, "gru"), {20: (1, 2)}).rows]
    assert (labels[0], "GRU" in labels) == ("GRU (new)", False)


def test_an_encoder_with_the_label_of_a_committed_one_keeps_its_own_counts(tmp_path: Path) -> None:
    (tmp_path / "encoder").mkdir()
    (tmp_path / "encoder" / "mine.yaml").write_text("_target_: x.Y\nname: mine\nlabel: GRU\n")
    first, *others = table_of(placement(tmp_path, f"{tmp_path}/encoder/mine.yaml"), {20: (1, 2)}).rows
    assert (first[0], first[2]) == ("GRU (new)", "1/2 (1–99)")
    assert "GRU" in [row[0] for row in others]
