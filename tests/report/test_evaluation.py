"""`evaluate` promises scores of a model on texts of one's own, and a run a temperature at which probabilities mean what
they say."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from sentiment_rnn.data.text_files import Rows
from sentiment_rnn.errors import UserError
from sentiment_rnn.inference.package import Package
from sentiment_rnn.inference.predictions import calibrate
from sentiment_rnn.inference.predictor import Predictor
from sentiment_rnn.report.evaluation import (
    LIMITS,
    calibration_error,
    cross_entropy,
    fit_temperature,
    judge,
    scores,
    tables,
)


@pytest.fixture
def predictor(build_package: Callable[..., Package]) -> Predictor:
    return Predictor(build_package())


WORDS = ["the film was great", "awful , long", "i liked it", "a b", "great and good .", "bad", "film film", "it was 5"]


def rows(predictor: Predictor, wrong: set[int], identifiers: list[str | None] | None = None) -> Rows:
    """`WORDS` with the labels that the model gives, but for those at `wrong`."""
    answers = [int(label == "positive") for label in predictor.predict(WORDS).labels]
    labels = [1 - label if index in wrong else label for index, label in enumerate(answers)]
    return Rows(list(WORDS), labels, identifiers or [])


def test_the_scores_count_what_is_right(predictor: Predictor) -> None:
    evaluation = judge(predictor, [rows(predictor, {1, 4})])
    values = scores(evaluation)
    assert values["accuracy"] == 6 / 8
    assert evaluation.accuracy.low < 0.75 < evaluation.accuracy.high
    assert [mistake.text for mistake in evaluation.mistakes] == sorted(
        [WORDS[1], WORDS[4]], key=lambda text: -abs(predictor.predict([text]).probabilities[0] - 0.5)
    )
    assert len(tables(evaluation, values)) == 3


def test_parts_add_up_to_the_whole(predictor: Predictor) -> None:
    whole = rows(predictor, {2})
    halves = [Rows(whole.texts[:3], whole.labels[:3], []), Rows(whole.texts[3:], whole.labels[3:], [])]
    assert scores(judge(predictor, [whole])) == pytest.approx(scores(judge(predictor, halves)), abs=1e-6)


def test_texts_without_a_token_are_counted_and_in_no_score(predictor: Predictor) -> None:
    whole = rows(predictor, set())
    evaluation = judge(predictor, [Rows([*whole.texts, "", None, " "], [*whole.labels, 1, 0, 1], [])])
    values = scores(evaluation)
    assert "3 more texts" in str(tables(evaluation, values))
    assert (values["texts"], values["accuracy"]) == (8, 1)
    with pytest.raises(UserError, match="nothing to judge"):
        judge(predictor, [Rows(["", None], [0, 1], [])])


def test_texts_of_the_training_data_are_found_whatever_their_case_and_markup(predictor: Predictor) -> None:
    texts: list[str | None] = ["The  film was GOOD.<br />", "bad film!", "the film was bad ."]
    evaluation = judge(predictor, [Rows(texts, [1, 0, 0], [])])
    assert evaluation.seen.tolist() == [True, True, False]
    assert scores(evaluation)["texts_seen_in_training"] == 2
    assert "accuracy_without_seen" in scores(evaluation)
    assert judge(predictor, [Rows(["bad film !"], [0], [])]).accuracy_unseen is None


def test_consistency_asks_for_every_text_of_an_identifier(predictor: Predictor) -> None:
    identifiers = ["x", "x", "y", "y", "z", "z", "alone", "other"]
    evaluation = judge(predictor, [rows(predictor, {1, 6}, identifiers)])
    assert scores(evaluation)["consistency"] == pytest.approx(2 / 3)
    assert judge(predictor, [rows(predictor, set())]).consistency is None
    assert judge(predictor, [rows(predictor, set(), list("abcdefgh"))]).consistency is None


def test_one_label_alone_has_no_area_under_the_curve(predictor: Predictor) -> None:
    evaluation = judge(predictor, [Rows(["good", "bad"], [1, 1], [])])
    assert "auroc" not in scores(evaluation)
    assert "one label only" in str(tables(evaluation, scores(evaluation)))


def test_the_scores_before_the_temperature_are_those_of_a_model_without_one(
    build_package: Callable[..., Package],
) -> None:
    hot, plain = (Predictor(build_package(temperature=t)) for t in (3.0, 1.0))
    labelled = rows(hot, {0, 3})
    with_temperature, without = scores(judge(hot, [labelled])), scores(judge(plain, [labelled]))
    assert with_temperature["loss_uncalibrated"] == pytest.approx(without["loss"], abs=1e-5)
    assert with_temperature["loss"] != pytest.approx(without["loss"], abs=1e-3)
    shown = dict(tables(judge(hot, [labelled]), with_temperature)[0].rows)
    assert shown["cross-entropy [nats]"].startswith(f"{with_temperature['loss']:.3f} with temperature 3.00")
    assert f"{without['loss']:.3f} without" in shown["cross-entropy [nats]"]


def made_overconfident(factor: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits, float32 [N], that are `factor` times those of their labels, int [N]."""
    random = np.random.default_rng(0)
    honest = random.normal(0, 2, count).astype(np.float32)
    return honest * np.float32(factor), (random.random(count) < 1 / (1 + np.exp(-honest))).astype(int)


@pytest.mark.parametrize("temperature", [0.4, 3.0])
def test_the_temperature_that_made_logits_overconfident_is_found(temperature: float) -> None:
    logits, labels = made_overconfident(temperature, 200_000)
    assert fit_temperature(logits, labels) == pytest.approx(temperature, rel=0.02)
    before, after = (calibrate(torch.from_numpy(logits), t) for t in (1.0, temperature))
    assert calibration_error(after, labels) < 0.02 < 0.05 < calibration_error(before, labels)
    assert cross_entropy(after, labels) < cross_entropy(before, labels)


def test_a_temperature_stays_within_its_limits_and_is_1_where_every_logit_is_right() -> None:
    assert fit_temperature(np.array([5.0, -0.1]), np.array([1, 0])) == 1
    assert fit_temperature(np.array([-5.0, 5.0]), np.array([1, 0])) == pytest.approx(LIMITS[1], rel=0.01)


def test_certain_and_wrong_is_finite() -> None:
    assert np.isfinite(cross_entropy(np.array([0.0, 1.0], dtype=np.float32), np.array([1, 0])))
