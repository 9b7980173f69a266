"""One run: train an encoder, choose the checkpoint on validation, score it once on test, record everything."""

import copy
import logging
import os
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.utilities import rank_zero_only

from sentiment_rnn import runtime
from sentiment_rnn.analysis.gradients import gradient_by_distance
from sentiment_rnn.config import Config, RunConfig
from sentiment_rnn.data.datamodule import ReviewData
from sentiment_rnn.data.text import PADDING_ID, UNKNOWN_ID
from sentiment_rnn.inference.package import write_package
from sentiment_rnn.model.classifier import SentimentClassifier
from sentiment_rnn.outcome import calibration_metrics, describe_mistakes, gather_predictions, pack
from sentiment_rnn.tracking.checkpoints import interrupted_checkpoint
from sentiment_rnn.tracking.models import PACKAGE, log_model
from sentiment_rnn.tracking.run import RunRecord, finished_run, tracked_run
from sentiment_rnn.tracking.store import open_store
from sentiment_rnn.tracking.sweep import PARENT_VARIABLE

log = logging.getLogger("sentiment_rnn")

PRECISIONS: dict[str, Any] = {"float32": "32-true", "bfloat16": "bf16-mixed"}
"""Our names, Lightning's names."""


def train(config: Config, overrides: list[str], jobs: int = 1) -> float | None:
    """Fit, choose the checkpoint on validation, score it once on test, record everything.

    Args:
        overrides: what was said on the command line, for the record.
        jobs: how many such jobs run side by side on this machine; -1, as many as cores.
    """
    prepare_machine(config, jobs)
    pl.seed_everything(config.seed, verbose=False)
    data = ReviewData(config.data, config.seed)
    data.setup()
    store = open_store(config.tracking)
    parent = os.environ.get(PARENT_VARIABLE)
    if done := finished_run(store, config, data.corpus.digest, parent):
        log.info("%s, seed %d: finished before as run %s", config.encoder.name, config.seed, done)
        return store.client.get_run(done).data.metrics["val/best_accuracy"]
    if not is_first_process():  # another process of a distributed run: the first one records
        return fit_and_test(config, data, None)
    if jobs != 1:
        config.trainer.progress_bar = False  # bars of several jobs would overwrite each other
    with tracked_run(store, config, data.corpus.digest, overrides, parent) as record:
        return fit_and_test(config, data, record)


def prepare_machine(config: RunConfig, jobs: int) -> None:
    """Set up threads, and write into `config` what `auto` means here."""
    processes = config.trainer.devices * (runtime.cores() if jobs < 0 else jobs)
    runtime.prepare(config.trainer.threads or max(1, runtime.cores() // processes))
    # Before the run's identity: a CPU and a GPU, a float32 and a bfloat16 machine do not run the same experiment.
    config.trainer.accelerator = runtime.resolve_accelerator(config.trainer.accelerator)
    config.precision = runtime.resolve_precision(config.precision, config.trainer.accelerator)


def fit_and_test(config: Config, data: ReviewData, record: RunRecord | None) -> float:
    """Best validation accuracy of one run; without a record nothing is logged."""
    model = build_model(config, len(data.corpus.vocabulary))
    trainer = build_trainer(config, record, data)
    sample = gradient_sample(data, config.seed)
    untrained = copy.deepcopy(model)  # its gradient waits until training is done: nobody waits for it at the start
    if record:
        record.log_data(config.data.name, data.corpus.digest, {s: len(r) for s, r in data.corpus.splits.items()})
        record.log_metrics({"parameters": sum(p.numel() for p in model.parameters())})
    interrupted = interrupted_checkpoint(record.store, record.run_id) if record else None
    runtime.reset_peak_memory()
    trainer.fit(model, data, ckpt_path=interrupted, weights_only=True)
    checkpoint = trainer.checkpoint_callback
    assert isinstance(checkpoint, ModelCheckpoint)
    assert checkpoint.dirpath
    # By its name alone: a resumed run has this path from its checkpoint, which somebody may have altered.
    best = str(Path(checkpoint.dirpath, Path(checkpoint.best_model_path).name))
    scores = trainer.test(model, data, ckpt_path=best, weights_only=True, verbose=False)[0]
    accuracy = float(checkpoint.best_model_score or 0.0)
    if record:
        record.log_metrics({"val/best_accuracy": accuracy, "memory/peak_bytes": runtime.peak_memory()})
        package = pack(config, model.cpu().eval(), data, record.run_id)
        predictions = gather_predictions(model, data, package.reading.temperature)
        record.log_metrics(calibration_metrics(predictions))
        record.log_checkpoints(best, checkpoint.last_model_path)
        record.log_gradients(gradient_by_distance(untrained, sample), gradient_by_distance(model, sample))
        record.log_test(predictions, describe_mistakes(predictions, data))
        with tempfile.TemporaryDirectory() as folder:
            write_package(package, Path(folder, PACKAGE))
            log_model(record.store, record.run_id, Path(folder, PACKAGE), config.tags)
        log.info(
            "%s, pooling %s, seed %d: validation %.4f, test %.4f  (run %s)",
            config.encoder.name, config.pooling.name, config.seed, accuracy, scores["test/accuracy"], record.run_id,
        )  # fmt: skip
    return accuracy


def is_first_process() -> bool:
    """Whether this process records; a distributed run has others, which Lightning starts with a rank."""
    return getattr(rank_zero_only, "rank", 0) in (0, None)


def build_model(config: Config, vocabulary_size: int) -> SentimentClassifier:
    """The classifier of a configuration."""
    return SentimentClassifier(
        vocabulary_size,
        embedding=asdict(config.embedding),
        encoder=asdict(config.encoder),
        pooling=asdict(config.pooling),
        optimizer=asdict(config.optimizer),
        padding_id=PADDING_ID,
        unknown_id=UNKNOWN_ID,
    )


def build_trainer(config: Config, record: RunRecord | None, data: ReviewData) -> pl.Trainer:
    """Lightning's trainer for one run."""
    settings = config.trainer
    reviews = data.reviews("train")
    batches = -(-len(reviews) // (config.data.batch_size * settings.devices * settings.nodes))
    callbacks: list[pl.Callback] = [
        ModelCheckpoint(
            dirpath=record.checkpoints if record else None,
            filename="epoch{epoch}" if settings.keep_epochs else "best",
            auto_insert_metric_name=False,
            monitor="val/accuracy",
            mode="max",
            save_top_k=-1 if settings.keep_epochs else 1,
            save_last=True,
            enable_version_counter=False,
        ),
        EpochTimer(tokens=int(reviews.lengths.sum())),
    ]
    if settings.patience:
        callbacks.append(EarlyStopping("val/accuracy", mode="max", patience=settings.patience))
    return pl.Trainer(
        accelerator=runtime.resolve_accelerator(settings.accelerator),
        devices=settings.devices,
        num_nodes=settings.nodes,
        strategy=settings.strategy,
        precision=PRECISIONS[config.precision],
        max_epochs=settings.epochs,
        logger=record.logger() if record else False,
        callbacks=callbacks,
        log_every_n_steps=min(settings.log_every_n_steps, batches),
        num_sanity_val_steps=0,
        use_distributed_sampler=False,  # LengthBuckets divides the batches itself
        enable_progress_bar=settings.progress_bar and sys.stderr.isatty(),
        enable_model_summary=False,
    )


class EpochTimer(pl.Callback):
    """Logs `train/epoch_seconds` and `train/tokens_per_second`, without validation."""

    def __init__(self, tokens: int) -> None:
        self.tokens = tokens
        self.started = 0.0
        self.ended = 0.0

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self.started = time.perf_counter()

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        """The last one of these is the end of the epoch's training."""
        if trainer.is_last_batch and pl_module.device.type == "cuda":
            torch.cuda.synchronize()  # its steps run behind Python's
        self.ended = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log the epoch."""
        seconds = self.ended - self.started
        pl_module.log("train/epoch_seconds", seconds)
        pl_module.log("train/tokens_per_second", self.tokens / seconds)


def gradient_sample(data: ReviewData, seed: int, size: int = 128) -> Any:
    """A batch of validation reviews, the same for every encoder of a seed."""
    reviews = data.reviews("validation")
    chosen = np.random.default_rng(seed).permutation(len(reviews))[:size]
    return reviews[chosen.tolist()]
