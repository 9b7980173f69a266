"""The protocol on models that start from a language model: what is measured, the table, the verdicts, the figure."""

import io
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from experiments.best import pretrained, vote
from experiments.best.linear import CLASSIFIERS
from experiments.best.pretrained import (
    COMPARED,
    IN_TRAIN,
    ROWS,
    best_table,
    command_of,
    findings,
    planned_answers,
    planned_rows,
    seeds_of,
    verdict,
    whole_table,
)
from experiments.best.vote import VOTES
from experiments.lab.rules import FAILS, HOLDS, UNDECIDED, Verdict, evidence_of
from experiments.lab.study import find_study
from experiments.lab.table import Correct, rows_of
from sentiment_rnn.data.review import Review
from sentiment_rnn.errors import UserError

STUDY = find_study("best")
PROTOCOL = STUDY.protocol("pretrained")
FILMS = np.arange(1000)


def decided(claim: str, right: dict[str, np.ndarray], films: np.ndarray) -> Verdict:
    """The verdict on a claim whose rows have run."""
    found = verdict(claim, right, films)
    assert found
    return found


def reads(*shares: float) -> np.ndarray:
    """bool [seeds, 1000], runs that read these shares of the reviews rightly, the first ones."""
    return np.array([np.arange(1000) < 1000 * share for share in shares])


def results() -> pd.DataFrame:
    """Two classifiers of an RNN, and what they and their language model took."""
    words, own, arm = "pretrained_words_rnn", "pretrained_rnn", "rnn_pretrained_512"
    rows = [
        (words, "pretrained", "rnn_words", "", 0, None, "train", "minutes", 20.0),
        (words, "pretrained", "rnn_words", "", 0, None, "train", "tokens", 60e6),
        (words, "pretrained", "rnn_words", "", 0, None, "train", "weights", 9e6),
        (words, "pretrained", "rnn_words", "", 0, None, "validation", "perplexity", 120.4),
    ]
    for seed, accuracy, minutes in ((0, 0.9, 2.0), (1, 0.92, 4.0)):
        for split, metric, value in (
            ("train", "minutes", minutes), ("train", "tokens", 15e6), ("train", "weights", 8.1e6),
            ("validation", "best_accuracy", accuracy),
        ):  # fmt: skip
            rows.append((own, "pretrained", arm, "", seed, None, split, metric, value))
    return rows_of("best", rows)


def test_a_row_is_compared_with_its_encoder_from_a_language_model() -> None:
    right = {"pairs": reads(0.8), "rnn_rate": reads(0.8), "rnn_pretrained": reads(0.8, 0.9)}
    linear, drawn, rnn = best_table(list(right), right, results(), FILMS).rows
    assert linear[:3] == ("NB logistic, words and pairs", "", "1")
    assert rnn[:3] == ("RNN, pretrained", "23", "2")
    assert rnn[3].startswith("85.0 (")
    assert drawn[0] == "RNN, drawn, one rate"
    assert drawn[-1].startswith("-5.0 (-")
    assert linear[-1] == rnn[-1] == ""


def test_a_row_has_what_its_language_model_took_and_its_accuracy_with_and_without_known_texts() -> None:
    right = {"pairs": reads(0.8), "rnn_pretrained": reads(0.8, 0.9)}
    linear, rnn = whole_table(right, results(), FILMS, np.arange(100), dict.fromkeys(right, "make")).rows
    assert linear[:6] == ("NB logistic, words and pairs", "", "", "", "", "1")
    assert rnn[:7] == ("RNN, pretrained", "120", "8.1", "75", "23", "2", "91.0")
    assert rnn[7].startswith("85.0 (")
    assert rnn[8].startswith("83.3 ("), "750 of 900 in the mean"
    assert rnn[9] == "make"


def test_the_command_of_a_row_trains_its_searches_or_language_model_too() -> None:
    """The sweeps that it names exist, need no other, and end with the row's own arm."""
    studies = {name: find_study(name) for name in ("best", "imdb")}
    runs = {name: planned_answers(study) for name, study in studies.items()}
    commands = {name: command_of(row, studies[row.study], runs[row.study]) for name, row in ROWS.items()
                if any(arm == row.arm for _, arm, *_ in runs[row.study])}  # fmt: skip
    assert {"bag", "pairs", "rnn", "gru_pretrained", "lstm_rate", "gru_lstm_vote"} <= commands.keys()
    for name, command in commands.items():
        *start, study, option, names, _, output = command.split()
        assert (start[-1], study, output) == ("study", ROWS[name].study, f"runs/again/{study}")
        if option == "--protocols":
            protocols = [studies[study].protocol(of) for of in names.split(",")]
            assert set(protocols[-1].reads) <= {of.name for of in protocols}
            continue
        sweeps = [studies[study].sweep(of) for of in names.split(",")]
        trained = {sweep.name for sweep in sweeps}
        starts = {studies[study].arms[arm].settings.get("pretrained") for sweep in sweeps for arm in sweep.arms}
        assert {search for sweep in sweeps for search in sweep.rates} | starts - {None} <= trained
        assert ROWS[name].arm in sweeps[-1].arms


@pytest.mark.parametrize(
    ("claim", "first", "second", "judged"),
    [
        ("lstm", 0.95, 0.9, HOLDS), ("lstm", 0.905, 0.9, FAILS), ("lstm", 0.91, 0.9, UNDECIDED),
        ("lstm_pairs", 0.95, 0.9, HOLDS), ("lstm_pairs", 0.85, 0.9, FAILS), ("pairs", 0.92, 0.9, HOLDS),
        ("last_lstm", 0.901, 0.9, HOLDS), ("last_lstm", 0.92, 0.9, FAILS), ("averaging", 0.92, 0.9, HOLDS),
        ("gru", 0.901, 0.9, HOLDS), ("gru", 0.95, 0.9, FAILS), ("gru", 0.91, 0.9, UNDECIDED),
    ],
)  # fmt: skip
def test_a_claim_is_judged_by_the_difference_on_the_same_reviews(
    claim: str, first: float, second: float, judged: str
) -> None:
    (one, *_), (other, *_), _ = COMPARED[claim]
    found = decided(claim, {one: reads(first, first), other: reads(second, second)}, FILMS)
    assert found.verdict == judged
    assert (found.rows[0].arm, found.rows[0].against) == (ROWS[one].label, ROWS[other].label)
    assert verdict(claim, {one: reads(first)}, FILMS) is None


@pytest.mark.parametrize(
    ("claim", "seeds", "judged"),
    [
        ("averaging", (0.9, 0.96), UNDECIDED), ("averaging", (0.94, 0.941), FAILS),
        ("rates", (0.9, 0.96), UNDECIDED), ("rates", (0.94, 0.941), HOLDS),
        ("averaging", (0.94,), UNDECIDED),
    ],
)  # fmt: skip
def test_a_difference_within_the_spread_of_seeds_is_open(claim: str, seeds: tuple[float, ...], judged: str) -> None:
    changed = {"averaging": "gru_averaged", "rates": "gru_one_rate"}[claim]
    found = decided(claim, {"gru_pretrained": reads(*seeds), changed: reads(0.9)}, FILMS)
    assert found.verdict == judged
    assert (float(found.rows[0].over_seeds) <= 0.05) == (judged != UNDECIDED)


def test_a_vote_and_a_small_difference_are_judged_over_films_alone() -> None:
    for claim, first in (("last_gru", "gru_last"), ("vote_gru", "gru_vote")):
        found = decided(claim, {first: reads(0.931), "gru_pretrained": reads(0.9, 0.95)}, FILMS)
        assert not found.rows[0].over_seeds


def test_two_linear_classifiers_which_have_no_seeds_are_judged_over_films_alone() -> None:
    found = decided("triples", {"triples": reads(0.93), "pairs": reads(0.9)}, FILMS)
    assert (found.verdict, found.rows[0].over_seeds) == (HOLDS, "")


def test_a_language_model_is_judged_beside_the_drawn_arm_that_has_all_seeds() -> None:
    found = decided("worth_lstm", {"lstm_pretrained": reads(0.95), "lstm_rates": reads(0.9, 0.9)}, FILMS)
    assert (found.verdict, found.rows[0].against) == (HOLDS, "LSTM, drawn, three rates")
    found = decided("adversarial_gru", {"gru_pretrained": reads(0.9, 0.9), "gru_adversarial_5": reads(0.95)}, FILMS)
    assert (found.verdict, found.rows[0].arm) == (HOLDS, "GRU, pretrained, adversarial 5")


def test_every_claim_and_every_row_is_one_of_the_declared() -> None:
    names = "pretrained", "drawn", "vote", "vote_gru", "further", "recipe", "linear"
    assert [claim.id for name in names for claim in STUDY.protocol(name).claims] == list(COMPARED)
    protocols = [STUDY.protocol(name) for name in ("pretrained", "drawn", "further", "recipe")]
    sweeps = [sweep for protocol in protocols for sweep in protocol.sweeps if sweep.compared and not sweep.rates]
    votes = {vote for of in VOTES.values() for vote in of}
    trained = [row for name, row in ROWS.items() if row.study == "best" and name not in votes]
    own = {row.arm: row.words for row in trained if row.arm not in CLASSIFIERS}
    assert own.keys() == {arm for sweep in sweeps for arm in sweep.arms}
    for arm, words in own.items():
        start = STUDY.arms[arm].settings["pretrained"]
        assert (list(STUDY.sweep(start).arms) if start else [""]) == [words]


def test_a_network_of_another_study_is_trained_as_there_to_measure_what_it_takes() -> None:
    imdb = find_study("imdb")
    costs = [
        (sweep, arm)
        for name in ("further", "recipe")
        for sweep in STUDY.protocol(name).sweeps
        if sweep.rates
        for arm in sweep.arms
    ]
    others = {"bag", "nbsvm"}
    networks = sorted(row.arm for name, row in ROWS.items() if row.study == "imdb" and name not in others)
    assert sorted(arm for _, arm in costs) == networks
    for sweep, arm in costs:
        (search,) = sweep.rates
        there = {**imdb.sweep(search.removeprefix("imdb/")).settings, **imdb.arms[arm].settings}
        here = {**sweep.settings, **STUDY.arms[arm].settings}
        assert here == {key: there[key] for key in there.keys() - {"hydra/launcher", "tracking.record"}}


def test_a_vote_is_right_where_two_of_three_are_and_costs_the_three(monkeypatch: pytest.MonkeyPatch) -> None:
    votes = [[True, True, False, False], [True, False, True, False], [True, True, False, False]]
    runs = {
        (arm, arm, "", seed): Correct(np.array(right), "reviews")
        for arm in ("rnn_pretrained_512", "lstm_pretrained_512")
        for seed, right in enumerate(votes)
    }
    monkeypatch.setattr(vote, "read_results", lambda _: results())
    monkeypatch.setattr(pretrained, "read_correct", lambda _: runs)
    protocol, no_store = STUDY.protocol("vote"), SimpleNamespace()
    measured = vote.measure(STUDY, protocol, no_store)  # type: ignore[arg-type]
    assert measured.correct["vote", "rnn_vote", "", 0].right.tolist() == [True, True, False, False]
    table = rows_of("best", measured.rows)
    of_rnn = table[table.arm == "rnn_vote"]
    assert dict(zip(of_rnn.metric, of_rnn.value, strict=True)) == {
        "accuracy": 0.5, "weights": 3 * 8.1e6, "minutes": 9, "tokens": 45e6,
    }  # fmt: skip
    del runs["rnn_pretrained_512", "rnn_pretrained_512", "", 2]
    with pytest.raises(UserError, match="rnn_pretrained_512: 2 of 3 seeds have run; run --protocols pretrained first"):
        vote.measure(STUDY, protocol, no_store)  # type: ignore[arg-type]


def test_of_a_vote_of_two_models_the_first_decides_a_draw_and_both_language_models_are_paid(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    votes = {"gru": [[1, 1, 0], [1, 1, 0], [1, 0, 0]], "lstm": [[0, 0, 1], [0, 0, 1], [0, 1, 1]]}
    runs = {
        (name, f"{name}_pretrained_512", "", seed): Correct(np.array(right, bool), "reviews")
        for name, of in votes.items() for seed, right in enumerate(of)
    }  # fmt: skip
    rows = [
        (arm, "pretrained", arm, "", 0, None, "train", metric, value)
        for name in votes for arm, value in ((f"{name}_words", 20.0), (f"{name}_pretrained_512", 2.0))
        for metric in ("minutes", "tokens", "weights")
    ]  # fmt: skip
    monkeypatch.setattr(vote, "read_results", lambda _: rows_of("best", rows))
    monkeypatch.setattr(pretrained, "read_correct", lambda _: runs)
    measured = vote.measure(STUDY, STUDY.protocol("vote_gru"), SimpleNamespace())  # type: ignore[arg-type]
    assert measured.correct["vote_gru", "gru_lstm_vote", "", 0].right.tolist() == [True, True, False]
    table = rows_of("best", measured.rows)
    of_six = table[table.arm == "gru_lstm_vote"]
    costs = dict(zip(of_six.metric, of_six.value, strict=True))
    assert (costs["minutes"], costs["weights"]) == (32, 12), "the table adds the first language model's 20 minutes"


def test_seeds_that_no_sweep_planned_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Correct(np.array([True, False]), "reviews")
    runs = {("pretrained_rnn", "rnn_pretrained_512", "", seed): right for seed in (0, 2, 7)}
    of_no_sweep = {("vote", "rnn_vote", "", 0): right}
    monkeypatch.setattr(pretrained, "read_correct", lambda _: runs | of_no_sweep)
    counted = planned_answers(STUDY)
    assert len(seeds_of(ROWS["rnn_pretrained"].arm, counted)) == 2
    assert len(seeds_of(ROWS["rnn_vote"].arm, counted)) == 1, "no sweep of its own"


def test_what_seeds_take_that_no_sweep_planned_is_not_in_the_means() -> None:
    at = "pretrained_rnn", "pretrained", "rnn_pretrained_512", ""
    table = rows_of("best", [(*at, seed, None, "train", "minutes", minutes) for seed, minutes in ((0, 2.0), (7, 90.0))])
    assert list(planned_rows(STUDY, table).value) == [2.0]


def test_nothing_is_said_before_a_run_was_measured(tmp_path: Path) -> None:
    empty = replace(STUDY, output=tmp_path)
    assert not findings(evidence_of(empty, PROTOCOL, results()), results()).tables


def test_before_all_seeds_of_a_row_have_run_there_is_no_figure_since_only_its_rows_have_minutes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / IN_TRAIN, np.array([], "<u2"))
    begun = replace(STUDY, output=tmp_path)
    bag = {("real_text", "bag", "", seed): Correct(np.ones(25_000, bool), "reviews") for seed in range(20, 30)}
    monkeypatch.setattr(pretrained, "planned_answers", lambda study: bag if study.name == "imdb" else {})
    found = findings(evidence_of(begun, PROTOCOL, results()), results())
    assert ([row[0] for row in found.tables["accuracy"].rows], found.figures) == (["bag of words"], {})


def test_a_run_is_measured_with_its_minutes_and_tokens_and_the_texts_that_are_in_train(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    curves = {"train/epoch_seconds": [60.0, 30.0], "train/tokens_per_second": [10.0, 20.0]}

    def runs_of(_: object, sweep: str, __: object) -> list[SimpleNamespace]:
        encoders = [STUDY.arms[arm].encoder for arm in STUDY.sweep(sweep).arms]
        shared = {"seed": 0, "metrics": {"parameters": 7.0}, "curve": lambda name: ([1, 2], curves[name])}
        return [SimpleNamespace(encoder=encoder, **shared) for encoder in encoders]

    reviews = {
        split: [Review(text, 0, 0, "", f"{split}/{place}") for place, text in enumerate(texts)]
        for split, texts in {"train": ["good", "bad"], "validation": ["fine"], "test": ["dull", "fine", "bad"]}.items()
    }

    def found(_: object, sweep: str, finished: bool) -> None:
        if sweep == "pretrained_words_gru":
            raise UserError("measured before, from another store")

    monkeypatch.setattr(pretrained, "find_sweep", found)
    monkeypatch.setattr(pretrained, "trained_runs", runs_of)
    monkeypatch.setattr(pretrained, "source_of", lambda _: SimpleNamespace(read=lambda: reviews))
    protocol = STUDY.protocol("pretrained")
    measured = pretrained.measure(STUDY, protocol, SimpleNamespace())  # type: ignore[arg-type]
    table = rows_of("best", measured.rows)
    assert set(zip(table.sweep, table.arm, strict=True)) == {
        (sweep.name, arm) for sweep in protocol.sweeps for arm in sweep.arms if sweep.name != "pretrained_words_gru"
    }
    assert {metric: table.value[table.metric == metric].iloc[0] for metric in ("weights", "minutes", "tokens")} == {
        "weights": 7, "minutes": 1.5, "tokens": 1200,
    }  # fmt: skip
    content = measured.files[IN_TRAIN]
    assert isinstance(content, bytes)
    assert np.load(io.BytesIO(content)).tolist() == [1, 2]
    others = pretrained.measure(STUDY, STUDY.protocol("further"), SimpleNamespace())  # type: ignore[arg-type]
    assert others.rows
    assert not others.files, "which texts are in train was measured with the first"


def test_the_figure_has_a_dot_for_each_seed_at_its_minutes_and_tells_of_those_below() -> None:
    right = {"triples_published": reads(0.9), "rnn_pretrained": reads(0.88, 0.9, 0.6)}
    (axes,) = pretrained.accuracy_by_minutes(right, results(), STUDY.arms).axes
    (dots,) = axes.collections
    assert np.asarray(dots.get_offsets()).tolist() == [[23, 88], [23, 90], [23, 60]]
    assert axes.get_ylim()[0] == 81
    labels = {"RNN, pretrained (1 below: 60.0)", "NB logistic, words, pairs and triples, as published: 90.0"}
    assert {text.get_text() for text in axes.texts} == labels
    assert [line.get_ydata()[0] for line in axes.lines] == [90]  # type: ignore[index]


def test_a_vote_and_a_row_with_a_part_changed_are_hollow_and_not_named() -> None:
    right = {"rnn_pretrained": reads(0.88, 0.9, 0.89), "rnn_vote": reads(0.9), "triples": reads(0.91)}
    of_vote = rows_of("best", [("vote", "vote", "rnn_vote", "", 0, None, "train", "minutes", 9.0)])
    (axes,) = pretrained.accuracy_by_minutes(right, pd.concat([results(), of_vote]), STUDY.arms).axes
    assert [text.get_text() for text in axes.texts] == ["RNN, pretrained"]
    assert [len(dots.get_facecolor()) for dots in axes.collections] == [1, 0]  # type: ignore[attr-defined]
