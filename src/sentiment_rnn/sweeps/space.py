"""The space of a search, in Hydra's syntax of overrides.

optimizer.learning_rate=tag(log,interval(1e-4,1e-2))   a number, on a logarithmic scale
encoder.hidden_size=int(interval(16,128))              a whole number
encoder.layers=range(1,4)                              1, 2 or 3
encoder=choice(lstm,gru)                               one of these
data=generated                                         the same in every trial
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from sentiment_rnn.errors import UserError

EXAMPLE = "'optimizer.learning_rate=tag(log,interval(1e-4,1e-2))'"


@dataclass(frozen=True)
class Space:
    """Fixed settings of all trials, and those that vary."""

    fixed: list[str]
    """Overrides."""
    dimensions: dict[str, BaseDistribution]
    """Dimensions by key; choices of a categorical dimension are written as in an override."""
    given: list[str]
    """The overrides that gave the dimensions."""

    def overrides(self, values: Mapping[str, Any]) -> list[str]:
        """The overrides of a trial.

        Args:
            values: a value for each dimension.
        """
        return self.fixed + [f"{key}={text_of(values[key])}" for key in self.dimensions]

    def examples(self) -> list[list[str]]:
        """Lists of overrides that together contain both ends of every range, a number within it, and every choice."""
        tried = {key: _values_to_try(dimension) for key, dimension in self.dimensions.items()}
        count = max(map(len, tried.values()))
        return [
            self.overrides({key: values[number % len(values)] for key, values in tried.items()})
            for number in range(count)
        ]


def text_of(value: Any) -> str:
    """A value as written in an override. Numbers with a fraction are rounded to six digits, which read better."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def space_of(
    arguments: Sequence[str],
    params: Mapping[str, Any] | None = None,
    experiment: str = "",
    loader: ConfigLoader | None = None,
) -> Space:
    """The space that overrides describe. If a key occurs twice, the last override counts.

    Args:
        arguments: overrides of the command line.
        params: `hydra.sweeper.params`, which the command line overrides.
        experiment: origin of `params`, such as `experiment=demo`.

    Raises:
        UserError: an override has no bounds, or is a grid; or no override varies a key.
    """
    lines = [f"{key}={value}" for key, value in (params or {}).items()]
    overrides = OverridesParser.create(config_loader=loader).parse_overrides([*lines, *arguments])
    last = {override.get_key_element(): override for override in overrides}
    varied = {key: override for key, override in last.items() if override.is_sweep_override()}
    if not varied:
        raise UserError(
            "hydra/sweeper=search: there is nothing to search; give some key an interval(…), a range(…) or "
            f"a choice(…), e.g. {EXAMPLE}"
        )
    for key, override in varied.items():
        if getattr(override.value(), "simple_form", False):
            line, choices = override.input_line, ",".join(override.sweep_string_iterator())
            grid = f"a grid of {experiment}" if line in lines else "a grid"
            raise UserError(f"{line}: {grid}, and a search takes no grid; write {key}=choice({choices})")
    return Space(
        fixed=[str(override.input_line) for key, override in last.items() if key not in varied],
        dimensions={key: _dimension(override) for key, override in varied.items()},
        given=[str(override.input_line) for override in varied.values()],
    )


def _dimension(override: Override) -> BaseDistribution:
    value: Any = override.value()
    low: Any
    high: Any
    step = None
    if isinstance(value, IntervalSweep):
        low, high = value.start, value.end
    elif isinstance(value, RangeSweep):
        values = sorted(value.range())
        if not values:
            raise UserError(f"{override.input_line}: expected range(START,STOP) with a value in it; STOP is not one")
        low, high, step = values[0], values[-1], abs(value.step)
    else:
        return CategoricalDistribution(list(dict.fromkeys(override.sweep_string_iterator())))
    if value.tags - {"log"}:
        raise UserError(f"{override.input_line}: expected the tag log, or none")
    log = bool(value.tags)
    try:
        if isinstance(low, int) and isinstance(high, int):
            return IntDistribution(low, high, log=log, step=int(step or 1))
        if math.isfinite(low) and math.isfinite(high):
            return FloatDistribution(low, high, log=log, step=step)
        raise ValueError("expected finite numbers")
    except ValueError as error:  # from Optuna: ends in the wrong order, or not above 0 on a logarithmic scale
        raise UserError(f"{override.input_line}: {error}") from error


def _values_to_try(dimension: BaseDistribution) -> list[Any]:
    if isinstance(dimension, CategoricalDistribution):
        return list(dimension.choices)
    assert isinstance(dimension, IntDistribution | FloatDistribution)
    # Also a value within: a key of whole numbers accepts the ends of interval(16,128), but needs int(interval(16,128)).
    within = [] if dimension.step else [dimension.low + (dimension.high - dimension.low) / math.pi]
    return [dimension.low, dimension.high, *within]
