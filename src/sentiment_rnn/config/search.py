"""Keys of `hydra.sweeper` under `hydra/sweeper=search`."""

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING

from sentiment_rnn.config.bounds import at_least, one_of


@dataclass
class SearchConfig:
    """Kind and number of a search's trials."""

    _target_: str = MISSING
    """Hydra's sweeper."""
    sampler: str = MISSING
    """With `hydra/sweeper=search`: `tpe` (tree-structured Parzen estimator, Bergstra et al. 2011; the first ten trials
    are random) or `random`."""
    trials: int = MISSING
    """With `hydra/sweeper=search`: trials in all, those of an interrupted search included."""
    seed: int = MISSING
    """With `hydra/sweeper=search`: seed of the proposals; `seed` is that of the runs."""
    pruning: str | None = MISSING
    """With `hydra/sweeper=search`: end a trial early whose validation is worse than the `median` of the earlier ones
    at that epoch, or by successive `halving` (Li et al. 2020); null, or several devices, let all train to their end."""
    at_once: int | None = MISSING
    """With `hydra/sweeper=search`: trials that are proposed and launched together; null: the `n_jobs` of
    `hydra/launcher=joblib`, and 1 with every other launcher."""
    params: dict[str, Any] = field(default_factory=dict)
    """With `hydra/sweeper=search`: a part of the space, for a YAML file: values by key. The command line overrides
    it."""

    def __post_init__(self) -> None:
        one_of(self, "hydra.sweeper.", sampler=("tpe", "random"), pruning=("median", "halving"))
        at_least(self, "hydra.sweeper.", trials=1, seed=0, at_once=1)
