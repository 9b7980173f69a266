"""Trains the sweeps of a study with the tool, and measures their runs."""

import hashlib
import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from experiments.lab.reach import SEARCH, best_draw, runs_so_far, search_success
from experiments.lab.results import Correct, Key
from experiments.lab.rules import LEARNS, kept
from experiments.lab.search import chosen_draws
from experiments.lab.study import EXPERIMENTS, Study, Sweep
from sentiment_rnn.config.messages import quoted
from sentiment_rnn.errors import UserError
from sentiment_rnn.inference.predictions import Predictions
from sentiment_rnn.tracking.names import BASELINE, BEST_ACCURACY, BEST_LOSS, PROTOCOL_TAG, PROTOCOL_VARIABLE
from sentiment_rnn.tracking.results import Curve, RecordedRun
from sentiment_rnn.tracking.store import Store
from sentiment_rnn.tracking.sweeps import find_sweep, results_of

RATES = ("optimizer.draw", "optimizer.learning_rate")
"""Keys each of which gives all arms a learning rate."""
Row = tuple[object, ...]
"""Row of `results.csv` without the column `study`."""

CHANGED = ", changed"
"""Suffix of a protocol's digest if overrides changed what the protocol fixed."""


@dataclass
class Measured:
    """Measurements: rows of `results.csv`, runs of `correct.npz`, and files that can only be made from models."""

    rows: list[Row] = field(default_factory=list)
    correct: dict[Key, Correct] = field(default_factory=dict)
    files: dict[str, str | bytes] = field(default_factory=dict)


MeasureRun = Callable[[Study, Sweep, str, RecordedRun, Store], Measured]
"""Measures the run of an arm, given by its name."""


def train(study: Study, sweep: Sweep, protocol: str, arms: Sequence[str], overrides: Sequence[str]) -> None:
    """Train a sweep as a user would, by the tool's command, in a process of its own.

    Finished runs of the same identity are not trained again. A search always keeps its own seeds, and every other sweep
    keeps the draws that its search chose.

    Args:
        protocol: digest of the protocol, with which its runs are tagged, and `CHANGED` if it is not followed.
        arms: arms that are trained.
        overrides: Hydra's overrides. They replace the study's, except encoders, which select arms.
    """
    command = [sys.executable, "-m", "sentiment_rnn", "train", "--multirun", "--config-dir"]
    given = {key_of(one): one for one in overrides if not is_for_others(one, sweep) and key_of(one) != "encoder"}
    own = [given.pop(key_of(one), one) for one in overrides_of(study, sweep, arms)]  # replaced in place
    command += [str(study.configuration), *own, *given.values()]
    paths = [str(EXPERIMENTS.parent), str(Path.cwd()), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {PROTOCOL_VARIABLE: protocol, "PYTHONPATH": os.pathsep.join(paths)}
    with subprocess.Popen(command, env=environment) as training:
        before = signal.signal(signal.SIGTERM, lambda *_: training.terminate())
        try:
            status = training.wait()
        except KeyboardInterrupt:
            training.wait()  # Ctrl-C has reached that process too; its runs write their checkpoints
            raise
        finally:
            signal.signal(signal.SIGTERM, before)
    if status:
        raise UserError(f"sweep {sweep.name} did not finish (status {status}); the same command resumes it")


def is_for_others(override: str, sweep: Sweep) -> bool:
    """Whether an override does not apply to a sweep: a search keeps its seeds, and only a search takes several
    draws."""
    if sweep.searches:
        return key_of(override) == "seed"
    return key_of(override) == "optimizer.draw" and "," in override and not sweep.draws


def key_of(override: str) -> str:
    """The key that an override sets."""
    return override.lstrip("+").partition("=")[0]


def overrides_of(study: Study, sweep: Sweep, arms: Sequence[str]) -> list[str]:
    """The Hydra overrides of a sweep of these arms."""
    encoders = {arm: study.arms[arm].encoder for arm in arms}
    found = [f"study={sweep.name}", f"encoder={','.join(encoders.values())}"]
    settings = [f"{key}={_value(value)}" for key, value in sweep.settings.items()]
    draws = [f"optimizer.draw={','.join(map(str, sweep.draws))}"] if sweep.draws else []
    seeds = ",".join(map(str, sweep.seeds))
    if sweep.by_draw:  # values that depend on the draw come after it
        if sweep.best_of:
            runs = {arm: runs_so_far(study, sweep.best_of, arm) for arm in arms}
            draws = [f"optimizer.draw={best_draw(of_arm)}" for of_arm in runs.values() if of_arm]
        else:
            seeds = ",".join(f"${{optimizer.draw}}{one}" for one in range(sweep.seeds_of_draw))
        return [*found, *settings, *draws, "data.generator_seed=${optimizer.draw}", f"seed={seeds}"]
    found += [f"seed={seeds}", *settings]
    if sweep.rated:
        return found
    if sweep.draws:
        return [*found, *draws]
    chosen = chosen_draws(study, sweep)
    pairs = ",".join(f"{encoders[arm]}:{chosen[arm]}" for arm in arms if chosen[arm] is not None)
    return [*found, f"+optimizer.draws={{{pairs}}}"]


def _value(value: object) -> str:
    return "null" if value is None else quoted(value) if isinstance(value, str) else str(value).lower()


def asked_arms(study: Study, sweep: Sweep, overrides: Sequence[str]) -> list[str]:
    """The arms of a sweep. If an override names encoders, only the arms with these encoders."""
    named = [name for one in overrides if key_of(one) == "encoder" for name in one.partition("=")[2].split(",")]
    return [arm for arm in sweep.arms if not named or study.arms[arm].encoder in named]


def trainable(study: Study, sweep: Sweep, overrides: Sequence[str]) -> list[str]:
    """The requested arms that have a learning rate: the sweep is a search, an override or the settings give a rate, or
    the arm's search was run. Empty for a closed sweep."""
    if sweep.closed:
        return []
    asked = asked_arms(study, sweep, overrides)
    if named := sweep.where_reached or sweep.best_of:
        runs = {arm: runs_so_far(study, named, arm) for arm in asked}
        asked = [arm for arm, of in runs.items() if of and (sweep.best_of or search_success(of, SEARCH) > 0)]
    given = any(key_of(one) in RATES and not is_for_others(one, sweep) for one in overrides)
    if given or sweep.draws or sweep.best_of or sweep.rated:
        return asked
    chosen = chosen_draws(study, sweep)
    return [arm for arm in asked if chosen[arm] is not None]


def measured(study: Study, sweep: Sweep, store: Store, own: MeasureRun | None = None) -> Measured:
    """Measurements of the runs of a finished sweep, and those of the protocol's own (`own`).

    Raises:
        UserError: the sweep has not finished.
    """
    arm_of = {study.arms[arm].encoder: arm for arm in sweep.arms}
    found = Measured()
    every = results_of(store, find_sweep(store, sweep.name, finished=True), diverged=True)
    for run in every:
        if run.diverged and not (sweep.draws or sweep.best_of):
            print(f"left out of {sweep.name}: {run.encoder}, seed {run.seed}, diverged; no claim on its arm is decided")
    runs = [run for run in every if run.encoder in arm_of and (sweep.draws or sweep.best_of or not run.diverged)]
    for run in sorted(runs, key=lambda run: (list(arm_of).index(run.encoder), run.seed)):
        arm = arm_of[run.encoder]
        draw = draw_of(run) if sweep.draws or sweep.best_of else None
        at = sweep.name, sweep.protocol, arm, sweep.condition, run.seed, draw
        found.rows += [(*at, *measure) for measure in measures_of(run, study, sweep)]
        if sweep.compared and study.score == "accuracy":
            for condition, correct in correct_of(run, sweep):
                found.correct[sweep.name, arm, condition, run.seed] = correct
                row = sweep.name, sweep.protocol, arm, condition, run.seed, None
                found.rows.append((*row, "test", "accuracy", float(correct.right.mean())))
        if own:
            more = own(study, sweep, arm, run, store)
            found.rows += more.rows
            found.correct |= more.correct
            found.files |= more.files
    return found


def draw_of(run: RecordedRun) -> int | None:
    """The number of the draw that a job asked for. Its run may have another number, if another sweep trained it."""
    asked = run.overrides.get("optimizer.draw", run.config.optimizer.draw)
    return None if asked is None else int(asked)


def trained_runs(store: Store, sweep: str, overrides: Sequence[str] = (), diverged: bool = False) -> list[RecordedRun]:
    """The runs of the latest finished sweep of a name, for the measurements of a protocol.

    Args:
        overrides: overrides of the command, which change what a protocol fixed; with any, the runs may also have been
            trained with overrides.
        diverged: include runs that diverged.

    Raises:
        UserError: there are no runs, or they were trained with such overrides although none are given.
    """
    runs = results_of(store, find_sweep(store, sweep, finished=True), diverged=diverged)
    if not overrides and any(run.tags.get(PROTOCOL_TAG, "").endswith(CHANGED) for run in runs):
        raise UserError(
            f"sweep {sweep}: the latest in this store was trained with other settings than its protocol's; train it "
            "again without overrides, or give another --store"
        )
    return runs


def measures_of(run: RecordedRun, study: Study, sweep: Sweep) -> Iterator[tuple[str, str, float]]:
    """Split, metric and value of all measurements of a run except its accuracy on test."""
    yield "train", "learning_rate", run.learning_rate
    yield "train", "clip_norm", float(run.config.optimizer.gradient_clip_norm)
    if sweep.by_draw:
        yield from measures_of_drawn(run)
    elif sweep.searches:
        yield "validation", "score", np.nan if run.diverged else DRAW_SCORES[sweep.score or study.search_score](run)
    elif sweep.pretrains:
        yield "validation", "perplexity", math.exp(run.metrics[BEST_LOSS])
    elif study.score == "kept":
        yield "test", "loss", run.metrics["test/loss"]
        yield "test", "baseline", run.metrics[BASELINE]
    else:
        steps, learned = learning_time(run.curve("val/accuracy"))
        yield "validation", "best_accuracy", run.metrics[BEST_ACCURACY]
        yield "validation", "steps", steps
        yield "validation", "learned", learned


def measures_of_drawn(run: RecordedRun) -> Iterator[tuple[str, str, float]]:
    """Split, metric and value of all measurements of a run whose draw is the unit. They include its test accuracies: on
    reviews with lags drawn as in training, and separately at each lag of `data.test_lags`. A run that diverged has only
    a `final_accuracy` of NaN."""
    if run.diverged:
        yield "validation", "final_accuracy", np.nan
        return
    validation = run.curve("val/accuracy")
    steps, learned = learning_time(validation)
    yield "validation", "final_accuracy", validation[1][-1]
    yield "validation", "trained_steps", validation[0][-1] + 1
    yield "validation", "steps", steps
    yield "validation", "learned", learned
    dealt = np.asarray(run.config.data.test_lags)
    asked = dealt[np.arange(len(run.predictions.labels)) // 2 % len(dealt)]  # as `Generated.test_lags` says
    for lag in dict.fromkeys(dealt.tolist()):
        name = f"accuracy_at_{lag}" if lag else "accuracy"
        yield "test", name, float(run.predictions.correct[asked == lag].mean())


def correct_of(run: RecordedRun, sweep: Sweep) -> Iterator[tuple[str, Correct]]:
    """The reviews that a run classified correctly, for each condition at which it was tested."""
    found = run.predictions
    for condition in sweep.tested or (sweep.condition,):
        there = found.lags == int(condition) if sweep.tested else np.full(len(found.labels), True)
        yield condition, Correct(found.correct[there], reviews_digest(found, there))


def reviews_digest(predictions: Predictions, chosen: np.ndarray) -> str:
    """SHA-256 digest of the labels, lengths and lags of the chosen reviews (bool [N]); runs record these values."""
    digest = hashlib.sha256()
    for values, kind in ((predictions.labels, "<i1"), (predictions.lengths, "<i8"), (predictions.lags, "<i4")):
        digest.update(values[chosen].astype(kind).tobytes())
    return digest.hexdigest()


def learning_time(validation: Curve) -> tuple[int, bool]:
    """Training steps until validation accuracy first reached `LEARNS`, else until the run ended; and whether it did."""
    for step, accuracy in zip(*validation, strict=True):
        if accuracy >= LEARNS - 1e-6:  # the accuracy was rounded to float32
            return step + 1, True
    return validation[0][-1] + 1, False


def mean_accuracy(run: RecordedRun) -> float:
    """Mean validation accuracy over all epochs [%], which rewards fast learning. After an early end, the last accuracy
    counts for the missing epochs."""
    accuracies = run.curve("val/accuracy")[1]
    left = run.config.trainer.epochs - len(accuracies)
    return 100 * float(np.mean([*accuracies, *[accuracies[-1]] * left]))


DRAW_SCORES: dict[str, Any] = {
    "mean_accuracy": mean_accuracy,
    "best_accuracy": lambda run: 100 * run.metrics[BEST_ACCURACY],
    "final_accuracy": lambda run: 100 * run.curve("val/accuracy")[1][-1],
    "kept": lambda run: round(100 * kept(run.metrics[BEST_LOSS], run.metrics[BASELINE])),
}
"""Functions that score a draw of a search on validation [%], by `Sweep.score` or `Study.search_score`."""
