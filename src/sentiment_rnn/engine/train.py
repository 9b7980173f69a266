"""One run of any task: train, choose the checkpoint (on validation, as a rule), score it once on test, record all."""

import logging
import math
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.fabric import Fabric
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.profilers import SimpleProfiler

from sentiment_rnn import runtime
from sentiment_rnn.config.run import RunConfig
from sentiment_rnn.config.trainer import TrainerConfig
from sentiment_rnn.engine.interruption import Interruption
from sentiment_rnn.engine.machine import check_device, devices_of, resolved, threads_of
from sentiment_rnn.engine.resume import LastCheckpoint, ResumePosition
from sentiment_rnn.engine.stopping import FiniteLoss, Patience, StopAtTargetScore
from sentiment_rnn.errors import UserError
from sentiment_rnn.tasks.job import Job, identity_of, job_of
from sentiment_rnn.tracking.checkpoints import FINAL, CheckpointFiles, load_checkpoint
from sentiment_rnn.tracking.names import CHECKPOINT_TAG, EPOCH_SECONDS, PARAMETERS, PEAK_MEMORY, TOKENS_PER_SECOND
from sentiment_rnn.tracking.results import Metrics
from sentiment_rnn.tracking.run import PATIENCE, TrackedRun
from sentiment_rnn.tracking.start import tracked_run
from sentiment_rnn.tracking.store import open_store, where_to_look
from sentiment_rnn.tracking.store_errors import until_answered

log = logging.getLogger("sentiment_rnn")

PRECISIONS: dict[str, Any] = {"float32": "32-true", "bfloat16": "bf16-mixed"}
"""Our names, Lightning's names."""
SOON = 60
"""Seconds of training about which nothing is said beforehand."""


def train(config: RunConfig, overrides: Sequence[str], in_sweep: bool = False) -> float | None:
    """Run one job, from its configuration to its record.

    A run of its identity that has finished is not trained again. One that broke off resumes.

    Args:
        overrides: what was given on the command line, for the record.
        in_sweep: whether it is a job of the sweep that is called `config.study`.

    Returns:
        The best validation score, for sweepers that search.
    """
    check_device(config)
    config = resolved(config)
    processes = started_processes(config.trainer)
    job = set_up(config)
    note_default_rate(config)
    if not processes.is_global_zero:
        return take_part(job, processes)
    # The server may start again between two jobs of a sweep.
    store = until_answered(lambda: open_store(config.tracking, checked=in_sweep), PATIENCE if in_sweep else 0)
    with Interruption() as interruption, tracked_run(store, config, identity_of(job), overrides, in_sweep) as run:
        processes.broadcast((run.finished, run.resumes_from))
        if run.finished:
            scores = Metrics(run.run.data.metrics)
            log.info("%s  (run %s, which finished before)", job.summary(scores), run.run_id)
            found = scores[job.objective.best]
        else:
            found = fit_and_test(job, run, interruption, run.resumes_from)
    if not in_sweep:
        log.info("run %s; %s", run.run_id, where_to_look(store))
    return found


def started_processes(settings: TrainerConfig) -> Fabric:
    """The processes of a run, once all are there. Lightning starts those that no scheduler and no `torchrun` has
    started, with this command."""
    processes = Fabric(accelerator=settings.accelerator, devices=settings.devices, num_nodes=settings.nodes)
    processes.launch()
    return processes


def take_part(job: Job, processes: Fabric) -> float | None:
    """Train as another process of a run that the first one records; raises `UserError` where that one has failed."""
    try:
        finished, interrupted = processes.broadcast((False, None))  # what the first one says takes its place
        return None if finished else fit_and_test(job, None, Interruption(), interrupted)
    except RuntimeError as error:
        if "gloo" not in str(error) and not isinstance(error, torch.distributed.DistError):
            raise
        raise UserError("the first process of this run, rank 0, does not answer; its output says why") from error


def set_up(config: RunConfig) -> Job:
    """The job of a resolved configuration, with its data; this process's threads and random state are set."""
    runtime.prepare(threads_of(config.trainer))
    torch.backends.cudnn.allow_tf32 = config.precision != "float32"  # TF32 has 10 bits of mantissa, float32 23
    if (config.trainer.jobs_at_once or 1) > 1:
        config.trainer.progress_bar = False  # bars of several jobs would overwrite each other
    pl.seed_everything(config.seed, verbose=False)
    job = job_of(config)
    config.settle_epochs(job.batches)
    return job


def note_default_rate(config: RunConfig) -> None:
    """Say so where an experiment has chosen learning rates, and none for this encoder."""
    rates = config.optimizer
    chosen = rates.draw is not None or config.encoder.name in config.optimizer.learning_rates
    if (rates.learning_rates or rates.draws) and not chosen and rates.learning_rate == rates.default_learning_rate:
        log.info(
            "optimizer.learning_rate: this experiment has chosen none for %s; the default, %g, is used",
            config.encoder.name, rates.learning_rate,
        )  # fmt: skip


def fit_and_test(
    job: Job, run: TrackedRun | None, interruption: Interruption, interrupted: Path | None = None
) -> float:
    """Best validation score of one run; without one nothing is logged.

    Args:
        interruption: what notes the signals that ask the run to end.
        interrupted: the checkpoint from which it resumes.
    """
    config = job.config
    model = job.model()
    pruning = search_pruning(job, run)
    trainer = build_trainer(job, run, interruption, [pruning] if pruning else [])
    job.data.overfits = config.trainer.overfit_batches > 0
    job.before_training(model, run)
    if run:
        run.log_metrics({PARAMETERS: sum(parameter.numel() for parameter in model.parameters())})
    runtime.reset_peak_memory()
    trainer.fit(model, datamodule=job.data, ckpt_path=interrupted, weights_only=True)
    if pruning:
        pruning.check()
    checkpoint = trainer.checkpoint_callback
    assert isinstance(checkpoint, ModelCheckpoint)
    assert checkpoint.dirpath
    # By its name alone: a resumed run has this path from its checkpoint, which somebody may have altered.
    tested = Path(checkpoint.dirpath, Path(checkpoint.best_model_path).name)
    if config.trainer.tested_epoch == "last":
        tested = tested.with_name(FINAL)
        trainer.save_checkpoint(tested, weights_only=True)
    scores: Mapping[str, float] = {}
    if job.tests:
        (scores,) = trainer.test(model, datamodule=job.data, ckpt_path=tested, weights_only=True, verbose=False)
    else:
        model.load_state_dict(load_checkpoint(tested)["state_dict"])
    found = float(checkpoint.best_model_score if checkpoint.best_model_score is not None else "nan")
    if run:
        run.log_metrics({job.objective.best: found, PEAK_MEMORY: runtime.peak_memory()})
        run.log_tags({CHECKPOINT_TAG: tested.name})
        if config.trainer.profiler:
            run.log_text(trainer.profiler.summary(), "profile.txt")  # type: ignore[attr-defined]
        if not (config.trainer.fast_dev_run or config.trainer.limit_batches):  # else most reviews were not read
            job.after_training(model, run)
        log.info("%s  (run %s)", job.summary({**scores, job.objective.best: found}), run.run_id)
    return found


def search_pruning(job: Job, run: TrackedRun | None) -> Any:
    """The callback that may end a trial of a search early; None for other runs."""
    if run is None or job.config.tracking.search_trial is None:
        return None
    from sentiment_rnn.engine.pruning import pruning_of  # Optuna, which other runs do not need

    return pruning_of(run, job.config.tracking.search_trial, job.objective)


def build_trainer(
    job: Job, run: TrackedRun | None, interruption: Interruption, first: Sequence[pl.Callback] = ()
) -> pl.Trainer:
    """Lightning's trainer for one run; the callbacks `first` come before its own."""
    settings, objective = job.config.trainer, job.objective
    steps = -(-job.batches // (settings.devices * settings.nodes))
    shows_progress = settings.progress_bar and sys.stdout.isatty()
    callbacks: list[pl.Callback] = [
        *first,
        ModelCheckpoint(
            dirpath=run.folder if run else None,
            filename="epoch{epoch}" if settings.keep_epochs else "best",
            monitor=objective.metric,
            mode=objective.mode,
            save_top_k=-1 if settings.keep_epochs else 1,
            save_weights_only=True,  # a run resumes from its last checkpoint, which has the moments too
            auto_insert_metric_name=False,
            enable_version_counter=False,
        ),
        # Not of `ModelCheckpoint`, which writes a last one only after an epoch that was among the best.
        LastCheckpoint(run, settings.checkpoint_minutes, interruption),
        EpochTimer(0 if settings.trial else job.tokens),  # a trial may read a part of them
        ResumePosition(run),
        FiniteLoss(),
    ]
    if settings.patience:
        callbacks.append(Patience(objective, settings.patience))
    if settings.target_score is not None:
        callbacks.append(StopAtTargetScore(objective, settings.target_score))
    if not shows_progress:
        callbacks.append(EpochLines(objective.metric))
    limit = 1 if settings.fast_dev_run else settings.overfit_batches or settings.limit_batches or None
    return pl.Trainer(
        accelerator=settings.accelerator,
        devices=devices_of(settings),
        num_nodes=settings.nodes,
        strategy=settings.strategy,
        precision=PRECISIONS[job.config.precision],
        max_epochs=1 if settings.fast_dev_run else settings.epochs,
        limit_train_batches=limit,
        limit_val_batches=limit,
        limit_test_batches=None if settings.overfit_batches else limit,
        profiler=SimpleProfiler() if settings.profiler else None,
        logger=run or False,
        callbacks=callbacks,
        plugins=[CheckpointFiles()],
        log_every_n_steps=max(1, min(settings.log_every_n_steps, limit or steps)),
        num_sanity_val_steps=0,
        use_distributed_sampler=False,  # LengthBuckets divides the batches itself
        enable_progress_bar=shows_progress,
        enable_model_summary=False,
    )


class EpochTimer(pl.Callback):
    """Logs `train/epoch_seconds` and `train/tokens_per_second`, without validation and without interruptions."""

    def __init__(self, tokens: int) -> None:
        self.tokens = tokens
        self.before = 0.0
        """Seconds of this epoch before the run was interrupted."""
        self.started = 0.0
        self.ended = 0.0

    def state_dict(self) -> dict[str, float]:
        """Seconds of this epoch so far."""
        return {"seconds": self.before + self.ended - self.started}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        """Count on from there."""
        self.before = state_dict["seconds"]

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock for the rest of an epoch."""
        self.started = self.ended = time.perf_counter()

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self.before, self.started = 0.0, time.perf_counter()

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        """The last one of these is the end of the epoch's training."""
        if trainer.is_last_batch and pl_module.device.type == "cuda":
            torch.cuda.synchronize()  # its steps run behind Python's
        self.ended = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log the epoch, before the checkpoint after which a resumed run would not come by here again."""
        seconds = self.before + self.ended - self.started
        rates = {TOKENS_PER_SECOND: self.tokens / seconds} if self.tokens else {}
        for logger in trainer.loggers:
            logger.log_metrics({EPOCH_SECONDS: seconds, **rates}, trainer.global_step - 1)
        epochs = trainer.max_epochs or 0
        if trainer.current_epoch == 0 and epochs * seconds > SOON and trainer.is_global_zero:
            minutes = math.ceil(epochs * seconds / 60)
            log.info("the first of %d epochs took %.1f s: training takes up to %d min", epochs, seconds, minutes)


class EpochLines(pl.Callback):
    """A line in the log for each epoch, or for every tenth of many, where no progress bar shows how far a run is."""

    def __init__(self, metric: str) -> None:
        self.metric = metric

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Say which epoch it was and how good it is."""
        epoch, epochs = trainer.current_epoch + 1, trainer.max_epochs or 0
        if not trainer.is_global_zero or (epochs > 100 and epoch % 10 and epoch < epochs):
            return
        seen = trainer.callback_metrics
        values = ", ".join(f"{name} {float(seen[name]):.4f}" for name in ("train/loss", self.metric) if name in seen)
        log.info("epoch %d of %d: %s", epoch, epochs, values)
