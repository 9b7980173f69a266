"""Keys of `hydra.sweeper` under `hydra/sweeper=search`."""

from typing import Any, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from sentiment_rnn.config.schema import SCHEMA, Checked, Few, Seed, Size


@dataclass(config=SCHEMA)
class SearchConfig(Checked):
    """Kind and number of a search's trials."""

    _target_: str
    """Hydra's sweeper."""
    sampler: Literal["tpe", "random"]
    """With `hydra/sweeper=search`: `tpe` (tree-structured Parzen estimator, Bergstra et al. 2011; the first ten trials
    are random) or `random`."""
    trials: Size
    """With `hydra/sweeper=search`: trials in all, those of an interrupted search included."""
    seed: Seed
    """With `hydra/sweeper=search`: seed of the proposals; `seed` is that of the runs."""
    pruning: Literal["median", "halving"] | None
    """With `hydra/sweeper=search`: end a trial early whose validation is worse than the `median` of the earlier ones
    at that epoch, or by successive `halving` (Li et al. 2020); null, or several devices, let all train to their end."""
    at_once: Few | None
    """With `hydra/sweeper=search`: trials that are proposed and launched together; null: the `n_jobs` of
    `hydra/launcher=joblib`, and 1 with every other launcher."""
    params: dict[str, Any] = Field(default_factory=dict)
    """With `hydra/sweeper=search`: a part of the space, for a YAML file: values by key. The command line overrides
    it."""
