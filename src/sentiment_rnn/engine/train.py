"""One run of any task: train, choose the checkpoint (usually on validation), score it once on test, record all."""

import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.fabric import Fabric
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint

from sentiment_rnn import runtime
from sentiment_rnn.config.run import RunConfig
from sentiment_rnn.engine.callbacks import EpochLines, EpochTimer, FiniteLoss, StopAtTargetScore
from sentiment_rnn.engine.interruption import Interruption
from sentiment_rnn.engine.machine import devices_of, set_up
from sentiment_rnn.engine.resume import LastCheckpoint
from sentiment_rnn.errors import UserError
from sentiment_rnn.tasks.job import Job, identity_of, job_of
from sentiment_rnn.tracking.checkpoints import FINAL, CheckpointFiles, load_checkpoint
from sentiment_rnn.tracking.description import description_of
from sentiment_rnn.tracking.names import CHECKPOINT_TAG, PARAMETERS, PEAK_MEMORY
from sentiment_rnn.tracking.results import Metrics
from sentiment_rnn.tracking.run import PATIENCE, TrackedRun, tracked_run
from sentiment_rnn.tracking.store import open_store, where_to_look

log = logging.getLogger("sentiment_rnn")

PRECISIONS: dict[str, Any] = {"float32": "32-true", "bfloat16": "bf16-mixed"}
"""Lightning's name of each precision."""


def train(config: RunConfig, overrides: Sequence[str], in_sweep: bool = False) -> float | None:
    """Run one job, from its configuration to its record.

    If a run of the same identity has finished, nothing is trained. If one was interrupted, it resumes.

    Args:
        overrides: overrides of the command line, for the record.
        in_sweep: whether it is a job of the sweep called `config.study`.

    Returns:
        The best validation score, for sweepers that search.
    """
    config, processes = set_up(config)
    job = job_of(config)
    config.settle_epochs(job.batches)
    if not processes.is_global_zero:
        return take_part(job, processes)
    description = description_of(config, identity_of(job), overrides)
    store = open_store(config.tracking, checked=in_sweep, patience=PATIENCE if in_sweep else 0)
    with Interruption() as interruption, tracked_run(store, description, in_sweep) as run:
        processes.broadcast((run.finished, run.resumes_from))
        if run.finished:
            scores = Metrics(run.run.data.metrics)
            log.info("%s  (run %s, which finished before)", job.summary(scores), run.run_id)
            score = scores[job.objective.best]
        else:
            score = fit_and_test(job, run, interruption, run.resumes_from)
    if not in_sweep:
        log.info("run %s; %s", run.run_id, where_to_look(store))
    return score


def take_part(job: Job, processes: Fabric) -> float | None:
    """Train as a further process of a run that the first process records; raises `UserError` if that one has failed."""
    try:
        finished, resumes_from = processes.broadcast((False, None))  # receives the values of the first process
        return None if finished else fit_and_test(job, None, Interruption(), resumes_from)
    except RuntimeError as error:
        if "gloo" not in str(error) and not isinstance(error, torch.distributed.DistError):
            raise
        raise UserError("the first process of this run, rank 0, does not answer; its output says why") from error


def fit_and_test(job: Job, run: TrackedRun | None, interruption: Interruption, resumes_from: Path | None) -> float:
    """Train, test and record one run. Returns its best validation score.

    Args:
        run: None in a process that does not record.
        interruption: records the signals that ask the run to end.
        resumes_from: the checkpoint of an interrupted run.
    """
    config = job.config
    model = job.model()
    trainer = build_trainer(job, run, interruption)
    if run:
        job.before_training(model, run)
        run.log_metrics({PARAMETERS: sum(parameter.numel() for parameter in model.parameters())})
    runtime.reset_peak_memory()
    trainer.fit(model, datamodule=job.data, ckpt_path=resumes_from, weights_only=True)
    checkpoint = trainer.checkpoint_callback
    assert isinstance(checkpoint, ModelCheckpoint)
    tested = Path(checkpoint.best_model_path)
    if config.trainer.tested_epoch == "last":
        tested = Path(checkpoint.dirpath or "", FINAL)
        trainer.save_checkpoint(tested, weights_only=True)
    best_score = float(checkpoint.best_model_score if checkpoint.best_model_score is not None else "nan")
    model.load_state_dict(load_checkpoint(tested)["state_dict"])
    best_score = job.chosen(model, best_score)
    scores: Mapping[str, float] = {}
    if job.tests:
        (scores,) = trainer.test(model, datamodule=job.data, verbose=False)
    if run:
        run.log_metrics({job.objective.best: best_score, PEAK_MEMORY: runtime.peak_memory()})
        run.log_tags({CHECKPOINT_TAG: tested.name})
        if not config.trainer.trial:  # a trial has read only a few reviews
            job.after_training(model, run)
        log.info("%s  (run %s)", job.summary({**scores, job.objective.best: best_score}), run.run_id)
    return best_score


def build_trainer(job: Job, run: TrackedRun | None, interruption: Interruption) -> pl.Trainer:
    """Lightning's trainer for one run."""
    settings, objective = job.config.trainer, job.objective
    steps = -(-job.batches // settings.processes)
    shows_progress = settings.progress_bar and sys.stdout.isatty()
    callbacks: list[pl.Callback] = []
    # Several processes would have to agree on an early end, so their trial trains all epochs.
    if run and settings.processes == 1 and job.config.tracking.search_trial is not None:
        from sentiment_rnn.engine.pruning import pruning_of  # Optuna, which other runs do not need

        callbacks += pruning_of(run, job.config.tracking.search_trial, objective)
    callbacks += [
        ModelCheckpoint(
            dirpath=run.folder if run else None,
            filename="epoch{epoch}" if settings.keep_epochs else "best",
            monitor=objective.metric,
            mode=objective.mode,
            save_top_k=-1 if settings.keep_epochs else 1,
            save_weights_only=True,  # runs resume from the last checkpoint, which also has the optimizer's moments
            auto_insert_metric_name=False,
            enable_version_counter=False,
        ),
        # `ModelCheckpoint` cannot do this: it writes a last checkpoint only after an epoch that was among the best.
        LastCheckpoint(run, settings.checkpoint_minutes, interruption),
        EpochTimer(0 if settings.trial else job.tokens),  # a trial may read only a part of the tokens
        FiniteLoss(),
    ]
    if settings.patience:
        # A score that is NaN does not end the run here; `FiniteLoss` decides that.
        callbacks.append(
            EarlyStopping(objective.metric, mode=objective.mode, patience=settings.patience, check_finite=False)
        )
    if settings.target_score is not None:
        callbacks.append(StopAtTargetScore(objective, settings.target_score))
    if run and not shows_progress:
        callbacks.append(EpochLines(objective.metric))
    limit = settings.limit_batches or None
    return pl.Trainer(
        accelerator=settings.accelerator,
        devices=devices_of(settings),
        num_nodes=settings.nodes,
        strategy=settings.strategy,
        precision=PRECISIONS[job.config.precision],
        max_epochs=settings.epochs,
        limit_train_batches=limit,
        limit_val_batches=limit,
        limit_test_batches=limit,
        logger=run or False,
        callbacks=callbacks,
        plugins=[CheckpointFiles()],
        log_every_n_steps=max(1, min(settings.log_every_n_steps, limit or steps)),
        num_sanity_val_steps=0,
        use_distributed_sampler=False,  # LengthBuckets divides the batches itself
        enable_progress_bar=shows_progress,
        enable_model_summary=False,
    )
