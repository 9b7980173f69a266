"""The textbook study on losses made here: which tasks count as learnt, and what is said of them."""

import pytest
from made_results import STYLES

from sentiment_rnn.data.sequences import baseline
from sentiment_rnn.studies.kit.encoder_groups import EncoderStyle
from sentiment_rnn.studies.kit.findings import FAILS, HOLDS, IN_PART
from sentiment_rnn.studies.textbook import Losses, learnt_by_seed, loss_table, textbook_figure, verdicts

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
    (verdict,) = verdicts(losses(rnn=rnn, lstm=lstm, lstm_chrono=(2, 2, 2)), STYLES)
    assert verdict.verdict == expected
    assert f"{sum(lstm)} of the LSTM have learnt their task ({min(lstm)} to {max(lstm)} with each seed)" in (
        verdict.evidence
    )


def test_every_encoder_is_in_the_table_and_in_the_figure() -> None:
    styles = STYLES | {"gru": EncoderStyle("GRU", "#CC79A7")}
    made = losses(rnn=(0, 0, 0), gru=(2, 1, 1))
    del made["copying", 50]["rnn"]
    assert loss_table(made, styles).rows == [
        ("remembers nothing", "0.1667", "0.2971"),
        ("RNN, orthogonal", "0.1667 ± 0.0000 (0 of 3)", ""),
        ("GRU", "0.0017 ± 0.0000 (3 of 3)", "0.1990 ± 0.1698 (1 of 3)"),
    ]
    curves = {case: {name: [([0, 9], [0.3, 0.1])] * 3 for name in groups} for case, groups in made.items()}
    labels = [text.get_text() for text in textbook_figure(curves, styles).legends[0].get_texts()]
    assert labels == ["RNN, orthogonal", "GRU", "remembers nothing"]
