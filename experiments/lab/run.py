"""Runs a study: trains the sweeps of its protocols, measures their runs, and adds the numbers to its results."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from experiments.lab.findings import check_shown, own_module
from experiments.lab.provenance import OWN, PROVENANCE, provenance_of, read_provenance
from experiments.lab.results import (
    CORRECT,
    RESULTS,
    check_correct,
    correct_file,
    joined,
    read_correct,
    read_results,
    results_csv,
    rows_of,
)
from experiments.lab.study import Protocol, Study, Sweep, find_study
from experiments.lab.sweeps import CHANGED, Measured, asked_arms, key_of, measured, train, trainable
from sentiment_rnn.config.sections import TrackingConfig
from sentiment_rnn.config.store import run_config
from sentiment_rnn.errors import UserError
from sentiment_rnn.report.plotting import write_folder
from sentiment_rnn.tracking.store import check_store, open_store

ELSEWHERE = (
    "hydra/launcher",
    "hydra.launcher",
    "seed=",
    "tracking.",
    "trainer.accelerator",
    "trainer.progress_bar",
    "trainer.threads",
)
"""Overrides that change nothing that a protocol fixed, only where runs are trained or how many at a time. Seeds are
allowed too, since those that a protocol did not plan do not count."""


def run(
    study: Study, protocols: Sequence[str], sweeps: Sequence[str], overrides: Sequence[str], again: bool = False
) -> list[str]:
    """Train and measure what the results of a study lack: for all protocols, for the named ones, or for some sweeps.

    Returns the names of these protocols.

    Args:
        overrides: Hydra's overrides for every run.
        again: also train and measure what the results already have.

    Raises:
        UserError: a name is unknown; a protocol has changed; an override changes what a protocol fixed, and the results
            go into the study's own folder; or a requested sweep is closed. Nothing has been trained then.
    """
    asked = [study.protocol(name) for name in protocols or study.protocols]
    if sweeps:
        having = dict.fromkeys(study.sweep(name).protocol for name in sweeps)
        if others := [name for name in protocols if name not in having]:
            raise UserError(f"{others[0]}: none of these sweeps is one of this protocol; leave --protocols out")
        asked = [study.protocol(name) for name in having]
    changed = changing(overrides)
    encoders = [given for given in overrides if key_of(given) == "encoder"]
    if (refused := changed + encoders) and study.output == study.folder:
        raise UserError(f"{refused[0]} changes what the protocols of {study.name} fixed; give another --output as well")
    tracking = run_config(*(given for given in overrides if given.startswith("tracking."))).tracking
    check_store(tracking)
    so_far = results_so_far(study)
    for sweep in (sweep for protocol in asked for sweep in protocol.sweeps if not sweeps or sweep.name in sweeps):
        if sweep.closed and (again or not is_measured(sweep, so_far)):
            raise UserError(
                f"{sweep.name}: the code of its settings was removed; check out {sweep.closed} to train it, or name "
                "others with --sweeps"
            )
    for protocol in asked:
        check_shown(protocol)
        own_module(study, protocol)
        for other, _, search in (name.rpartition("/") for sweep in protocol.sweeps for name in sweep.rates):
            (find_study(other) if other else study).sweep(search)
    for protocol in asked:
        freeze(study, protocol)
    for protocol in asked:
        known, own = results_so_far(study), own_module(study, protocol)
        wanted = [sweep for sweep in protocol.sweeps if not sweeps or sweep.name in sweeps]
        left = [sweep for sweep in wanted if again or not is_measured(sweep, known)]
        measures = hasattr(own, "measure") and not sweeps
        for sweep in left:
            run_sweep(study, protocol, sweep, tracking, overrides)
        outdated = again or bool(left) or not read_provenance(study.output)[protocol.name].get(OWN)
        if measures and outdated:
            add(study, protocol, own.measure(study, protocol, open_store(tracking), overrides=changed))
        elif not left:
            print(f"{protocol.name}: all that is asked for is measured in {study.output}; --again measures it anew")
    return [protocol.name for protocol in asked]


def changing(overrides: Sequence[str]) -> list[str]:
    """The overrides that change something that a protocol fixed. Encoders do not count: they select arms."""
    return [one for one in overrides if not one.lstrip("+").startswith(ELSEWHERE) and key_of(one) != "encoder"]


def results_so_far(study: Study) -> pd.DataFrame:
    """The results of a study; no rows if nothing was measured yet."""
    return read_results(study.output) if (study.output / RESULTS).is_file() else rows_of(study.name, [])


def is_measured(sweep: Sweep, table: pd.DataFrame) -> bool:
    """Whether the results have every planned run of a sweep."""
    rows = table[table.sweep == sweep.name]
    draws = rows.draw if sweep.draws else [None] * len(rows)
    return sweep.runs <= set(zip(rows.arm, rows.seed, draws, strict=True))


def run_sweep(
    study: Study, protocol: Protocol, sweep: Sweep, tracking: TrackingConfig, overrides: Sequence[str]
) -> None:
    """Train the arms of a sweep that have a learning rate, and add their measurements to the results."""
    arms = trainable(study, sweep, overrides)
    if left := [arm for arm in asked_arms(study, sweep, overrides) if arm not in arms]:
        reason = "no search of theirs was run"
        if sweep.where_reached:
            reason = "not all of their draws were run, or no search of four would succeed"
        needed = ", ".join(filter(None, [*sweep.rates, sweep.best_of, sweep.where_reached]))
        print(f"left out of {sweep.name}: {', '.join(left)}; {reason} ({needed})")
    if arms:
        train(study, sweep, protocol.digest + CHANGED * bool(changing(overrides)), arms, overrides)
        store = open_store(tracking)
        own = getattr(own_module(study, protocol), "measure_run", None)
        add(study, protocol, measured(study, sweep, store, own), provenance_of(store, sweep.name))


def freeze(study: Study, protocol: Protocol) -> None:
    """Record the digest of a protocol before its first run starts.

    Raises:
        UserError: its text is missing, or differs from the one under which its runs started.
    """
    known = read_provenance(study.output)
    digest = protocol.digest
    frozen = known.setdefault(protocol.name, {"protocol": digest, "sweeps": []})["protocol"]
    if frozen != digest:
        raise UserError(
            f"{protocol.path} ({digest[:8]}) is not the protocol under which its runs began ({frozen[:8]}, "
            f"{PROVENANCE}); put that one back, and write a new protocol for what is new"
        )
    write_folder(study.output, {PROVENANCE: json.dumps(known, indent=1) + "\n"}, {})


def add(study: Study, protocol: Protocol, found: Measured, trained: Mapping[str, Any] | None = None) -> None:
    """Add measurements to the results of a study; all files are written together.

    Args:
        trained: how the sweep was trained; its measurements replace earlier ones of the same runs. None for a
            protocol's own measurements, of which NaN values are left out.
    """
    folder, rows = study.output, rows_of(study.name, found.rows)
    table, correct = results_so_far(study), read_correct(folder)
    if trained:  # remove all old numbers of runs that were trained again, perhaps at another draw, or diverged
        sweep, seeds = trained["sweep"], trained["seeds"]
        arms = [arm for arm in study.sweep(sweep).arms if study.arms[arm].encoder in trained["encoders"]]
        old = (table.sweep == sweep) & (table.protocol == protocol.name) & table.arm.isin(arms) & table.seed.isin(seeds)
        table = table[~old]
        correct = {
            key: run for key, run in correct.items() if not (key[0] == sweep and key[1] in arms and key[-1] in seeds)
        }
    table, correct = joined(table, rows), correct | found.correct
    table = table[table.value.notna() | table.draw.notna()]
    check_correct(table, correct, folder)
    known = read_provenance(folder)
    if not trained:
        known[protocol.name][OWN] = True
    else:
        for name, other in study.protocols.items():
            if name in known and protocol.name in (name, *other.reads):
                known[name].pop(OWN, None)
        sweeps = known[protocol.name]["sweeps"]
        planned = [study.arms[arm].encoder for arm in study.sweep(sweep).arms]
        covered = [
            part for part in sweeps
            if part["sweep"] == sweep
            and set(part["seeds"]) <= set(seeds)
            and set(part.get("encoders", planned)) <= set(trained["encoders"])
        ]  # fmt: skip
        known[protocol.name]["sweeps"] = [part for part in sweeps if part not in covered] + [trained]
    files = {RESULTS: results_csv(table), PROVENANCE: json.dumps(known, indent=1) + "\n", **found.files}
    write_folder(folder, files | ({CORRECT: correct_file(correct)} if correct else {}), {})
