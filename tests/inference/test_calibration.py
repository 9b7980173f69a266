"""Temperature scaling."""

import numpy as np
import pytest
import torch

from sentiment_rnn.inference.predictions import calibrate
from sentiment_rnn.report.evaluation import LIMITS, calibration_error, cross_entropy, fit_temperature


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_the_temperature_that_made_logits_overconfident_is_found(temperature: float) -> None:
    random = np.random.default_rng(0)
    honest = random.normal(0, 2, 200_000)
    labels = (random.random(len(honest)) < 1 / (1 + np.exp(-honest))).astype(int)
    assert fit_temperature(honest * temperature, labels) == pytest.approx(temperature, rel=0.02)


def test_a_fitted_temperature_makes_overconfident_probabilities_mean_what_they_say() -> None:
    random = np.random.default_rng(1)
    honest = random.normal(0, 2, 20_000).astype(np.float32)
    labels = (random.random(len(honest)) < 1 / (1 + np.exp(-honest))).astype(int)
    logits = torch.from_numpy(honest * 3)
    before, after = calibrate(logits, 1.0), calibrate(logits, fit_temperature(logits.numpy(), labels))
    assert calibration_error(after, labels) < 0.02 < 0.05 < calibration_error(before, labels)
    assert cross_entropy(after, labels) < cross_entropy(before, labels)
    assert ((after > 0.5) == (before > 0.5)).all()


def test_the_calibration_error_of_a_million_texts_has_all_its_digits() -> None:
    random = np.random.default_rng(2)
    said = random.random(1_000_000)
    labels = (random.random(len(said)) < said).astype(int)
    bins = np.minimum((said * 15).astype(int), 14)
    gaps = np.bincount(bins, weights=said - labels, minlength=15)
    assert calibration_error(said, labels) == pytest.approx(np.abs(gaps).sum() / len(said), rel=1e-6)


def test_where_every_logit_is_right_there_is_nothing_to_fit() -> None:
    assert fit_temperature(np.array([5.0, -0.1]), np.array([1, 0])) == 1


def test_a_temperature_stays_within_its_limits() -> None:
    assert fit_temperature(np.array([-5.0, 5.0]), np.array([1, 0])) == pytest.approx(LIMITS[1], rel=0.01)
    nearly = np.array([0.1] * 99 + [-0.001])
    assert fit_temperature(nearly, np.ones(100, dtype=int)) == pytest.approx(LIMITS[0], rel=0.01)


@pytest.mark.parametrize("temperature", [0.2, 1.0, 1.3])
def test_a_probability_does_not_depend_on_where_in_a_batch_it_stands(temperature: float) -> None:
    logits = torch.randn(1001, generator=torch.Generator().manual_seed(0)) * 5
    alone = np.concatenate([calibrate(logits[n : n + 1], temperature) for n in range(len(logits))])
    np.testing.assert_array_equal(calibrate(logits, temperature), alone)


def test_certain_and_wrong_is_finite() -> None:
    assert np.isfinite(cross_entropy(np.array([0.0, 1.0], dtype=np.float32), np.array([1, 0])))
