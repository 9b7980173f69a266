"""The space of a search: Hydra's overrides in, Optuna's distributions and the overrides of a trial out."""

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from sentiment_rnn.errors import UserError
from sentiment_rnn.sweeps.space import space_of


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("interval(0,1)", FloatDistribution(0.0, 1.0)),
        ("tag(log,interval(1e-4,1e-2))", FloatDistribution(1e-4, 1e-2, log=True)),
        ("int(interval(4,64))", IntDistribution(4, 64)),
        ("tag(log,int(interval(4,64)))", IntDistribution(4, 64, log=True)),
        ("range(1,4)", IntDistribution(1, 3)),
        ("range(10,31,10)", IntDistribution(10, 30, step=10)),
        ("range(0.1,0.5,0.1)", FloatDistribution(0.1, 0.4, step=0.1)),
        ("choice(32,64,64)", CategoricalDistribution(["32", "64"])),
        ("choice(lstm,[1,2])", CategoricalDistribution(["lstm", "[1,2]"])),
    ],
)
def test_an_override_gives_a_dimension(value: str, expected: object) -> None:
    assert space_of([f"some.key={value}"]).dimensions == {"some.key": expected}


def test_plain_values_are_in_every_trial_and_varied_ones_are_six_digits() -> None:
    overrides = ["study=tuned", "some.rate=interval(0,1)", "encoder=choice(lstm,gru)", "~hydra/callbacks"]
    trial = space_of(overrides).overrides({"some.rate": 0.123456789, "encoder": "gru"})
    assert trial == ["study=tuned", "~hydra/callbacks", "some.rate=0.123457", "encoder=gru"]


def test_the_last_override_of_a_key_counts() -> None:
    assert space_of(["b=range(3)", "a=choice(2,3)"], {"a": 1}).fixed == []
    assert list(space_of(["a=choice(2,3)", "b=range(3)", "a=1"]).dimensions) == ["b"]


def test_examples_reach_both_ends_every_choice_and_a_number_within_an_interval() -> None:
    examples = space_of(["a=interval(1,2)", "b=choice(x,y,z)", "c=range(5)"]).examples()
    assert examples == [["a=1", "b=x", "c=0"], ["a=2", "b=y", "c=4"], ["a=1.31831", "b=z", "c=0"]]


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("seed=1", "there is nothing to search"),
        ("encoder=lstm,rnn", "encoder=lstm,rnn: a grid, and a search takes no grid; write encoder=choice(lstm,rnn)"),
        ("a=interval(2,1)", "a=interval(2,1): `low <= high` must hold"),
        ("a=interval(0,inf)", "a=interval(0,inf): expected finite numbers"),
        ("a=tag(log,interval(0,1))", "`low > 0` must hold"),
        ("a=range(3,3)", "expected range(START,STOP) with a value in it"),
        ("a=tag(logarithmic,interval(1,2))", "expected the tag log"),
    ],
)
def test_what_is_no_space_is_refused_in_one_line(override: str, says: str) -> None:
    with pytest.raises(UserError) as error:
        space_of([override])
    assert says in str(error.value)
    assert "\n" not in str(error.value)
