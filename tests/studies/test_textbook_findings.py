"""The textbook study on losses made here: which tasks count as learnt, and what is said of them."""

import pytest

from sentiment_rnn.data.textbook import baseline
from sentiment_rnn.studies.findings import FAILS, HOLDS, IN_PART
from sentiment_rnn.studies.textbook import Losses, learnt_by_seed, verdicts

CASES = (("adding", 50), ("copying", 50))


def losses(**seeds: tuple[int, int, int]) -> Losses:
    """Each encoder learns the first so many of the two tasks with each of three seeds."""
    return {
        case: {
            name: [baseline(*case) * (0.01 if place < count else 1.0) for count in learnt]
            for name, learnt in seeds.items()
        }
        for place, case in enumerate(CASES)
    }


def test_tasks_are_counted_seed_by_seed() -> None:
    assert learnt_by_seed(losses(lstm=(2, 1, 0)), "lstm") == [2, 1, 0]


@pytest.mark.parametrize(
    ("rnn", "lstm", "expected"),
    [
        ((0, 0, 0), (2, 2, 2), HOLDS),
        ((0, 0, 0), (2, 1, 0), IN_PART),
        ((1, 0, 0), (2, 2, 2), IN_PART),
        ((1, 1, 1), (1, 1, 1), FAILS),
    ],
)
def test_the_verdict_follows_the_numbers(rnn: tuple[int, int, int], lstm: tuple[int, int, int], expected: str) -> None:
    (verdict,) = verdicts(losses(rnn=rnn, lstm=lstm, lstm_chrono=(2, 2, 2)))
    assert verdict.verdict == expected
    assert f"{sum(lstm)} of the LSTM have learnt their task ({min(lstm)} to {max(lstm)} with each seed)" in (
        verdict.evidence
    )
