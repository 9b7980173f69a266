"""A part of a study is measured by itself, and added to what its folder has of the rest."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from made_results import give_runs, make_learner, predictions_of, style_of
from sentiment_rnn.errors import UserError
from sentiment_rnn.studies import learnability
from sentiment_rnn.studies.kit import protocol
from sentiment_rnn.studies.kit.correctness import check_accuracies
from sentiment_rnn.studies.kit.counted_seeds import measure_seeds, read_seeds, searched_distances
from sentiment_rnn.studies.kit.measurements import Measurements, read_rows
from sentiment_rnn.studies.kit.parts import added_to
from sentiment_rnn.studies.kit.protocol import measured_parts, provenance_json
from sentiment_rnn.studies.kit.study import Sweep
from sentiment_rnn.tracking.provenance import Provenance
from sentiment_rnn.tracking.results import RunResult

STUDY = learnability.STUDY
ARMS = ("rnn", "lstm")
STORE: Any = None


def sweep(distance: int, seeds: range = range(4), learns: bool = True) -> list[RunResult]:
    return [make_learner(arm, distance, seed, learns) for arm in ARMS for seed in seeds]


def measure(monkeypatch: pytest.MonkeyPatch, folder: Path, **sweeps: list[RunResult]) -> None:
    """Measure these sweeps, and add them to the folder."""
    give_runs(monkeypatch, sweeps)
    part = measure_seeds(STORE, [Sweep(name, chooses_rates="search" in name) for name in sweeps])
    added_to(folder, part).write(folder)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_parts_in_any_order_are_the_same_files_as_the_whole(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    sweeps = {"learn_search_20": sweep(20), "learn_5": sweep(5), "learn_20": sweep(20), "learn_100": sweep(100)}
    measure(monkeypatch, tmp_path / "whole", **sweeps)
    for name in reversed(sweeps):
        measure(monkeypatch, tmp_path / "parts", **{name: sweeps[name]})
    check_accuracies(STUDY, tmp_path / "parts")
    whole, parts = contents(tmp_path / "whole"), contents(tmp_path / "parts")
    assert parts.keys() == whole.keys()
    assert [name for name in whole if parts[name] != whole[name]] == []


def test_a_sweep_that_is_measured_again_replaces_what_was(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    measure(monkeypatch, tmp_path, learn_5=sweep(5, learns=False), learn_20=sweep(20))
    measure(monkeypatch, tmp_path, learn_5=sweep(5, learns=True))
    check_accuracies(STUDY, tmp_path)
    assert len(read_rows(tmp_path)) == 16
    assert {row["test/accuracy"] for row in read_rows(tmp_path)} == {"1"}


def test_a_run_that_is_repeated_with_another_learning_rate_counts_once(tmp_path: Path) -> None:
    for rate, accuracy in ((0.1, 0.5), (0.2, 0.9)):
        row = ("lstm", 0, rate, accuracy)
        columns = ("encoder", "seed", "learning_rate", "test/accuracy")
        added_to(tmp_path, Measurements.of_rows(columns, [row], {"lstm": style_of("lstm")})).write(tmp_path)
    assert [row["learning_rate"] for row in read_rows(tmp_path)] == ["0.2"]


def test_nothing_is_said_of_a_distance_before_all_its_seeds_were_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    measure(monkeypatch, tmp_path, learn_search_20=sweep(20), learn_5=sweep(5), learn_20=sweep(20, range(2)))
    before = learnability.findings(tmp_path)
    assert before.tables[0].columns == ("encoder", "5")
    seeds = read_seeds(tmp_path, range(4))
    assert set(seeds.times["rnn"]) == {distance for _, distance in seeds.validation} == {5}
    measure(monkeypatch, tmp_path, learn_20=sweep(20, range(2, 4)))
    after = learnability.findings(tmp_path)
    assert after.tables[0].columns == ("encoder", "5", "20")
    assert after.tables[0].rows[0][1:3] == ("4/4 (40 to 100 %)", "4/4 (40 to 100 %)")
    check_accuracies(STUDY, tmp_path)


def test_seeds_that_are_not_planned_do_not_count(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    measure(monkeypatch, tmp_path, learn_5=sweep(5), learn_20=sweep(20), learn_50=sweep(50, range(2)))
    before = read_seeds(tmp_path, range(4))
    measure(monkeypatch, tmp_path, learn_5=[make_learner("rnn", 5, 100, False)], learn_50=sweep(50, range(100, 102)))
    after = read_seeds(tmp_path, range(4))
    assert set(after.scores["rnn"]) == {5, 20}
    assert after.scores["rnn"][5].seeds == before.scores["rnn"][5].seeds == tuple(range(4))
    assert (after.times, after.validation) == (before.times, before.validation)


def test_runs_that_have_read_other_reviews_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    measure(monkeypatch, tmp_path, learn_5=sweep(5), learn_20=sweep(20))
    before = contents(tmp_path)
    other = make_learner("lstm", 20, 9, True)
    vars(other)["predictions"] = predictions_of([1, 1, 1], 20)
    with pytest.raises(UserError, match="at 20 tokens have read other test reviews than learn, lstm, 20, 9; leave out"):
        measure(monkeypatch, tmp_path, learn_20=[other])
    assert contents(tmp_path) == before


def test_a_damaged_file_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    measure(monkeypatch, tmp_path, learn_5=sweep(5))
    results = (tmp_path / "results.csv").read_text().splitlines()
    (tmp_path / "results.csv").write_text("\n".join([*results[:3], "learn,rn"]))
    with pytest.raises(UserError, match=r"results\.csv: damaged in line 4; put it back"):
        measure(monkeypatch, tmp_path, learn_20=sweep(20))


def test_the_searches_are_those_in_the_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    measure(monkeypatch, tmp_path, learn_search_100=sweep(100), learn_5=sweep(5))
    measure(monkeypatch, tmp_path, learn_search_20=sweep(20))
    assert searched_distances(tmp_path) == [20, 100]
    assert {"search_20", "search_100"} <= set(learnability.findings(tmp_path).figures)


def test_a_search_alone_has_findings_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    measure(monkeypatch, tmp_path, learn_search_20=sweep(20))
    check_accuracies(STUDY, tmp_path)
    found = learnability.findings(tmp_path)
    assert [len(table.rows) for table in found.tables] == [len(ARMS)]
    assert (list(found.figures), found.verdicts) == (["search_20"], [])


def trained(name: str, seeds: list[int]) -> Provenance:
    return Provenance(
        name, "2026-01-01", "2026-01-02", len(seeds), ["lstm"], seeds, ["cpu"], [], [], [], [], [], [], []
    )


def add_provenance(monkeypatch: pytest.MonkeyPatch, folder: Path, name: str, seeds: list[int]) -> None:
    monkeypatch.setattr(protocol, "provenance_of", lambda _, sweep: trained(sweep, seeds))
    rules = protocol.digest_of(folder / "protocol.md")
    text = provenance_json(STUDY, [Sweep(name)], STORE, rules, measured_parts(STUDY, folder))
    (folder / "provenance.json").write_text(text)
    (folder / "results.csv").write_text("")


def test_each_part_keeps_how_it_was_trained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "protocol.md").write_text("Rules.\n")
    parts = [("learn_20", [2, 3]), ("learn_5", [0]), ("learn_20", [0, 1]), ("learn_5", [0, 1])]
    for name, seeds in parts:
        add_provenance(monkeypatch, tmp_path, name, seeds)
    found = json.loads((tmp_path / "provenance.json").read_text())["sweeps"]
    assert [(part["sweep"], part["seeds"]) for part in found] == [
        ("learn_5", [0, 1]), ("learn_20", [0, 1]), ("learn_20", [2, 3]),
    ]  # fmt: skip


def test_nothing_is_added_to_what_was_measured_under_another_protocol(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "protocol.md").write_text("Rules.\n")
    add_provenance(monkeypatch, tmp_path, "learn_5", [0])
    (tmp_path / "protocol.md").write_text("Other rules.\n")
    with pytest.raises(UserError, match="is not the protocol under which the results were measured"):
        measured_parts(STUDY, tmp_path)
    (tmp_path / "provenance.json").unlink()
    with pytest.raises(UserError, match=r"provenance\.json: not there"):
        measured_parts(STUDY, tmp_path)


def test_other_arms_of_as_many_runs_take_nothing_from_what_is_known_of_the_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "protocol.md").write_text("Rules.\n")
    (tmp_path / "results.csv").write_text("")
    rules = protocol.digest_of(tmp_path / "protocol.md")
    lstm = trained("learn_5", [0, 1])
    for count, measured in enumerate((lstm, replace(lstm, encoders=["rnn"]), lstm)):
        monkeypatch.setattr(protocol, "provenance_of", lambda *_, one=measured: one)
        kept = measured_parts(STUDY, tmp_path) if count else ()
        (tmp_path / "provenance.json").write_text(provenance_json(STUDY, [Sweep("learn_5")], STORE, rules, kept))
    assert [part["encoders"] for part in measured_parts(STUDY, tmp_path)] == [["rnn"], ["lstm"]]


def test_a_part_of_the_arms_takes_nothing_from_what_is_known_of_the_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "protocol.md").write_text("Rules.\n")
    (tmp_path / "results.csv").write_text("")
    all_arms, two_arms = replace(trained("learn_5", [0, 1]), runs=24), replace(trained("learn_5", [0, 1]), runs=4)
    rules = protocol.digest_of(tmp_path / "protocol.md")
    for measured in (all_arms, two_arms):
        monkeypatch.setattr(protocol, "provenance_of", lambda *_, one=measured: one)
        kept = measured_parts(STUDY, tmp_path) if measured is two_arms else ()
        (tmp_path / "provenance.json").write_text(provenance_json(STUDY, [Sweep("learn_5")], STORE, rules, kept))
    assert [part["runs"] for part in measured_parts(STUDY, tmp_path)] == [24, 4]
