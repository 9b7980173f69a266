"""The linear classifiers of n-grams, by hand and on generated reviews, and the interval over films."""

import io
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from scipy.stats import norm
from sklearn.svm import LinearSVC

from experiments.imdb import word_pairs
from experiments.imdb.word_pairs import CLASSIFIERS, COMPARED, clustered, findings, grams_of, log_count_ratios, trained
from experiments.lab.findings import Findings
from experiments.lab.rules import FAILS, HOLDS, UNDECIDED, evidence_of
from experiments.lab.statistics import points
from experiments.lab.study import find_study
from experiments.lab.table import CORRECT, Correct, check_correct, correct_file, read_results, rows_of
from sentiment_rnn.errors import UserError

STUDY = find_study("imdb")
PROTOCOL = STUDY.protocol("word_pairs")
REVIEWS = [["not", "good"], ["good"], ["good", "not"], ["bad"]]
LABELS = np.array([0, 1, 1, 0])


def test_n_grams_are_runs_of_tokens_as_they_are() -> None:
    grams = grams_of(3).fit([["Not", "very", "good", "."], []])
    assert sorted(grams.vocabulary_) == [
        ".", "Not", "Not very", "Not very good", "good", "good .", "very", "very good", "very good .",
    ]  # fmt: skip


def test_features_say_whether_a_review_has_an_n_gram_of_training() -> None:
    grams = grams_of(2)
    assert grams.fit_transform(REVIEWS).toarray().tolist() == [
        [0, 1, 0, 1, 1],
        [0, 1, 0, 0, 0],
        [0, 1, 1, 1, 0],
        [1, 0, 0, 0, 0],
    ]  # bad, good, good not, not, not good
    assert grams.transform([["bad", "bad", "not", "new"]]).toarray().tolist() == [[1, 0, 0, 1, 0]]


def test_ratios_are_those_of_the_smoothed_counts() -> None:
    features = csr_matrix(np.array([[1, 0, 1], [1, 0, 0], [0, 1, 0]], np.float32))
    found = log_count_ratios(features, np.array([1, 1, 0]))
    p, q = np.array([3, 1, 2]) / 6, np.array([1, 2, 1]) / 4
    assert found == pytest.approx(np.log(p / q), rel=1e-6)


@pytest.mark.parametrize("ratios", [True, False])
def test_a_classifier_of_pairs_learns_what_one_of_words_cannot(ratios: bool) -> None:
    for longest, right in ((1, False), (2, True)):
        features = grams_of(longest).fit_transform(REVIEWS)
        said = trained(features, LABELS, 10.0, ratios).predict(features)
        assert (said == LABELS).all() == right


def test_the_weights_of_nbsvm_are_drawn_to_their_mean_magnitude_and_scaled_by_the_ratios() -> None:
    features = grams_of(1).fit_transform(REVIEWS)
    ratios = log_count_ratios(features, LABELS)
    own = LinearSVC(C=1.0, dual=True, random_state=0, max_iter=10_000)
    (weights,) = own.fit(features.multiply(ratios), LABELS).coef_
    drawn = ratios * (0.25 * weights + 0.75 * np.abs(weights).mean())
    assert trained(features, LABELS, 1.0, ratios=True).coef_[0] == pytest.approx(drawn, rel=1e-4)
    (weights,) = own.fit(features, LABELS).coef_
    assert trained(features, LABELS, 1.0, ratios=False).coef_[0] == pytest.approx(weights, rel=1e-4)


def test_reviews_on_which_no_svm_converges_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(word_pairs, "COSTS", ())
    splits = dict.fromkeys(word_pairs.SPLITS, REVIEWS)
    with pytest.raises(UserError, match="words: the SVM converges with none of C"):
        word_pairs.train_and_test("words", CLASSIFIERS["SVM, words"], splits, dict.fromkeys(splits, LABELS))


def test_order_is_worth_much_to_a_linear_classifier_where_it_decides(tmp_path: Path) -> None:
    """In generated reviews a bag of words is at chance: a pair, and still more a triple, says more."""
    given = ("data=generated", "data.train_reviews=2000", "data.test_reviews=1000", "data.max_lag=5")
    measured = word_pairs.measure(STUDY, PROTOCOL, overrides=(*given, f"data.directory={tmp_path}"))
    table = rows_of("imdb", measured.rows)
    check_correct(table, measured.correct, tmp_path)
    tested = table[(table.split == "test") & (table.metric == "accuracy")]
    assert list(tested.arm) == list(CLASSIFIERS)
    words, pairs, triples, shuffled = tested.value[:4]
    assert abs(words - 0.5) < 0.05
    assert abs(shuffled - 0.5) < 0.05
    assert words + 0.05 < pairs < triples - 0.05
    assert set(table[table.metric == "C"].value) <= set(word_pairs.COSTS)
    (tmp_path / CORRECT).write_bytes(correct_file(measured.correct))
    for name, content in measured.files.items():
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    found = findings_in(tmp_path, table)
    assert found.verdicts["pairs"].verdict == HOLDS
    assert [row[0] for row in found.tables["accuracy"].rows] == list(CLASSIFIERS)


def findings_in(folder: Path, table: pd.DataFrame) -> Findings:
    return findings(evidence_of(replace(STUDY, output=folder), PROTOCOL, table), table)


def test_a_classifier_is_better_where_the_interval_of_their_difference_is_above_a_point(tmp_path: Path) -> None:
    reviews = 2000
    shares = dict(zip(CLASSIFIERS, (0.80, 0.90, 0.89, 0.895, 0.85, 0.86), strict=True))
    right = {name: np.arange(reviews) < share * reviews for name, share in shares.items()}
    runs = {("word_pairs", name, "", 0): Correct(of, "reviews") for name, of in right.items()}
    (tmp_path / CORRECT).write_bytes(correct_file(runs))
    np.save(content := io.BytesIO(), np.arange(reviews, dtype="<u2"))
    (tmp_path / word_pairs.FILMS).write_bytes(content.getvalue())
    table = rows_of("imdb", [
        ("word_pairs", "word_pairs", name, "", 0, None, split, metric, value)
        for name, share in shares.items()
        for split, metric, value in (("train", "C", 0.1), ("validation", "accuracy", 0.5), ("test", "accuracy", share))
    ])  # fmt: skip
    found = findings_in(tmp_path, table)
    verdicts = {claim: verdict.verdict for claim, verdict in found.verdicts.items()}
    assert verdicts == {"pairs": HOLDS, "order": FAILS, "triples": FAILS, "ratios": UNDECIDED}
    together = clustered(1.0 * right["SVM, words and pairs"] - right["SVM, words"], np.arange(reviews), comparisons=4)
    assert found.verdicts["ratios"].rows[0].difference == points(together)
    assert found.tables["accuracy"].rows[0] == ("NBSVM, words", "0.1", "50.0 %", "80.0 % (78.2–81.8)")
    assert findings_in(tmp_path, table[:0]) == Findings()


def test_every_claim_of_the_protocol_compares_two_classifiers() -> None:
    assert list(COMPARED) == [claim.id for claim in PROTOCOL.claims]
    assert {name for pair in COMPARED.values() for name in pair} <= set(CLASSIFIERS)


def test_the_gain_of_pairs_that_the_findings_state_is_that_of_the_committed_files() -> None:
    (row,) = findings_in(STUDY.folder, read_results(STUDY.folder)).verdicts["pairs"].rows
    (gain,) = re.findall(r"^\+([\d.]+) \(", row.difference)
    assert f"{gain} points over words" in (STUDY.folder.parents[1] / "docs" / "findings.md").read_text()


def test_with_a_film_a_review_the_interval_is_the_normal_one() -> None:
    values = np.array([1.0, 0, 1, 1, 0, 1, 1, 0])
    found = clustered(values, np.arange(8))
    margin = norm.ppf(0.975) * values.std(ddof=1) / math.sqrt(8)
    assert (found.estimate, found.low, found.high) == pytest.approx((0.625, 0.625 - margin, 0.625 + margin))


def test_reviews_that_agree_within_films_count_as_one() -> None:
    values = np.array([1.0, 0, 1, 1])
    alone, doubled = clustered(values, np.arange(4)), clustered(values.repeat(2), np.arange(4).repeat(2))
    assert doubled == pytest.approx(alone)
    assert clustered(values.repeat(2), np.arange(8)).low > alone.low


def test_the_interval_over_films_covers_the_mean() -> None:
    draw, inside = np.random.default_rng(0), 0
    for _ in range(400):
        sizes = draw.integers(1, 30, 200)
        films = np.repeat(np.arange(200), sizes)
        values = (draw.random(len(films)) < np.repeat(draw.beta(7, 3, 200), sizes)).astype(float)
        found = clustered(values, films)
        inside += found.low < 0.7 < found.high
    assert 0.92 < inside / 400 < 0.98


def test_several_intervals_that_hold_together_are_wider() -> None:
    values, films = np.array([1.0, 0, 1, 1]), np.arange(4)
    one, four = clustered(values, films), clustered(values, films, comparisons=4)
    ratio = (four.high - four.low) / (one.high - one.low)
    assert ratio == pytest.approx(norm.ppf(1 - 0.0125 / 2) / norm.ppf(0.975))
