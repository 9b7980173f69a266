"""Temperature scaling."""

import numpy as np
import pytest
import torch

from sentiment_rnn.analysis.calibration import (
    LIMITS,
    calibrate,
    calibration_error,
    cross_entropy,
    fit_temperature,
    rescale,
)


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


def test_logits_that_are_all_right_get_the_smallest_temperature_and_no_error() -> None:
    assert fit_temperature(np.array([5.0, -5.0]), np.array([1, 0])) == pytest.approx(LIMITS[0], rel=0.01)
    assert fit_temperature(np.array([-5.0, 5.0]), np.array([1, 0])) == pytest.approx(LIMITS[1], rel=0.01)


def test_rescale_takes_a_temperature_back() -> None:
    logits = torch.linspace(-12, 12, 101)
    back = rescale(calibrate(logits, 2.5), 2.5)
    np.testing.assert_allclose(back, logits.sigmoid().numpy(), atol=2e-6)


def test_certain_and_wrong_is_finite() -> None:
    assert np.isfinite(cross_entropy(np.array([0.0, 1.0], dtype=np.float32), np.array([1, 0])))
    assert np.isfinite(rescale(np.array([0.0, 1.0], dtype=np.float32), 20.0)).all()
