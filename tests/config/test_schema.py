"""Who gives a value in other words than the schema, or a key that no file has, is understood."""

import pytest

from sentiment_rnn.config.run import ReviewConfig
from sentiment_rnn.config.schema import defaults_of
from sentiment_rnn.config.store import run_config


@pytest.mark.parametrize(("override", "seed"), [("seed='5'", 5), ("seed=1e3", 1000)])
def test_a_text_or_a_number_without_a_fraction_is_the_whole_number_that_it_means(override: str, seed: int) -> None:
    assert run_config(override).seed == seed


def test_a_name_may_be_a_number() -> None:
    assert run_config("study=7").study == "7"


def test_a_key_that_no_file_has_is_composed_from_the_schema() -> None:
    assert defaults_of(ReviewConfig)["encoder"]["gradient_steps"] is None
    assert run_config("encoder.gradient_steps=5").encoder.gradient_steps == 5
