"""Train one encoder, or a sweep of them, and score it on the test reviews.

python -m sentiment_rnn.train encoder=lstm data=imdb
python -m sentiment_rnn.train -m encoder=rnn,lstm seed=0,1,2
python -m sentiment_rnn.train experiment=rnn_vs_lstm
"""

import gc

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from sentiment_rnn.checks import UserError
from sentiment_rnn.command import CONFIGURATION, fail, quiet_libraries, run
from sentiment_rnn.config import checked


@hydra.main(version_base="1.3", config_path=CONFIGURATION, config_name="config")
def main(config: DictConfig) -> float | None:
    """One job; returns its best validation accuracy, for sweepers that search."""
    # Not above: what is wrong with the configuration is said before torch, Lightning and MLflow are loaded.
    from sentiment_rnn.training import train

    if not gc.isenabled():  # the first job of this process
        gc.freeze()
        gc.enable()
    quiet_libraries()
    hydra_config = HydraConfig.get()
    single = hydra_config.mode == RunMode.RUN
    try:
        return train(
            checked(config),
            overrides=list(hydra_config.overrides.task),
            jobs=1 if single else hydra_config.launcher.get("n_jobs", 1),
        )
    except UserError as error:
        if single:
            fail(str(error))
        raise


if __name__ == "__main__":
    gc.disable()  # the libraries are a million objects: looking for garbage among them takes a second of the start
    run(main)
