"""Train one encoder, or a sweep of them, on a textbook task of long memory.

python -m sentiment_rnn.textbook task=adding task.steps=100 encoder=lstm
python -m sentiment_rnn.textbook experiment=textbook_tasks
"""

import os
import sys
from dataclasses import asdict

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from sentiment_rnn.checks import UserError
from sentiment_rnn.command import CONFIGURATION, fail, quiet_libraries, run
from sentiment_rnn.config import TextbookConfig, checked


@hydra.main(version_base="1.3", config_path=CONFIGURATION, config_name="textbook")
def main(config: DictConfig) -> float | None:
    """One job; returns its best validation loss."""
    quiet_libraries()
    hydra_config = HydraConfig.get()
    try:
        jobs = 1 if hydra_config.mode == RunMode.RUN else hydra_config.launcher.get("n_jobs", 1)
        return train(checked(config), list(hydra_config.overrides.task), jobs)
    except UserError as error:
        if hydra_config.mode == RunMode.RUN:
            fail(str(error))
        raise


def train(config: TextbookConfig, overrides: list[str], jobs: int = 1) -> float:
    """Fit, choose the checkpoint on validation, score it once on test, record everything. A run takes some 15 s, so one
    that was broken starts anew.

    Args:
        overrides: what was said on the command line, for the record.
        jobs: how many such jobs run side by side on this machine; -1, as many as cores.
    """
    # Not above: what is wrong with the configuration is said before torch, Lightning and MLflow are loaded.
    import lightning.pytorch as pl
    from lightning.pytorch.callbacks import ModelCheckpoint
    from torch.utils.data import DataLoader

    from sentiment_rnn.data.textbook import INPUT_SIZE, OUTPUTS, Task, baseline
    from sentiment_rnn.model.sequence_model import SequenceModel
    from sentiment_rnn.tracking.run import finished_run, tracked_run
    from sentiment_rnn.tracking.store import open_store
    from sentiment_rnn.tracking.sweep import PARENT_VARIABLE
    from sentiment_rnn.training import PRECISIONS, log, prepare_machine

    prepare_machine(config, jobs)
    pl.seed_everything(config.seed, verbose=False)
    store, parent, task = open_store(config.tracking), os.environ.get(PARENT_VARIABLE), config.task
    if done := finished_run(store, config, "", parent):
        log.info("%s, seed %d: finished before as run %s", config.encoder.name, config.seed, done)
        return float(store.client.get_run(done).data.metrics["val/best_loss"])
    with tracked_run(store, config, "", overrides, parent) as record:
        model = SequenceModel(
            INPUT_SIZE[task.name],
            OUTPUTS[task.name],
            encoder=asdict(config.encoder),
            optimizer=asdict(config.optimizer),
        )
        best = ModelCheckpoint(record.checkpoints, filename="best", monitor="val/loss", enable_version_counter=False)
        trainer = pl.Trainer(
            accelerator=config.trainer.accelerator,
            precision=PRECISIONS[config.precision],
            max_epochs=config.trainer.epochs,
            logger=record.logger(),
            callbacks=[best],
            log_every_n_steps=task.batches,
            num_sanity_val_steps=0,
            enable_progress_bar=config.trainer.progress_bar and jobs == 1 and sys.stderr.isatty(),
            enable_model_summary=False,
        )
        loaders = {
            part: DataLoader(Task(task, config.seed, part), batch_size=None) for part in ("train", "validation", "test")
        }
        trainer.fit(model, loaders["train"], loaders["validation"], weights_only=True)
        (scores,) = trainer.test(model, loaders["test"], ckpt_path="best", weights_only=True, verbose=False)
        found = float(best.best_model_score or float("nan"))
        forgetful = baseline(task.name, task.steps)
        parameters = sum(parameter.numel() for parameter in model.parameters())
        record.log_metrics({"val/best_loss": found, "baseline": forgetful, "parameters": parameters})
        log.info(
            "%s, %s over %d steps, seed %d: test loss %.4f, who forgets %.4f  (run %s)",
            config.encoder.name, task.name, task.steps, config.seed, scores["test/loss"], forgetful, record.run_id,
        )  # fmt: skip
    return found


if __name__ == "__main__":
    run(main)
