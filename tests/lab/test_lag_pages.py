"""Counts of seeds in sentences of the pages of `lag` are those of the committed results."""

import pandas as pd
import pytest

from experiments.lab.rules import LEARNS, evidence_of
from experiments.lab.study import find_study
from experiments.lab.table import read_results

STUDY = find_study("lag")


@pytest.mark.parametrize(
    ("page", "said", "counted"),
    [
        ("own_rate", "Its {} of 20 seeds with forget bias 1 against {} are", [("lstm", "50"), ("rnn", "50")]),
        ("mid_range", "is ahead, with {} of 20 seeds to none", [("lstm", "100")]),
        (
            "bfloat16",
            "{} seeds succeed in bfloat16, {} in float32; of the others all",
            [("rnn_bfloat16", "50"), ("rnn", "50")],
        ),
        ("finalists", "succeeds with {} of 20 seeds, and with {} at the rate", [("lstm_9", "100"), ("lstm_3", "100")]),
    ],
)
def test_a_sentence_has_the_counts_of_the_results(page: str, said: str, counted: list[tuple[str, str]]) -> None:
    evidence = evidence_of(STUDY, STUDY.protocol(page), read_results(STUDY.folder))
    counts = [evidence.learn(*of) for of in counted]
    assert {seeds for _, seeds in counts} == {20}
    assert said.format(*(right for right, _ in counts)) in (STUDY.folder / f"{page}.md").read_text()


def test_the_pages_whose_counts_stand_in_a_file_say_them_in_words() -> None:
    table = read_results(STUDY.folder)
    bfloat16, long_range = (evidence_of(STUDY, STUDY.protocol(name), table) for name in ("bfloat16", "long_range"))
    assert {bfloat16.learn(arm, "50") for arm in bfloat16.arms if arm not in ("rnn", "rnn_bfloat16")} == {(20, 20)}
    far = {arm: long_range.learn(arm, "400") for arm in long_range.arms}
    assert {arm: one[0] for arm, one in far.items() if one[0]} == {"gru": 2, "lstm_chrono": 9, "lstm_chrono_2000": 5}
    said = "With chrono 400 nine of ten seeds succeed, with 2,000 five, of the GRU two, of the others none"
    assert said in (STUDY.folder / "long_range.md").read_text()


def test_the_page_of_the_figure_says_how_many_encoders_succeed() -> None:
    evidence = evidence_of(STUDY, STUDY.protocol("figure"), read_results(STUDY.folder))
    succeed = {arm for arm in evidence.arms if evidence.most_learn(arm, "100")}
    assert len(succeed) == 8
    assert not succeed & {"rnn_uniform", "rnn", "rnn_orthogonal"}
    at_400 = {arm: evidence.learn(arm, "400")[0] for arm in evidence.arms}
    some = {"lstm_chrono": 10, "lstm_chrono_2000": 6, "gru": 1, "lru": 8}
    assert {arm: count for arm, count in at_400.items() if count} == some
    assert [evidence.learn("lru", lag)[0] for lag in ("360", "440")] == [2, 4]
    page = (STUDY.folder / "figure.md").read_text()
    for said in (
        "At lag 100 no tanh RNN succeeds, and eight of the others do.",
        "chrono 400 ten of ten, the LRU eight (at 360 two, at 440 four), chrono 2,000 six, the GRU one.",
    ):
        assert said in page


def test_the_page_of_the_cause_says_what_few_distractors_change() -> None:
    evidence = evidence_of(STUDY, STUDY.protocol("cause"), read_results(STUDY.folder))
    few = {arm: evidence.learn(f"{arm}_few", "100")[0] for arm in ("rnn", "lstm")}
    assert few == {"rnn": 0, "lstm": 7}
    gains = {
        arm: evidence.learn(f"{arm}_few", "400")[0] - evidence.learn(arm, "400")[0]
        for arm in ("rnn", "gru", "lstm", "lstm_chrono")
    }
    assert max(gains.values()) == 1
    page = (STUDY.folder / "cause.md").read_text()
    assert "succeeds at lag 100 with 7 of 10 seeds in place of none, as with 13 at the rate of" in page
    mid_range = evidence_of(STUDY, STUDY.protocol("mid_range"), read_results(STUDY.folder))
    assert mid_range.learn("lstm", "100") == (14, 20)
    assert "At 400, 6 in place of 51 help no encoder by more than a seed." in page


def test_the_page_of_the_schedule_says_how_many_seeds_lose_what_they_learned() -> None:
    arms = ["rnn_18000_5400", "rnn_gain_18000_5400"]
    evidence = evidence_of(STUDY, STUDY.protocol("schedule"), read_results(STUDY.folder))
    scores = {(arm, seed): score for arm in arms for seed, score in evidence.scores[arm, "100"].items()}
    curves = pd.read_csv(STUDY.folder / "curves.csv")
    runs = {at: run for at, run in curves[curves.draw.isna()].groupby(["arm", "seed"]) if at in scores}
    best = {at: run.loc[run.accuracy.idxmax()] for at, run in runs.items()}
    lost = [at for at in scores if best[at].accuracy > 0.7 and runs[at].accuracy.iloc[-1] < 0.6]
    assert all(best[at].steps < 5_400 for at in lost), "the rate still rises"
    succeeded = [score > LEARNS for score in scores.values()]
    assert (sum(succeeded), len(succeeded)) == (9, 20)
    assert sorted(scores[at] > LEARNS for at in lost) == [False] * 5 + [True] * 4
    said = "9 of 20 do, by their best checkpoint. Four of these, and five others, fall back to chance while the rate"
    assert said in (STUDY.folder / "schedule.md").read_text()


def test_at_lag_1000_no_seed_leaves_chance() -> None:
    evidence = evidence_of(STUDY, STUDY.protocol("far"), read_results(STUDY.folder))
    with_successes = {"gru", "lru", "lstm_chrono", "lstm_chrono_2000"}
    assert {arm for arm, _ in evidence.scores} == {*with_successes, "lstm_mean_max"}
    assert max(score for of in evidence.scores.values() for score in of.values()) < 0.55
    assert "All seeds stay at chance." in (STUDY.folder / "far.md").read_text()
    findings = (STUDY.folder.parents[1] / "docs" / "findings.md").read_text()
    assert "at 1,000 none does, nor a pooled LSTM: reviews may be too few" in findings
