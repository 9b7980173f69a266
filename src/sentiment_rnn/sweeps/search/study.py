"""The study of a search: its trials, as Optuna keeps them, and the sampler that proposes them."""

from pathlib import Path

import numpy as np
import optuna
from optuna.samplers import BaseSampler, RandomSampler, TPESampler

from sentiment_rnn.config.search import SearchConfig
from sentiment_rnn.engine.pruning import PRUNING, readable, storage_of


def open_study(path: Path, mode: str, settings: SearchConfig) -> optuna.Study:
    """The study of a search, made if it is missing.

    Args:
        path: its file.
        mode: `max` or `min`.

    Raises:
        UserError: the file is damaged.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        drop_broken_line(path)
    with readable(path):
        study = optuna.create_study(
            study_name=path.stem,
            storage=storage_of(path),
            direction="maximize" if mode == "max" else "minimize",
            load_if_exists=True,
        )
    study.set_user_attr(PRUNING, settings.pruning)
    return study


def sampler(settings: SearchConfig, trial: int) -> BaseSampler:
    """Sampler of the trial of a number. Its random state depends on the number alone: an interrupted search goes on
    with the proposals that it would have made, and repeats none."""
    seed = int(np.random.SeedSequence([settings.seed, trial]).generate_state(1)[0])
    return TPESampler(seed=seed) if settings.sampler == "tpe" else RandomSampler(seed=seed)


def drop_broken_line(path: Path) -> None:
    """Cut what a full disk or a kill left of a last line, which Optuna would refuse to read."""
    with path.open("r+b") as file:
        file.truncate(file.read().rfind(b"\n") + 1)
