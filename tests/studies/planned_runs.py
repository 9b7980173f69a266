"""What the files of `conf/experiment/` plan, for tests that hold it against a protocol."""

from typing import Any

from hydra import compose, initialize_config_dir

from sentiment_rnn.config.folders import CONFIGURATION
from sentiment_rnn.config.run import RunConfig
from sentiment_rnn.config.store import register_schema


def swept(experiment: str) -> Any:
    """The parameters that the sweep of an experiment goes through."""
    register_schema()
    with initialize_config_dir(CONFIGURATION, version_base="1.3"):
        composed = compose("config", [f"experiment={experiment}"], return_hydra_config=True)
    return composed.hydra.sweeper.params


def training_steps(config: RunConfig) -> int:
    """Of a run on generated reviews that no early end cuts short."""
    data: Any = config.data
    return config.settle_epochs(round((1 - data.validation_fraction) * data.train_reviews / data.batch_size))
