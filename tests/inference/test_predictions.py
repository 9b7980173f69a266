"""The predictions of a run promise `compare` and `evaluate`: saving keeps them, and the surest mistakes come first."""

from dataclasses import fields, replace
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given

from sentiment_rnn.errors import UserError
from sentiment_rnn.inference.predictions import Predictions, calibrate, surest_mistakes


def predictions(probabilities: list[float], labels: list[int], lags: list[int] | None = None) -> Predictions:
    """Predictions with the dtypes that a run writes."""
    count = len(labels)
    return Predictions(
        probabilities=np.array(probabilities, dtype=np.float32),
        labels=np.array(labels, dtype=np.int8),
        lengths=np.arange(1, count + 1),
        lags=np.array(lags or [-1] * count, dtype=np.int32),
    )


some_predictions = st.lists(st.tuples(st.floats(0, 1, width=32), st.integers(0, 1)), min_size=1, max_size=30).map(
    lambda pairs: predictions([p for p, _ in pairs], [label for _, label in pairs])
)


def test_saved_predictions_are_read_back_as_they_were(tmp_path: Path) -> None:
    saved = predictions([0.25, 0.9, 1 / 3], [0, 1, 1], [4, 2, 9])
    logits = replace(saved, logits=np.array([-2.2, 4.4, 0.1], dtype=np.float32), temperature=1.7)
    for before in (saved, logits):
        before.save(tmp_path / "predictions.npz")
        loaded = Predictions.load(tmp_path / "predictions.npz")
        for field in fields(Predictions):
            np.testing.assert_equal(getattr(loaded, field.name), getattr(before, field.name))


def test_without_logits_the_probabilities_are_what_they_were_before_a_temperature() -> None:
    old = predictions([0.25, 0.9], [0, 1])
    assert np.array_equal(old.uncalibrated, old.probabilities)
    logits = replace(old, logits=np.array([0.0, -1.0], dtype=np.float32), temperature=2.0)
    np.testing.assert_allclose(logits.uncalibrated, [0.5, 0.26894143], rtol=1e-6)


def test_a_file_with_a_pickle_in_it_is_not_opened(tmp_path: Path) -> None:
    harmful = np.array([{"a": 1}], dtype=object)
    np.savez(tmp_path / "p.npz", probabilities=harmful, labels=harmful, lengths=harmful, lags=harmful)
    with pytest.raises(UserError, match="pickle"):
        Predictions.load(tmp_path / "p.npz")


def test_lags_are_known_only_where_every_review_has_one() -> None:
    assert predictions([0.4, 0.6], [0, 1], [3, 7]).has_lags
    assert not predictions([0.4, 0.6], [0, 1], [3, -1]).has_lags


@given(predicted=some_predictions, count=st.integers(0, 40))
def test_mistakes_are_wrong_and_the_surest_come_first(predicted: Predictions, count: int) -> None:
    mistakes = surest_mistakes(predicted.probabilities, predicted.labels, count)
    confidence = np.abs(predicted.probabilities - 0.5)
    assert len(set(mistakes.tolist())) == len(mistakes) == min(count, int((~predicted.correct).sum()))
    assert not predicted.correct[mistakes].any()
    expected = np.sort(confidence[~predicted.correct])[::-1][:count]
    np.testing.assert_array_equal(confidence[mistakes], expected)


def test_a_probability_does_not_depend_on_where_in_a_batch_it_stands() -> None:
    logits = torch.randn(1001, generator=torch.Generator().manual_seed(0)) * 5
    alone = np.concatenate([calibrate(logits[n : n + 1], 1.3) for n in range(len(logits))])
    np.testing.assert_array_equal(calibrate(logits, 1.3), alone)
