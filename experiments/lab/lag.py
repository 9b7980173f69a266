"""Measures how far one encoder reaches, beside those of the study `reach`. It runs that study with this encoder as arm.

    python -m experiments.lab lag my_package.MyCell                 # or the name of an encoder, or its YAML file
    python -m experiments.lab lag gru --lags 100 --draws 8          # a first look

Draws, seeds, reviews and budget are the study's; `reach` explains what is estimated. Each lag has four draws at first,
then sixteen, then all, and the picture is drawn anew each time. After an interruption, the same command resumes. The
result is exploratory: no protocol was written for this encoder, so there is no verdict.
"""

import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
import yaml

from experiments.lab.pictures import save_picture
from experiments.lab.reach import SEARCH
from experiments.lab.reach_findings import DrawnEvidence, figure, searches
from experiments.lab.run import results_so_far, run
from experiments.lab.study import ENCODERS, Arm, Study, Sweep, encoder_file, encoder_settings, find_study
from experiments.lab.sweeps import key_of
from sentiment_rnn.config.components import class_named
from sentiment_rnn.config.store import run_config
from sentiment_rnn.errors import UserError
from sentiment_rnn.report.plotting import write_folder
from sentiment_rnn.report.tables import Table, markdown, new_console, show
from sentiment_rnn.runtime import cores
from sentiment_rnn.tracking.store import open_store
from sentiment_rnn.tracking.sweeps import find_sweep, results_of

STUDY = "reach"
FIRST_LOOKS = (SEARCH, 16)
"""Numbers of draws after which the picture is drawn for the first times, before all draws have run."""
SET = ("data.max_lag", "data.test_lags", "encoder", "optimizer.draw", "seed", "study")
"""Keys that this command sets itself."""
RUN_SECONDS = 0.2
"""Seconds on one core that a run of a compiled LSTM takes, for each token of a review (AMD EPYC, AVX-512 BF16)."""


def place(encoder: str, lags: Sequence[int], draws: int, store: Path, overrides: Sequence[str]) -> None:
    """Train an encoder with some draws at each lag, and add it to the picture of the study.

    Args:
        encoder: an importable class; the name of an encoder of the tool or the lab; or a user's YAML file.
        lags: lags in tokens.
        draws: number of draws of learning rate and clipping at each lag; each has two seeds.
        store: where runs are recorded. Picture, table and results go into its folder `lag/<encoder>`.
        overrides: Hydra's overrides for every run.

    Raises:
        UserError: there is no such encoder, there are too few draws, or an override changes a key that this command
            sets.
    """
    if draws < SEARCH:
        raise UserError(f"--draws {draws}: expected {SEARCH} or more, since S({SEARCH}) is of a search of {SEARCH}")
    if fixed := [override for override in overrides if key_of(override) in SET]:
        raise UserError(f"{fixed[0]}: this command sets it; give --lags and --draws")
    arm, configuration = arm_of(encoder, store / "lag")
    folder = store / "lag" / arm.encoder
    study = replace(find_study(STUDY), arms={arm.name: arm}, output=folder, configuration=configuration)
    overrides = [f"tracking.directory={store}", *overrides]
    counts = [*(count for count in FIRST_LOOKS if count < draws), draws]
    planned = [sweep_of(study, arm, lag, count) for count in counts for lag in lags]
    whole = sum(map(work_of, planned[-len(lags) :]))
    print(
        f"{2 * draws * len(lags)} runs: about {in_words(RUN_SECONDS * whole / cores())} on {cores()} cores for a cell "
        "as fast as the compiled LSTM, two to three times as long for one that is not compiled",
        flush=True,
    )
    shown: dict[str, Sweep] = {}
    trained = seconds = 0.0
    for sweep in planned:
        began = time.time()
        run(only(study, [sweep]), [], [], overrides, again=True)  # finished runs are found by their identity
        shown[sweep.condition] = sweep
        if new := runs_since(began, sweep, overrides):
            trained, seconds = trained + work_of(sweep) * new / len(sweep.seeds), seconds + time.time() - began
        table, left = draw(only(study, shown.values()), folder), whole - sum(map(work_of, shown.values()))
        rest = f"; about {in_words(seconds * left / trained)} left" if trained and left else ""
        print(f"{so_far(sweep, table)} ({folder / STUDY}.png){rest}", flush=True)
    console = new_console()
    show(console, table)
    console.print("Exploratory: no protocol, no verdict.")


def arm_of(encoder: str, folder: Path) -> tuple[Arm, Path]:
    """An encoder's arm, and the folder of its configuration. For a class, a YAML file is written into `folder`."""
    path = Path(encoder)
    if path.suffix == ".yaml":
        if not path.is_file() or path.parent.name != "encoder":
            raise UserError(f"{encoder}: expected a file in a folder encoder/, such as my_conf/encoder/mine.yaml")
    elif "." in encoder:
        path = file_for_class(encoder, folder)
    elif there := encoder_file(encoder):
        path = there
    else:
        names = ", ".join(sorted(file.stem for folder in ENCODERS for file in folder.glob("*.yaml")))
        raise UserError(f"{encoder}: expected a class (my_package.Mine), a YAML file, or one of {names}")
    settings, name, there = encoder_settings(path), path.stem, encoder_file(path.stem)
    if settings.get("name") != name or there not in (None, path):
        raise UserError(f"{path}: expected name: {name}, as the file, and a name that no encoder of the project has")
    # The encoder may have the same label as a committed arm, so it is marked as new.
    arm = Arm(f"new_{name}", f"{settings.get('label') or name} (new)", "#000000", name)
    return arm, ENCODERS[1].parent if there else path.resolve().parents[1]


def file_for_class(encoder: str, folder: Path) -> Path:
    """Write a YAML file for an encoder that is given as a class; raises `UserError` if there is no such class."""
    class_named(encoder, "ENCODER")
    label = encoder.rpartition(".")[2]
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", label).lower()
    name = f"own_{name}" if encoder_file(name) else name
    content = yaml.safe_dump({"_target_": encoder, "name": name, "label": label}, sort_keys=False)
    (path,) = write_folder(folder / name / "conf" / "encoder", {f"{name}.yaml": content}, {})
    return path


def sweep_of(study: Study, arm: Arm, lag: int, draws: int) -> Sweep:
    """The study's sweep at a lag, with this arm and the first `draws` draws."""
    template = study.protocol(STUDY).sweeps[0]
    drawn = tuple(range(template.draws[0], template.draws[0] + draws))
    apart = [0, 0, 0, -(-4 * lag // 5), lag, 6 * lag // 5]  # half as in training; the rest at its ends and its middle
    return replace(
        template,
        name=f"lag_{arm.encoder}_{lag}",
        condition=str(lag),
        arms=(arm.name,),
        draws=drawn,
        seeds=tuple(10 * draw + one for draw in drawn for one in range(template.seeds_of_draw)),
        settings={**template.settings, "data.max_lag": lag, "data.test_lags": apart},
    )


def only(study: Study, sweeps: Iterable[Sweep]) -> Study:
    """The study with only these sweeps, and without claims."""
    protocol = replace(study.protocol(STUDY), sweeps=tuple(sweeps), claims=())
    return replace(study, protocols={STUDY: protocol})


def work_of(sweep: Sweep) -> int:
    """Tokens per review times number of runs. A review is about twenty tokens longer than its lag."""
    return len(sweep.seeds) * (int(sweep.condition) + 20)


def in_words(seconds: float) -> str:
    """`40 min`, or `2.5 h`."""
    return f"{max(1, round(seconds / 60))} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def so_far(sweep: Sweep, table: Table) -> str:
    """What the first row of the table says at a sweep's lag: `lag 100, 4 draws: S(4) 50 (0–98) %, window 1/4`."""
    column = table.columns.index(f"lag {sweep.condition}: S({SEARCH})")
    success, window = table.rows[0][column : column + 2]
    return f"lag {sweep.condition}, {len(sweep.draws)} draws: S({SEARCH}) {success} %, window {window}"


def runs_since(began: float, sweep: Sweep, overrides: Sequence[str]) -> int:
    """How many runs of a sweep started after a time [s since 1970]."""
    store = open_store(run_config(*(given for given in overrides if given.startswith("tracking."))).tracking)
    runs = results_of(store, find_sweep(store, sweep.name, finished=True), diverged=True)
    return sum(run.run.info.start_time >= 1000 * began for run in runs)


def draw(study: Study, folder: Path) -> Table:
    """Write table and picture of an encoder, above the arms of the study if that has results. Returns the table."""
    committed = find_study(STUDY)
    rows = pd.concat([results_so_far(study), results_so_far(committed)])
    every = replace(study.protocol(STUDY), sweeps=(*study.protocol(STUDY).sweeps, *committed.protocol(STUDY).sweeps))
    evidence = DrawnEvidence(replace(committed, arms={**study.arms, **committed.arms}), every, rows)
    table = searches(evidence)
    write_folder(folder, {"table.md": markdown([table])}, {})
    if drawn := figure(evidence, own=next(iter(study.arms))):
        save_picture(folder, STUDY, drawn)
    return table
