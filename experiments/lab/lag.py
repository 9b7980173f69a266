"""How far back one encoder remembers, beside the committed ones: a search and some seeds at each lag, then the figure.

    python -m experiments.lab lag my_package.MyCell                 # or the name of an encoder, or its YAML file
    python -m experiments.lab lag gru --lags 20,100 --seeds 5 --draws 4

At each lag some draws of learning rate and clipping run with one seed for half of the steps. Of eight draws or more the
best quarter runs again with three other seeds for all steps. The best trains the seeds that count. The result is
exploratory: there was no protocol, so there is no verdict. Interrupted, the same command resumes.
"""

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from matplotlib.figure import Figure

from experiments.lab import figures
from experiments.lab.findings import Counts, counts_table, searched_where_run, shares_of
from experiments.lab.provenance import provenance_of, read_provenance
from experiments.lab.rules import LEARNS
from experiments.lab.search import Draw, best_draw, best_draws, draws_of
from experiments.lab.study import ENCODERS, Arm, Study, Sweep, encoder_file, encoder_settings, find_study
from experiments.lab.sweeps import key_of, measured, train
from experiments.lab.table import read_results, rows_of
from sentiment_rnn.config.components import arguments_of, class_named
from sentiment_rnn.config.store import run_config
from sentiment_rnn.errors import UserError
from sentiment_rnn.report.plotting import write_folder
from sentiment_rnn.report.tables import Table, markdown, new_console, show
from sentiment_rnn.tracking.description import origin_tags
from sentiment_rnn.tracking.names import CODE_TAG, NOTE_TAG, PARENT_TAG, STUDY_TAG
from sentiment_rnn.tracking.results import FINISHED, KILLED, RecordedRun
from sentiment_rnn.tracking.store import Store, existing_store
from sentiment_rnn.tracking.sweeps import find_sweep, results_of

SEARCH_SEED, FINAL_SEEDS = 100, (101, 102, 103)
ONE_IN = 4
"""One draw in so many is tried again with other seeds, of eight draws or more."""
FAR, SEEDS_FAR = 400, 10
"""From this lag on there are at most so many seeds, as in the committed results."""
SET = {
    "data.max_lag", "encoder", "optimizer.draw", "optimizer.draws", "optimizer.learning_rate",
    "optimizer.learning_rates", "seed", "study",
}  # fmt: skip
"""Keys that no override may set."""
SIZE = "encoder.hidden_size"
COLOR = "#000000"
"""Colour of an encoder that names none: the committed ones have the others."""


@dataclass
class Placement:
    """One encoder on its way into the figure.

    Args:
        encoder: a class, importable; the name of an encoder of the tool or the lab; or a YAML file of one's own.
        lags: in tokens.
        seeds: at each lag.
        draws: of learning rate and clipping, at each lag.
        store: where runs are recorded.
        overrides: Hydra's, of every run.

    Raises:
        UserError: there is no such encoder, or nothing to train.
    """

    encoder: str
    lags: Sequence[int]
    seeds: int
    draws: int
    store: Path
    overrides: Sequence[str] = ()

    def __post_init__(self) -> None:
        if min(self.seeds, self.draws, *self.lags) < 1:
            given = f"--lags {','.join(map(str, self.lags))} --seeds {self.seeds} --draws {self.draws}"
            raise UserError(f"{given}: expected numbers above 0")
        if fixed := [one for one in self.overrides if ".".join(key_of(one).split(".")[:2]) in SET]:
            raise UserError(f"{fixed[0]}: this command sets it; give --lags, --seeds and --draws")
        self.done = self.spent = self.skipped = 0.0
        self.committed = find_study("lag")
        arm, configuration, sized = arm_of(self.encoder, self.store / "lag")
        self.arm = replace(arm, label=f"{arm.label} (new)")  # a committed encoder may have the same label
        self.settings = dict(self.committed.sweep("figure_final_100_1").settings)
        if not sized:
            del self.settings[SIZE]
        self.epochs = int(self.settings["trainer.epochs"])
        arms = {self.arm.name: self.arm}
        self.study: Study = replace(
            self.committed, name=f"lag_{self.arm.name}", arms=arms, protocols={}, configuration=configuration
        )
        counts = searched_where_run(self.committed, read_results(self.committed.folder))
        others = [arm for arm in self.committed.leading["arms"] if arm != self.arm.name and arm in counts]
        self.committed_counts = {arm: counts[arm] for arm in others}

    @property
    def tried_again(self) -> int:
        """How many draws of a lag run again with other seeds."""
        return self.draws // ONE_IN if self.draws >= 2 * ONE_IN else 0

    def seeds_at(self, lag: int) -> int:
        """How many seeds count at a lag."""
        return min(self.seeds, SEEDS_FAR) if lag >= FAR else self.seeds

    def train_and_count(self) -> Iterator[tuple[int, tuple[int, int]]]:
        """Train lag by lag, and give what each came to."""
        for lag in self.lags:
            draw = self.search(lag)
            what = f"{self.seeds_at(lag)} seeds, learning rate {draw.learning_rate:g}, clipping at {draw.clip_norm:g}"
            settings = {**self.settings, "optimizer.draw": draw.number}
            sweep = self.sweep(lag, "seeds", range(self.seeds_at(lag)), settings)
            self.train(sweep, what)
            yield lag, successes(self.seeds_run_at(lag))

    def seeds_run_at(self, lag: int) -> Sequence[RecordedRun]:
        """The seeds that count at a lag; `UserError` where none were run."""
        store = self.opened()
        return results_of(store, find_sweep(store, self.name_of("seeds", lag), finished=True), diverged=True)

    def counted_before(self, lag: int) -> Counts:
        """What an earlier command came to at other lags of the figure, with the encoder and budget of this one's
        `lag`."""
        found = {}
        mine = trained_as(self.seeds_run_at(lag))
        for other in {at for of in self.committed_counts.values() for at in of} - {*self.lags}:
            with suppress(UserError):
                runs = self.seeds_run_at(other)
                if trained_as(runs) == mine:
                    found[other] = successes(runs)
        return found

    def search(self, lag: int) -> Draw:
        """The draw that the encoder gets at a lag."""
        half = {**self.settings, "trainer.epochs": self.epochs // 2}
        found = self.tried(self.sweep(lag, "search", [SEARCH_SEED], half, range(self.draws)), "a search")
        if not self.tried_again:
            return best_draw(found)
        numbers = [draw.number for draw in best_draws(found)[: self.tried_again]]
        again = self.sweep(lag, "finals", FINAL_SEEDS, self.settings, numbers)
        return best_draw(self.tried(again, "the best draws again"))

    def sweep(
        self, lag: int, stage: str, seeds: Sequence[int], settings: Mapping[str, Any], draws: Sequence[int] = ()
    ) -> Sweep:
        """The sweep of a stage at a lag."""
        of_lag = {**settings, "data.max_lag": lag}
        return Sweep(self.name_of(stage, lag), "", str(lag), (self.arm.name,), tuple(seeds), of_lag, draws=tuple(draws))

    def name_of(self, stage: str, lag: int) -> str:
        """Name of the sweep of a stage at a lag."""
        return f"{self.study.name}_{stage}_{lag}"

    def tried(self, sweep: Sweep, what: str) -> list[Draw]:
        """The draws of a search, with their scores."""
        self.train(sweep, f"{what}, {len(sweep.draws)} draws with {len(sweep.seeds)} seeds")
        found = measured(self.study, sweep, self.opened())
        return draws_of(rows_of(self.study.name, found.rows), sweep.name)[self.arm.name]

    def train(self, sweep: Sweep, what: str) -> None:
        """Train a sweep, or what is left of it; say what, and how long the rest may take, roughly."""
        rest = self.work() - self.skipped - self.done
        left = f"; about {self.spent * rest / self.done / 60:.0f} min left" if self.done else ""
        print(f"lag {sweep.condition}: {what}{left}", flush=True)
        was_there, began = self.is_there(sweep), time.monotonic()
        train(self.study, sweep, "", [self.arm.name], [f"tracking.directory={self.store}", *self.overrides])
        store = self.opened()
        store.client.set_tag(find_sweep(store, sweep.name, finished=True).info.run_id, PARENT_TAG, self.parent)
        work = work_of(int(sweep.condition), len(sweep.seeds) * max(1, len(sweep.draws)), sweep.settings)
        if was_there:
            self.skipped += work
        else:
            self.done, self.spent = self.done + work, self.spent + time.monotonic() - began

    def is_there(self, sweep: Sweep) -> bool:
        """Whether a sweep of that name has finished before."""
        try:
            return bool(find_sweep(self.opened(), sweep.name, finished=True))
        except UserError:
            return False

    def work(self) -> float:
        """The tokens that all runs read: `done` of sweeps that were trained, `skipped` of sweeps that were there."""
        half = {"trainer.epochs": self.epochs // 2}
        runs = self.tried_again * len(FINAL_SEEDS)
        return sum(
            work_of(lag, self.draws, half) + work_of(lag, runs + self.seeds_at(lag), self.settings) for lag in self.lags
        )

    @cached_property
    def parent(self) -> str:
        """Id of the run in MLflow under which all sweeps of the encoder are."""
        store, name = self.opened(), self.study.name
        found = store.client.search_runs([store.experiment_id], f"tags.`{STUDY_TAG}` = '{name}'", max_results=1)
        run = (
            found[0]
            if found
            else store.client.create_run(store.experiment_id, run_name=name, tags={STUDY_TAG: name, **origin_tags()})
        )
        return str(run.info.run_id)

    def end(self, whole: bool, text: str) -> None:
        """End that run, if there is one yet, with what is known as its description."""
        if "parent" not in vars(self):
            return
        client = self.opened().client
        client.set_tag(self.parent, NOTE_TAG, text)
        client.set_terminated(self.parent, FINISHED if whole else KILLED)

    def opened(self) -> Store:
        """Where the runs are recorded. Training makes it; raises `UserError` before that."""
        own = [one for one in self.overrides if one.startswith("tracking.")]
        return existing_store(run_config(f"tracking.directory={self.store}", *own).tracking)


def successes(runs: Sequence[RecordedRun]) -> tuple[int, int]:
    """Seeds that succeed, and all: one that diverged has failed."""
    return sum(not run.diverged and run.metrics["test/accuracy"] > LEARNS for run in runs), len(runs)


def trained_as(runs: Sequence[RecordedRun]) -> list[object]:
    """What runs of one cell, by its settings and its code, have in common at several lags, but for the draw of each."""
    settings = runs[0].config.settings()
    alike = [settings[part] for part in ("encoder", "embedding", "pooling", "task", "precision")]
    data, epochs = {**settings["data"], "max_lag": 0}, settings["trainer"]["epochs"]
    return [*alike, data, epochs, settings["optimizer"]["warmup_fraction"], runs[0].tags.get(CODE_TAG)]


def work_of(lag: int, runs: int, settings: Mapping[str, Any]) -> float:
    """The tokens that some runs read; a review is about twenty tokens longer than its lag."""
    return float(runs * int(settings["trainer.epochs"]) * (lag + 20))


def place(placement: Placement, output: Path | None) -> None:
    """Train an encoder at every lag, write its table and figure, and print the table."""
    folder = output or placement.store / "lag" / placement.arm.name
    before: Counts = {}
    counts: Counts = {}
    text = ""
    try:
        for lag, count in placement.train_and_count():
            if not counts:
                before = placement.counted_before(lag)
            counts[lag] = count
            table, figure = table_of(placement, before | counts), figure_of(placement, before | counts)
            text = markdown([table])
            write_folder(folder, {"table.md": text}, {"lag": figure})
    finally:
        placement.end(len(counts) == len(placement.lags), text)
    console = new_console()
    show(console, table)
    earlier = [f"Of an earlier command: lag {', '.join(map(str, sorted(before)))}."] if before else []
    end = f"Exploratory: no protocol, no verdict. Figure: {folder / 'lag.png'}"
    for line in (*earlier, *differences(placement), end):
        console.print(line, soft_wrap=True)


def arm_of(encoder: str, folder: Path) -> tuple[Arm, Path, bool]:
    """An encoder's arm, the folder of its configuration, and whether it has a size; a class alone gets a YAML file in
    `folder`."""
    path, conf = Path(encoder), ENCODERS[1].parent
    if path.suffix == ".yaml":
        if not path.is_file() or path.parent.name != "encoder":
            raise UserError(f"{encoder}: expected a file in a folder encoder/, such as my_conf/encoder/mine.yaml")
        conf = path.resolve().parents[1]
    elif "." in encoder:
        label = encoder.rpartition(".")[2]
        name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", label).lower()
        name = f"own_{name}" if encoder_file(name) else name
        conf = folder.resolve() / name / "conf"
        path = conf / "encoder" / f"{name}.yaml"
        named = class_named(encoder, "ENCODER")
        size = {"hidden_size": 64} if "hidden_size" in arguments_of(named) else {}
        given = {"_target_": encoder, "name": name, "label": label, "color": COLOR, **size}
        write_folder(path.parent, {path.name: yaml.safe_dump(given, sort_keys=False)}, {})
    else:
        found = encoder_file(encoder)
        if not found:
            names = ", ".join(sorted(one.stem for place in ENCODERS for one in place.glob("*.yaml")))
            raise UserError(f"{encoder}: expected a class (my_package.Mine), a YAML file, or one of {names}")
        path = found
    content, name = encoder_settings(path), path.stem
    if content.get("name") != name or (path != encoder_file(name) and encoder_file(name)):
        raise UserError(f"{path}: expected name: {name}, as the file, and a name that no encoder of the project has")
    sized = bool({"hidden_size", "defaults"} & content.keys())
    return Arm(name, str(content.get("label") or name), str(content.get("color") or COLOR), name), conf, sized


def table_of(placement: Placement, counts: Counts) -> Table:
    """This encoder above the committed ones."""
    arms = placement.committed.arms
    lines = {placement.arm.label: counts} | {arms[one].label: of for one, of in placement.committed_counts.items()}
    return counts_table(lines, "encoder")


def figure_of(placement: Placement, counts: Counts) -> Figure:
    """This encoder's line beside those of the leading figure; of many, a panel for each, with it."""
    arm = placement.arm
    shares = {one: shares_of(of) for one, of in {**placement.committed_counts, arm.name: counts}.items()}
    styles = {**placement.committed.arms, arm.name: arm}
    if len(shares) <= figures.MOST_LINES:
        return figures.share_lines(shares, styles)
    return figures.share_panels(shares, styles, figures.SUCCESS, beside=arm.name)


def differences(placement: Placement) -> list[str]:
    """A line where these runs had other settings, another processor or version than the committed ones."""
    own = provenance_of(placement.opened(), placement.name_of("seeds", placement.lags[-1]))
    parts = [part for of in read_provenance(placement.committed.folder).values() for part in of["sweeps"]]
    lines = [f"with {' '.join(placement.overrides)}, unlike the committed lines"] if placement.overrides else []
    for what, mine in (("processors", own["processors"]), ("torch", own["torch"])):
        theirs = sorted({one for part in parts for one in part[what]})
        # Earlier runs did not record the processor's generation.
        if any(not {one, re.sub(r" \d+\.\d+(?=,|$)", "", one)} & {*theirs} for one in mine):
            lines.append(f"{what}: {' and '.join(mine)} here, {' and '.join(theirs)} of the committed lines")
    return lines
