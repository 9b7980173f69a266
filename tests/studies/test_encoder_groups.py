"""Runs grouped by encoder, and how encoders are labelled and coloured."""

from made_results import INITIALIZATIONS, STYLES, make_result
from sentiment_rnn.report.figures import PALETTE
from sentiment_rnn.studies.kit.encoder_groups import by_encoder, styles_of


def test_encoders_stand_as_they_first_occur_and_their_runs_by_seed() -> None:
    runs = [make_result("rnn", seed=1), make_result("gru", seed=0), make_result("rnn", seed=0)]
    groups = by_encoder(runs)
    assert list(groups) == list(styles_of(runs)) == ["rnn", "gru"]
    assert groups["rnn"] == [runs[2], runs[0]]


def test_label_and_colour_are_those_of_the_configuration() -> None:
    runs = [make_result("gru", label="GRU", color="#123456"), make_result("gru", label="another")]
    assert styles_of(runs) == {"gru": ("GRU", "#123456")}


def test_an_encoder_without_label_and_colour_has_its_name_and_a_free_colour() -> None:
    runs = [make_result(name) for name in ("mine", "yours")] + [make_result("rnn", color=PALETTE[-1])]
    styles = styles_of(runs)
    assert [style.label for style in styles.values()] == ["mine", "yours", "rnn"]
    assert len({style.color for style in styles.values()}) == 3


def test_more_encoders_than_colours_are_still_drawn() -> None:
    runs = [make_result(f"encoder {number}") for number in range(20)]
    assert {style.color for style in styles_of(runs).values()} == set(PALETTE)


def test_encoders_with_initializations_have_labels_and_colours_of_their_own() -> None:
    assert len({style.label for style in STYLES.values()}) == len(INITIALIZATIONS)
    assert len({style.color for style in STYLES.values()}) == len(INITIALIZATIONS)
    assert STYLES["lstm"] == ("LSTM, forget bias 1", "#4FA3D9")
