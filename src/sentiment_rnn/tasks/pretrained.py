"""Starts a classifier from the backbone and the vocabulary of a trained model (`pretrained`)."""

import functools
import logging
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from sentiment_rnn.config.run import ReviewConfig
from sentiment_rnn.config.sections import TrackingConfig
from sentiment_rnn.data.corpus import Corpus
from sentiment_rnn.data.review import SPLITS
from sentiment_rnn.errors import UserError, as_given
from sentiment_rnn.inference.package import TrainedBackbone, fingerprints, read_backbone, restored
from sentiment_rnn.model.classifier import SentimentClassifier
from sentiment_rnn.tracking.models import DATA, checked_model, fetch_model, fetch_run_model, is_registered, names_folder
from sentiment_rnn.tracking.names import ENCODER_TAG, SWEEP_TAG
from sentiment_rnn.tracking.results import run_or_none
from sentiment_rnn.tracking.store import existing_store, store_uri
from sentiment_rnn.tracking.sweeps import find_sweeps, results_of

log = logging.getLogger("sentiment_rnn")

NOT_IN_WEIGHTS = {
    "encoder": (
        "name", "dropout", "recurrent_init", "recurrent_gain", "forget_bias", "chrono_steps",
        "gradient_steps", "detach", "smallest", "largest", "phase",
    ),
    "embedding": ("dropout", "word_dropout"),
}  # fmt: skip
"""Keys that may differ between a run and the model it starts from: noise, gradients, and how weights are drawn."""


def settle_pretrained(config: ReviewConfig) -> TrainedBackbone | None:
    """The weights that a run starts from; None if `pretrained` is null.

    Writes the digest of the weights into the configuration. A name, which may mean another model later, is replaced by
    the id of the run.

    Raises:
        UserError: the model is not there, does not have `pretrained_digest`, or does not fit the configuration.
    """
    place, digest = config.pretrained, config.pretrained_digest
    if place is None:
        return None
    is_folder = names_folder(place)
    start = read_backbone(checked_model(Path(place).expanduser()) / DATA) if is_folder else _recorded(place, config)
    if digest not in (None, start.digest):
        raise UserError(
            f"pretrained={place}: it is another model by now; its digest is {start.digest}, and "
            f"pretrained_digest={digest} was asked for; give the model with that digest, or train again without it"
        )
    ours = _decisive(config.encoder.settings, asdict(config.embedding), config.data.tokenizer)
    theirs = _decisive(start.settings["encoder"], start.settings["embedding"], start.tokenizer.name)
    for key in dict.fromkeys([*ours, *theirs]):
        value, expected = as_given(ours.get(key)), as_given(theirs.get(key))
        if value != expected:
            names = config.encoder.name, start.settings["encoder"]["name"]
            if key == "encoder._target_" and names[0] != names[1]:
                key, (value, expected) = "encoder", names
            raise UserError(f"{key}={value}: pretrained={place} was trained with {expected}; give {key}={expected}")
    config.pretrained_digest = start.digest
    if start.run and not is_folder:
        config.pretrained = start.run
    return start


def start_from(found: TrainedBackbone, model: SentimentClassifier) -> None:
    """Replace the weights of a classifier's backbone by trained ones."""
    try:
        model.backbone.load_state_dict(restored(found.weights, model.backbone))
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"pretrained: the weights of run {found.run} do not fit this classifier ({reason})") from error


def note_texts_read(start: TrainedBackbone, corpus: Corpus) -> None:
    """Log a warning if the model from which a run starts has read test texts, because its split was different."""
    train, validation, test = (fingerprints(corpus.splits[split].documents()) for split in SPLITS)
    read = np.setdiff1d(start.training_texts, [*train, *validation])  # test texts that are also in train do not count
    if count := int(np.isin(test, read).sum()):
        log.warning(
            "pretrained=%s has read %d of %d test texts, so the test score is too high; give both runs the same "
            "data.split_seed",
            start.run, count, len(test),
        )  # fmt: skip


def _decisive(encoder: Mapping[str, Any], embedding: Mapping[str, Any], tokenizer: str) -> dict[str, Any]:
    """Values that must be equal, by key, the encoder's class first. The encoder's name is not among them, since files
    with the same class may differ only in how weights are drawn."""
    values = {f"encoder.{key}": value for key, value in encoder.items() if key not in NOT_IN_WEIGHTS["encoder"]}
    values |= {f"embedding.{key}": value for key, value in embedding.items() if key not in NOT_IN_WEIGHTS["embedding"]}
    return values | {"data.tokenizer": tokenizer}


def _recorded(name: str, config: ReviewConfig) -> TrainedBackbone:
    """The weights of a run's model, of a registered model, or of a run of a sweep."""
    tracking = tuple(asdict(config.tracking).items())
    start = _in_store(name, tracking) or _in_store(_run_of_sweep(name, config, config.tracking), tracking)
    assert start  # `_run_of_sweep` returns only runs that exist
    return start


@functools.lru_cache(maxsize=2)  # all jobs of a sweep may start from the same model
def _in_store(name: str, tracking: tuple[tuple[str, Any], ...]) -> TrainedBackbone | None:
    """The weights of a run's model, or of a registered model; None if there is neither."""
    store = existing_store(TrackingConfig(**dict(tracking)), of_experiment=False)
    with tempfile.TemporaryDirectory() as temporary:
        if (run := run_or_none(store, name)) and SWEEP_TAG not in run.tags:
            return read_backbone(fetch_run_model(store, run.run_id, Path(temporary)) / DATA)
        if is_registered(store, name):
            return read_backbone(fetch_model(store, name, Path(temporary)) / DATA)
    return None


def _run_of_sweep(name: str, config: ReviewConfig, tracking: TrackingConfig) -> str:
    """The run of a sweep from which a run can start: the one with the same encoder and seed, or the only one with this
    encoder. Of several sweeps with the same name, the latest with this encoder counts."""
    try:
        anywhere = existing_store(tracking, of_experiment=False)
        run = run_or_none(anywhere, name)
        sweeps = [run.run] if run else find_sweeps(existing_store(tracking), name, finished=True)
    except UserError as error:
        raise UserError(
            f"pretrained={name}: no such run, registered model, folder or finished sweep in {store_uri(tracking)}; "
            "expected the id of a run of task=language_model, say, which sentiment-rnn runs --json shows"
        ) from error
    fitting = (
        [run for run in results_of(anywhere, sweep) if run.tags.get(ENCODER_TAG) == config.encoder.name]
        for sweep in sweeps
    )
    of_encoder = next(filter(None, fitting), [])
    of_seed = [run for run in of_encoder if run.seed == config.seed]
    candidates = of_seed or of_encoder
    if len(candidates) != 1:
        having = f"{len(of_seed)} have" if of_seed else "none has"
        raise UserError(
            f"pretrained={name}: of its {len(of_encoder)} runs with encoder={config.encoder.name} {having} "
            f"seed={config.seed}; expected one of this seed, or one run alone, from which this run can start; give "
            "the id of one"
        )
    return candidates[0].run_id
