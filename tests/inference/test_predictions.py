"""A run's predictions on the test reviews: which are wrong, and whether saving keeps them."""

from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from sentiment_rnn.errors import UserError
from sentiment_rnn.inference.predictions import Predictions, surest_mistakes


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
            written, read = getattr(before, field.name), getattr(loaded, field.name)
            assert getattr(written, "dtype", None) == getattr(read, "dtype", None), field.name
            assert np.array_equal(written, read), field.name


def test_without_logits_the_probabilities_are_what_they_were_before_a_temperature() -> None:
    given = predictions([0.25, 0.9], [0, 1])
    assert np.array_equal(given.uncalibrated, given.probabilities)
    logits = replace(given, logits=np.array([0.0, -1.0], dtype=np.float32), temperature=2.0)
    np.testing.assert_allclose(logits.uncalibrated, [0.5, 0.26894143], rtol=1e-6)


def test_a_file_with_a_pickle_in_it_is_not_opened(tmp_path: Path) -> None:
    harmful = np.array([{"a": 1}], dtype=object)
    np.savez(tmp_path / "p.npz", probabilities=harmful, labels=harmful, lengths=harmful, lags=harmful)
    with pytest.raises(UserError, match="pickle"):
        Predictions.load(tmp_path / "p.npz")


def test_a_damaged_file_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "p.npz"
    predictions([0.1] * 200, [1] * 200).save(path)
    content = path.read_bytes()
    for place in range(0, len(content), 5):
        path.write_bytes(content[:place] + bytes([content[place] ^ 255]) + content[place + 1 :])
        with suppress(UserError):  # a byte that nothing reads does no harm
            Predictions.load(path)


def test_a_review_is_called_positive_above_one_half() -> None:
    found = predictions([0.4, 0.5, 0.6, 0.4, 0.5, 0.6], [0, 0, 0, 1, 1, 1]).correct
    assert found.tolist() == [True, True, False, False, False, True]


def test_lags_are_known_only_where_every_review_has_one() -> None:
    assert predictions([0.4, 0.6], [0, 1], [3, 7]).has_lags
    assert not predictions([0.4, 0.6], [0, 1], [3, -1]).has_lags
    assert not predictions([0.4, 0.6], [0, 1]).has_lags


def test_the_most_confident_mistakes_come_surest_first() -> None:
    said = predictions([0.9, 0.99, 0.6, 0.02, 0.97], [0, 1, 0, 1, 1])
    assert surest_mistakes(said.probabilities, said.labels, 2).tolist() == [3, 0]


def test_fewer_mistakes_than_asked_for_are_all_of_them() -> None:
    said = predictions([0.9, 0.99, 0.6, 0.02, 0.97], [0, 1, 0, 1, 1])
    assert surest_mistakes(said.probabilities, said.labels, 20).tolist() == [3, 0, 2]
    assert surest_mistakes(np.array([0.1, 0.9]), np.array([0, 1]), 20).tolist() == []


@given(said=some_predictions, count=st.integers(0, 40))
def test_mistakes_are_wrong_and_ordered_by_confidence(said: Predictions, count: int) -> None:
    found = surest_mistakes(said.probabilities, said.labels, count)
    confidence = np.abs(said.probabilities - 0.5)
    assert not said.correct[found].any()
    assert len(set(found.tolist())) == len(found) == min(count, int((~said.correct).sum()))
    assert (np.diff(confidence[found]) <= 0).all()
    left_out = ~said.correct
    left_out[found] = False
    if len(found) and left_out.any():
        assert confidence[left_out].max() <= confidence[found].min()
