"""The textbook study on losses made here: which tasks count as learnt, and what is said of them."""

import math
from pathlib import Path

import pytest
from made_results import STYLES

from sentiment_rnn.report.tables import csv_text
from sentiment_rnn.studies.kit.encoder_groups import EncoderStyle
from sentiment_rnn.studies.kit.verdicts import FAILS, HOLDS, IN_PART, UNDECIDED
from sentiment_rnn.studies.textbook import Case, Losses, loss_table, read_losses, textbook_figure, verdicts

CASES = (Case("adding", 50, 1 / 6), Case("copying", 50, 10 * math.log(8) / 70))


def losses(**seeds: tuple[int, int, int]) -> Losses:
    """Each encoder learns the first so many of the two tasks with each of three seeds."""
    return {
        case: {
            name: {seed: case.baseline * (0.01 if place < count else 1.0) for seed, count in enumerate(learnt)}
            for name, learnt in seeds.items()
        }
        for place, case in enumerate(CASES)
    }


@pytest.mark.parametrize(
    ("rnn", "lstm", "expected"),
    [
        ((0, 0, 0), (2, 2, 2), HOLDS),
        ((0, 0, 0), (1, 1, 1), IN_PART),
        ((0, 0, 0), (2, 1, 1), IN_PART),
        ((0, 0, 0), (1, 0, 0), UNDECIDED),
        ((1, 0, 0), (1, 1, 1), UNDECIDED),
        ((1, 1, 1), (1, 1, 1), FAILS),
    ],
)
def test_each_task_is_a_part_of_the_claim(rnn: tuple[int, ...], lstm: tuple[int, ...], expected: str) -> None:
    (verdict,) = verdicts(losses(rnn=rnn, lstm=lstm, lstm_chrono=(2, 2, 2)), STYLES)
    assert verdict.verdict == expected


def test_the_evidence_counts_seeds_and_gives_the_loss_with_its_interval() -> None:
    (verdict,) = verdicts(losses(rnn=(0, 0, 0), lstm=(2, 1, 1), lstm_chrono=(2, 2, 2)), STYLES)
    assert "adding over 50 3, 0, 3; copying over 50 1, 0, 3" in verdict.evidence
    assert "adding over 50 0.01 (0.01 to 0.01); copying over 50 0.67 (0.00 to 2.09)" in verdict.evidence


def test_losses_come_back_from_the_results_case_by_case(tmp_path: Path) -> None:
    rows = [
        ("copying", 50, "lstm", 0, 0.2, 0.3),
        ("adding", 200, "rnn", 1, 0.1, 0.2),
        ("adding", 50, "rnn", 0, 0.1, 0.2),
    ]
    text = csv_text(("task", "steps", "encoder", "seed", "test/loss", "baseline"), rows)
    (tmp_path / "results.csv").write_text(text)
    assert list(read_losses(tmp_path).items()) == [
        (("adding", 50, 0.2), {"rnn": {0: 0.1}}),
        (("adding", 200, 0.2), {"rnn": {1: 0.1}}),
        (("copying", 50, 0.3), {"lstm": {0: 0.2}}),
    ]


def test_every_encoder_is_in_the_table_and_in_the_figure() -> None:
    styles = STYLES | {"gru": EncoderStyle("GRU", "#CC79A7")}
    made = losses(rnn=(0, 0, 0), gru=(2, 1, 1))
    del made[CASES[1]]["rnn"]
    assert loss_table(made, styles).rows == [
        ("remembers nothing", "0.1667", "0.2971"),
        ("RNN, orthogonal", "0.1667 ± 0.0000 (0 of 3)", ""),
        ("GRU", "0.0017 ± 0.0000 (3 of 3)", "0.1990 ± 0.1698 (1 of 3)"),
    ]
    curves = {case: {name: [([0, 9], [0.3, 0.1])] * 3 for name in groups} for case, groups in made.items()}
    labels = [text.get_text() for text in textbook_figure(curves, styles).legends[0].get_texts()]
    assert labels == ["RNN, orthogonal", "GRU", "remembers nothing"]
