"""Who writes a claim knows where its rule flips, what leaves it open, and which tests are corrected together."""

import math
from pathlib import Path
from typing import Any

import pytest
from made_studies import Scores, evidence, learners, make_study, table_of
from scipy.stats import binomtest, fisher_exact

from experiments.lab.results import joined
from experiments.lab.rules import (
    FAILS,
    HOLDS,
    IN_PART,
    UNDECIDED,
    Numbers,
    Part,
    above,
    adjusted_p,
    all_true,
    below,
    evidence_of,
    judged,
    parts_of,
    verdicts_of,
)
from experiments.lab.study import Study
from sentiment_rnn.errors import UserError
from sentiment_rnn.report.statistics import Interval

PAIR = [["lstm", "rnn"]]


def claim(rule: str, **given: Any) -> dict[str, Any]:
    return {"id": rule, "text": f"It is so by {rule}.", "rule": rule, "at": [20]} | given


@pytest.fixture
def verdicts(tmp_path: Path) -> Any:
    """The verdicts on these claims, by their rule, where runs have these scores."""

    def found(scores: Scores, *claims: dict[str, Any], **of_protocol: Any) -> dict[str, str]:
        study = make_study(tmp_path, {"claims": list(claims), **of_protocol})
        return {name: found.verdict for name, found in verdicts_of(evidence(study, scores)).items()}

    return found


@pytest.mark.parametrize(
    ("learn", "most", "few"),
    [(20, HOLDS, FAILS), (15, HOLDS, FAILS), (14, UNDECIDED, UNDECIDED), (6, UNDECIDED, UNDECIDED), (5, FAILS, HOLDS)],
)
def test_most_seeds_learn_or_fail_where_the_exact_interval_says_so(
    verdicts: Any, learn: int, most: str, few: str
) -> None:
    arms = {"arms": ["rnn"]}
    scores = {("rnn", "20"): learners(learn)}
    found = verdicts(scores, claim("most_learn", **arms), claim("most_fail", **arms))
    assert found == {"most_learn": most, "most_fail": few}


@pytest.mark.parametrize(
    ("lstm", "rnn", "verdict"), [(20, 15, HOLDS), (20, 16, UNDECIDED), (15, 20, FAILS), (20, 20, UNDECIDED)]
)
def test_an_arm_learns_more_often_where_fishers_test_says_so(verdicts: Any, lstm: int, rnn: int, verdict: str) -> None:
    scores = {("lstm", "20"): learners(lstm), ("rnn", "20"): learners(rnn)}
    assert verdicts(scores, claim("learns_more", pairs=PAIR)) == {"learns_more": verdict}


@pytest.mark.parametrize(
    ("lstm", "rnn", "more", "alike"),
    [
        (20, 20, FAILS, HOLDS), (20, 16, FAILS, HOLDS), (20, 15, HOLDS, UNDECIDED), (20, 0, HOLDS, FAILS),
        (10, 7, UNDECIDED, UNDECIDED),
    ],
)  # fmt: skip
def test_with_a_margin_a_small_difference_is_none(verdicts: Any, lstm: int, rnn: int, more: str, alike: str) -> None:
    scores = {("lstm", "20"): learners(lstm), ("rnn", "20"): learners(rnn)}
    rules = [claim(rule, pairs=PAIR, margin=0.4) for rule in ("learns_more", "learns_as_often")]
    assert verdicts(scores, *rules) == {"learns_more": more, "learns_as_often": alike}


@pytest.mark.parametrize(("ahead", "verdict"), [(20, HOLDS), (16, HOLDS), (15, HOLDS), (14, UNDECIDED), (4, FAILS)])
def test_better_is_more_than_the_margin_in_most_seeds(verdicts: Any, ahead: int, verdict: str) -> None:
    scores = {("lstm", "20"): [0.88] * 20, ("rnn", "20"): [0.869] * ahead + [0.871] * (20 - ahead)}
    assert verdicts(scores, claim("better", pairs=PAIR, margin=0.01)) == {"better": verdict}


@pytest.mark.parametrize(
    ("rnn", "verdict"),
    [([0.875] * 20, HOLDS), ([0.86] * 20, FAILS), ([0.90] * 20, FAILS), ([0.75, 1.0] * 10, UNDECIDED)],
)
def test_as_good_is_neither_better_nor_worse_by_more_than_the_margin(
    verdicts: Any, rnn: list[float], verdict: str
) -> None:
    scores = {("lstm", "20"): [0.88] * 20, ("rnn", "20"): rnn}
    assert verdicts(scores, claim("as_good", pairs=PAIR, margin=0.01)) == {"as_good": verdict}


def test_all_tests_of_a_protocol_are_corrected_together_by_holm_and_no_others(tmp_path: Path) -> None:
    claims = [
        claim("learns_more", pairs=[["lstm", "rnn"], ["gru", "rnn"]], at=[20, 50]),
        claim("better", pairs=[["lstm", "gru"]], margin=0.01),
        claim("learns_as_often", pairs=[["gru", "lstm"]], margin=0.4),
    ]
    study = make_study(tmp_path, {"claims": claims})
    scores = {("lstm", "20"): learners(20), ("rnn", "20"): learners(13), ("gru", "20"): learners(16)}
    found = adjusted_p(evidence(study, scores))
    fisher, sign = fisher_exact([[20, 0], [13, 7]]).pvalue, binomtest(4, 20).pvalue
    assert len(found) == 5, "two pairs at two lags, and one of better: also what was not run"
    assert found["learns_more", Part("lstm", "rnn", "20")] == pytest.approx(5 * fisher)
    assert found["better", Part("lstm", "gru", "20")] == pytest.approx(4 * sign)
    assert found["learns_more", Part("lstm", "rnn", "50")] == 1


def test_nothing_is_decided_before_all_planned_seeds_were_run(tmp_path: Path) -> None:
    learn, compare = claim("most_learn", arms=["rnn"], at=[20, 50]), claim("learns_more", pairs=PAIR)
    study = make_study(tmp_path, {"claims": [learn, compare]})
    scores = {("rnn", "20"): learners(20), ("rnn", "50"): learners(19, of=19), ("lstm", "20"): learners(0, of=19)}
    found = verdicts_of(evidence(study, scores))
    assert set(found) == {"most_learn"}, "of the comparison nothing can be said"
    assert found["most_learn"].verdict == IN_PART
    label = "RNN, orthogonal"
    assert found["most_learn"].rows == (Numbers("20", label, "20/20 (83–100)"), Numbers("50", label, "not run"))


def test_arms_with_other_seeds_are_no_pairs(tmp_path: Path) -> None:
    sweeps = [{"name": arm, "at": [20], "arms": [arm], "seeds": "0-4"} for arm in ("rnn", "lstm")]
    sweeps[1]["seeds"] = "5-9"
    study = make_study(tmp_path, {"sweeps": sweeps, "claims": [claim("better", pairs=PAIR)]})
    with pytest.raises(UserError, match="give both arms the same seeds"):
        verdicts_of(evidence(study, {("rnn", "20"): learners(5, of=5), ("lstm", "20"): learners(5, of=5)}))


def test_seeds_that_are_not_planned_do_not_count(tmp_path: Path) -> None:
    found = evidence(make_study(tmp_path), {("rnn", "20"): [*learners(20), 0.5, 0.5]})
    assert found.learn("rnn", "20") == (20, 20)
    assert found.validation["rnn", "20"] == 0.99


def test_a_claim_says_nothing_where_the_whole_arm_does_not_learn_itself(verdicts: Any) -> None:
    asked = claim("learns_more", pairs=[["lstm", "gru"]], at=[20, 50], only_where="lstm")
    whole = {("lstm", "20"): learners(20), ("gru", "20"): learners(0), ("gru", "50"): learners(0)}
    assert verdicts(whole | {("lstm", "50"): learners(20)}, asked) == {"learns_more": HOLDS}
    assert verdicts(whole | {("lstm", "50"): learners(14)}, asked) == {"learns_more": IN_PART}


def test_the_best_on_validation_stands_for_its_kind_and_the_first_of_equals(tmp_path: Path) -> None:
    pair = [{"best_on_validation": ["lstm", "gru"]}, "rnn"]
    study = make_study(tmp_path, {"claims": [claim("learns_more", pairs=[pair])]})
    asked = study.protocols["first"].claims[0]
    scores = {("lstm", "20"): learners(20), ("gru", "20"): learners(20), ("rnn", "20"): learners(0)}
    assert parts_of(asked, evidence(study, scores)) == [Part("lstm", "rnn", "20")]
    better = scores | {("gru", "20"): [0.999] * 20}
    assert parts_of(asked, evidence(study, better)) == [Part("gru", "rnn", "20")]
    table = table_of(study, better)
    test = (table.arm == "gru") & (table.metric == "accuracy")
    on_test = evidence_of(study, study.protocols["first"], table.assign(value=table.value.mask(test, 0.5)))
    assert parts_of(asked, on_test) == [Part("gru", "rnn", "20")], "the test does not choose"


def test_a_seed_that_misses_one_trained_lag_has_nothing_to_carry(tmp_path: Path) -> None:
    asked = claim("most_learn", arms=["rnn"], at=[50])
    study = make_study(tmp_path, {"claims": [asked], "among": [20]})
    found = evidence(study, {("rnn", "20"): learners(10), ("rnn", "50"): [0.99] * 10 + [0.99] * 10})
    assert (found.learn("rnn", "50"), len(found.every["rnn", "50"])) == ((10, 10), 20)
    assert verdicts_of(found)["most_learn"].verdict == HOLDS
    few = evidence(study, {("rnn", "20"): learners(4), ("rnn", "50"): learners(4)})
    assert verdicts_of(few)["most_learn"].verdict == UNDECIDED


def test_a_protocol_reads_the_runs_of_an_earlier_one_and_its_own_where_it_has_them(tmp_path: Path) -> None:
    study = two_protocols(tmp_path)
    earlier = table_of(study, {("rnn", "20"): learners(0), ("lstm", "20"): learners(0)})
    table = joined(earlier, table_of(study, {("lstm", "20"): learners(20)}, "second"))
    found = evidence_of(study, study.protocols["second"], table)
    assert (found.learn("rnn", "20"), found.learn("lstm", "20")) == ((0, 20), (20, 20))
    assert verdicts_of(found)["learns_more"].verdict == HOLDS
    assert evidence_of(study, study.protocols["first"], table).learn("lstm", "20") == (0, 20)


def two_protocols(root: Path) -> Study:
    sweep = {"name": "learn", "at": [20], "arms": ["rnn", "lstm"], "seeds": "0-19"}
    again = {"name": "again", "at": [20], "arms": ["lstm"], "seeds": "40-59"}
    claims = [claim("learns_more", pairs=PAIR)]
    protocols = {
        "first": {"date": "2026-01-02", "sweeps": [sweep]},
        "second": {"date": "2026-01-03", "reads": ["first"], "sweeps": [again], "claims": claims},
    }
    return make_study(root, protocols=protocols)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.6, 0.8, True), (0.2, 0.4, False), (0.4, 0.6, None), (0.5, 0.8, None), (0.5, 0.5, False),
        (math.nan, math.nan, None),
    ],
)  # fmt: skip
def test_a_threshold_inside_the_interval_decides_nothing(low: float, high: float, expected: bool | None) -> None:
    assert above(Interval(0.7, low, high), 0.5) is expected
    assert below(Interval(-0.7, -high, -low), -0.5) is expected


@pytest.mark.parametrize(
    ("parts", "all_of_them", "verdict"),
    [
        ((True, True), True, HOLDS), ((True, False), False, IN_PART), ((True, None), None, IN_PART),
        ((True, None, False), False, IN_PART), ((False, False), False, FAILS), ((False, None), False, UNDECIDED),
        ((None,), None, UNDECIDED), ((), None, UNDECIDED),
    ],
)  # fmt: skip
def test_a_claim_is_inconclusive_where_no_part_is_shown_and_one_is_open(
    parts: tuple[bool | None, ...], all_of_them: bool | None, verdict: str
) -> None:
    assert all_true(parts) is all_of_them
    assert judged(*parts) == verdict
