"""What a run's record says of it from the start, in plain values and without secrets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from sentiment_rnn.config.code import loaded_code_digest
from sentiment_rnn.config.run import RunConfig
from sentiment_rnn.masking import masked_settings
from sentiment_rnn.tracking.names import (
    CODE_TAG,
    CONFIGURATION,
    IDENTITY_TAG,
    OVERRIDES,
    PROCESSOR_TAG,
    SEARCH_TRIAL_TAG,
    STUDY_TAG,
    TRIAL_TAG,
)
from sentiment_rnn.tracking.origin import origin_tags, processor_name

LONGEST_PARAM = 6000
"""Characters of a parameter that MLflow keeps."""
LONGEST_NAME = 250
"""Characters of a run's name that MLflow keeps."""
MAIN = (
    *("seed", "precision", "task.name", "data.name", "data.max_lag", "encoder.name", "encoder.hidden_size"),
    *("encoder.layers", "embedding.size", "pooling.name", "optimizer.learning_rate", "trainer.accelerator"),
    *("trainer.epochs", "pretrained"),
)
"""Parameters that MLflow's pages show of every run."""


@dataclass(frozen=True)
class Description:
    """What is recorded of a run when it starts."""

    identity: str
    """`RunConfig.identity`."""
    study: str
    """The sweep that the run is a job of, or the study of a single run."""
    overrides: list[str]
    """Those of the command line."""
    params: dict[str, str]
    """The parameters that MLflow's pages show: the main ones, and those that were given."""
    tags: dict[str, str]
    files: dict[str, str]
    """Texts by the name of their artifact: the whole configuration, and the overrides."""
    data: str
    """Name of the source of the reviews; empty where there is none."""
    variant: list[str]
    """What tells the run from others where no sweep says what varies: `["lstm", "last", "seed=0"]`."""
    search_trial: int | None
    """Number among the trials of a search."""
    system_metrics: bool
    """Whether the use of processor and memory is recorded."""

    def name(self, varied: Sequence[str]) -> str:
        """`imdb lstm seed=0`: the data, and what differs between the jobs of the run's sweep."""
        words = [self.data, *(override.removeprefix("encoder=") for override in varied or self.variant)]
        return " ".join(filter(None, words))[:LONGEST_NAME]


def description_of(config: RunConfig, identity: str, overrides: Sequence[str]) -> Description:
    """The description of a run.

    Args:
        config: resolved, as the run trains it.
        overrides: those of the command line.
    """
    plain = masked_settings({"settings": config.settings(), "overrides": list(overrides), "tags": config.tags})
    settings, shown_overrides, tags = plain["settings"], plain["overrides"], plain["tags"]
    trial = config.tracking.search_trial
    given_keys = {override.lstrip("+").partition("=")[0] for override in shown_overrides}
    params = {key: value[:LONGEST_PARAM] for key, value in _flat(settings).items() if key in (*MAIN, *given_keys)}
    variant = [*tags.values(), f"seed={config.seed}", *([] if trial is None else [f"trial={trial}"])]
    return Description(
        identity=identity,
        study=settings["study"],
        overrides=shown_overrides,
        params=params,
        tags={
            **tags,
            **origin_tags(),
            IDENTITY_TAG: identity,
            STUDY_TAG: settings["study"],
            CODE_TAG: loaded_code_digest(tuple(config.targets)),
            PROCESSOR_TAG: processor_name(config.trainer.accelerator),
            **({} if trial is None else {SEARCH_TRIAL_TAG: str(trial)}),
            **({TRIAL_TAG: config.trainer.trial} if config.trainer.trial else {}),
        },
        files={
            CONFIGURATION: yaml.safe_dump(settings, sort_keys=False),
            OVERRIDES: yaml.safe_dump(shown_overrides),
        },
        data=settings["data"]["name"] if "data" in settings else "",
        variant=variant,
        search_trial=trial,
        system_metrics=config.tracking.system_metrics,
    )


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Values as text by their dotted keys."""
    flat: dict[str, str] = {}
    for key, value in settings.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: str(value)}
    return flat
