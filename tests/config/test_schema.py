"""What the schema refuses, in process: one line that names the key, what was given and what is expected."""

import pytest

from sentiment_rnn.config.run import ReviewConfig
from sentiment_rnn.config.schema import defaults_of, expected, keys_of
from sentiment_rnn.config.store import run_config
from sentiment_rnn.errors import UserError


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("encoder.hidden_size=10000000", "encoder.hidden_size=10000000: expected a whole number from 1 to 65,536"),
        ("embedding.size=1e9", "embedding.size=1000000000.0: expected a whole number from 1 to 65,536"),
        (
            "optimizer.learning_rate=1e308",
            "optimizer.learning_rate=1e+308: expected a number above 0 and at most 1,000",
        ),
        ("encoder.layers=1000000", "encoder.layers=1000000: expected a whole number from 1 to 1,024"),
        ("trainer.threads=100000", "trainer.threads=100000: expected a whole number from 1 to 1,024"),
        ("data.train_reviews=999999999999", "data.train_reviews=999999999999: expected a whole number from 2 to"),
        ("data.max_lag=1000000000", "data.max_lag=1000000000: expected a whole number from 1 to 100,000"),
        ("tracking.directory=''", "tracking.directory='': expected some text"),
        ("study=''", "study='': expected some text"),
        ("trainer.epochs=true", "trainer.epochs=true: expected a whole number"),
        ("trainer.keep_epochs=2", "trainer.keep_epochs=2: expected true or false"),
        (
            "data.test_lags=[-1]",
            "data.test_lags=[-1]: expected a list, each item a whole number from 0",
        ),
        ("data._target_=pathlib.Path", "data._target_=pathlib.Path: no source of reviews, since it has no read"),
    ],
)
def test_a_value_that_no_run_can_use_is_one_line(override: str, line: str) -> None:
    with pytest.raises(UserError) as refused:
        run_config(override)
    assert str(refused.value).startswith(line)


@pytest.mark.parametrize(("override", "seed"), [("seed='5'", 5), ("seed=1e3", 1000)])
def test_a_text_or_a_number_without_a_fraction_is_the_whole_number_that_it_means(override: str, seed: int) -> None:
    assert run_config(override).seed == seed


def test_a_name_may_be_a_number() -> None:
    assert run_config("study=7").study == "7"


def test_a_key_that_no_file_has_is_composed_from_the_schema() -> None:
    assert defaults_of(ReviewConfig)["encoder"]["gradient_steps"] is None
    assert run_config("encoder.gradient_steps=5").encoder.gradient_steps == 5


def test_every_key_says_what_it_may_be_and_what_it_means() -> None:
    keys = keys_of(ReviewConfig)
    assert all(declared["description"] and expected(declared) for declared in keys.values())
    assert expected(keys["data.keep"]) == "one of head, tail, both"
    assert expected(keys["encoder.detach"]) == "one of none, cell, hidden, or null"
