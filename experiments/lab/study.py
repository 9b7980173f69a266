"""A study as data: its question, arms, and protocols with their sweeps and claims, as `study.yaml` declares them."""

import datetime
import hashlib
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import yaml

from sentiment_rnn.errors import UserError

EXPERIMENTS = Path(__file__).resolve().parents[1]
"""Folder of the studies, with a folder for each."""
ENCODERS = (EXPERIMENTS.parent / "conf" / "encoder", EXPERIMENTS / "lab" / "conf" / "encoder")
"""Folders of the encoders' YAML files: the tool's, and the lab's own."""
SCORES = ("accuracy", "kept")
"""Scores of a run, from 0 to 1: `accuracy` on test, or `kept`, the share of a textbook task that it keeps."""
SEARCH_SCORES = {
    "mean_accuracy": "Mean validation accuracy [%] over the epochs of a search",
    "best_accuracy": "Best validation accuracy [%] of a search",
    "final_accuracy": "Validation accuracy [%] at the end of a search's runs",
    "kept": "Kept on validation [%] in a search",
}
"""Scores of a draw on validation, in percent, and how tables call them."""
NEEDED = {
    "most_learn": ["arms"], "most_fail": ["arms"], "learns_more": ["pairs"], "learns_as_often": ["pairs", "margin"],
    "better": ["pairs"], "as_good": ["pairs", "margin"], "own": [],
    "reaches_further": ["pairs"], "reaches_alike": ["pairs", "margin"], "reaches_not": ["arms"],
    "reaches_again": ["arms", "margin"], "wider_window": ["pairs"],
}  # fmt: skip
"""Rules of claims (`rules.py`; `reach_findings.py` where draws are the unit), and the keys that each needs. The study's
code judges claims with the rule `own`."""
DRAWN_TESTS = ("reaches_further", "wider_window")
"""Rules of draws that are tests, which are corrected together."""

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Of a file of hundreds of lines; where PyYAML has libyaml, an eighth of the time."""

DEVIATIONS = b"\n## Deviations\n"
"""Heading in a protocol, below which dated deviations are added after its data. What stands above is frozen."""

Settings = Mapping[str, Any]
"""Hydra overrides, by their key."""
Found = TypeVar("Found")


@dataclass(frozen=True)
class Arm:
    """One line of a figure: an encoder, and what is changed in its runs."""

    name: str
    label: str
    color: str
    """`#RRGGBB`."""
    encoder: str
    settings: Settings = field(default_factory=dict)


@dataclass(frozen=True)
class Sweep:
    """One Hydra sweep of a protocol, at one condition."""

    name: str
    protocol: str
    condition: str
    """The lag, say, or the task; empty where a study has none."""
    arms: tuple[str, ...]
    seeds: tuple[int, ...]
    settings: Settings
    tested: tuple[str, ...] = ()
    """Conditions at which its runs are tested, where they are tested at others than its own."""
    draws: tuple[int, ...] = ()
    """Draws of learning rate and clipping that a search tries, or that each have `seeds_of_draw`."""
    seeds_of_draw: int = 0
    """Above 0, the draw is the unit: draw 17 has so many seeds of its own, 170, 171, …, and corpus 17."""
    again: bool = False
    """Whether its draws replicate those of another sweep, and are not pooled with them."""
    best_of: str = ""
    """Sweep whose draws are the unit: this one has seeds at its draw with the best mean on validation."""
    where_reached: str = ""
    """The same: this one trains the arms alone that a search of four of its draws can reach."""
    rates: tuple[str, ...] = ()
    """Searches of which the best draw is taken."""
    rank: int = 0
    """Of a final, which tries good draws again with other seeds: that of this place in `rates`, from 1 on."""
    least: float = 0.0
    """Above 0, the first search in which an arm has a higher score counts alone; the last where it has none."""
    rates_of: Mapping[str, str] = field(default_factory=dict)
    """Arms that take the draw of another arm."""
    score: str = ""
    """Of its draws, a name in `SEARCH_SCORES`, where that is not the study's `search_score`."""
    closed: str = ""
    """Last commit that can train it: the code of its settings has been removed since."""

    @property
    def searches(self) -> bool:
        """Whether its runs choose a draw, and are not compared."""
        return bool((self.draws and not self.seeds_of_draw) or self.rank)

    @property
    def pretrains(self) -> bool:
        """Whether its runs are language models, from which those of later sweeps start (`pretrained`)."""
        return self.settings.get("task") == "language_model"

    @property
    def rated(self) -> bool:
        """Whether its settings give the learning rate, so that no search has to."""
        return "optimizer.learning_rate" in self.settings

    @property
    def compared(self) -> bool:
        """Whether the scores of its runs are those of its arms."""
        return not (self.searches or self.pretrains or self.by_draw)

    @property
    def by_draw(self) -> bool:
        """Whether its runs belong to their draws, so that its seeds are not compared with those of other arms."""
        return bool(self.seeds_of_draw or self.best_of)

    @property
    def runs(self) -> set[tuple[str, int, int | None]]:
        """Arm, seed and draw of each planned run; None for a draw that its searches choose."""
        if self.seeds_of_draw:
            return {(arm, seed, seed // 10) for arm in self.arms for seed in self.seeds}
        return set(itertools.product(self.arms, self.seeds, self.draws or [None]))


@dataclass(frozen=True)
class Claim:
    """A claim of a protocol, and the rule that judges it."""

    id: str
    text: str
    rule: str
    arms: tuple[Any, ...] = ()
    """Arms that are to succeed or to fail."""
    pairs: tuple[tuple[Any, ...], ...] = ()
    """Arms that are compared at each condition of `at`, or at the condition in a third entry. An arm can be
    `{best_on_validation: [arms]}`."""
    at: tuple[Any, ...] = ("",)
    """Conditions. One can be `{first_not_learned: arm}`."""
    margin: float | None = None
    """Largest difference that counts as none."""
    only_where: str | None = None
    """An arm that has to succeed at a condition, or nothing is decided there."""
    supersedes: tuple[str, ...] = ()
    """Earlier claims that this one replaces: `protocol.claim`, or `study/protocol.claim` for another study."""
    withdrawn: datetime.date | None = None
    """Day on which the claim was withdrawn; its protocol's deviations say why."""


@dataclass(frozen=True)
class Protocol:
    """Rules that were fixed before the data: a text that is frozen, the sweeps that run by it, and its claims.

    The tests of its claims are one family, corrected together by Holm's method.
    """

    name: str
    path: Path
    """The text, `protocols/<date>_<name>.md`."""
    sweeps: tuple[Sweep, ...] = ()
    claims: tuple[Claim, ...] = ()
    reads: tuple[str, ...] = ()
    """Earlier protocols whose runs its claims compare as well."""
    tables: tuple[str, ...] = ()
    """The first is on its page; the others are CSV files."""
    figures: tuple[str, ...] = ()
    steps: tuple[int, ...] = ()
    """Training steps by which its tables count the seeds that have learned."""
    among: tuple[str, ...] = ()
    """Conditions at which a seed has to succeed to count at the others."""
    own: str | None = None
    """A module of the study's folder with the protocol's own measurements or findings."""
    closed: str = ""
    """Last commit that can make its own measurements: their code has been removed since."""

    @property
    def digest(self) -> str:
        """SHA-256 digest of the text above its deviations; raises `UserError` where it is not there."""
        if not self.path.is_file():
            raise UserError(f"{self.path}: not there; write the rules of each verdict down before {self.name} runs")
        return hashlib.sha256(self.path.read_bytes().partition(DEVIATIONS)[0]).hexdigest()

    def seeds(self, arm: str, condition: str) -> frozenset[int]:
        """The seeds that are planned for an arm at a condition."""
        return frozenset(
            seed for sweep in self.sweeps if sweep.compared and arm in sweep.arms
            and condition in (sweep.tested or (sweep.condition,)) for seed in sweep.seeds
        )  # fmt: skip

    @property
    def searches(self) -> tuple[Sweep, ...]:
        """The sweeps that choose learning rates."""
        return tuple(sweep for sweep in self.sweeps if sweep.searches)


@dataclass(frozen=True)
class Study:
    """One study, as its folder declares it."""

    name: str
    folder: Path
    title: str
    question: str
    order: int
    """Place on the page, the smallest first."""
    score: str
    """A name in `SCORES`."""
    arms: Mapping[str, Arm]
    protocols: Mapping[str, Protocol]
    unit: str = ""
    """Unit of its conditions: `tokens`."""
    search_score: str = "mean_accuracy"
    """A name in `SEARCH_SCORES`."""
    leading: Mapping[str, Any] = field(default_factory=dict)
    """Contents of the figure at the top of its page."""
    output: Path = Path()
    """Folder of its results: its own folder, or another into which it is run."""
    configuration: Path = EXPERIMENTS / "lab" / "conf"
    """Folder with the YAML files of encoders that the tool does not have."""

    @property
    def own_reviews(self) -> frozenset[str]:
        """Arms for which other reviews are generated than for those beside them."""
        return frozenset(name for name, arm in self.arms.items() if "data.distractors" in arm.settings)

    def sweep(self, name: str) -> Sweep:
        """A sweep by its name; raises `UserError` where there is none."""
        sweeps = {sweep.name: sweep for protocol in self.protocols.values() for sweep in protocol.sweeps}
        return known(name, sweeps, f"{name}: no sweep of {self.name}")

    def protocol(self, name: str) -> Protocol:
        """A protocol by its name; raises `UserError` where there is none."""
        return known(name, self.protocols, f"{name}: no protocol of {self.name}")

    def page(self, protocol: str) -> str:
        """The file of its folder that tells of a protocol: the README, where it has no other protocol."""
        return f"{protocol}.md" if len(self.protocols) > 1 else "README.md"


def known(name: str, there: Mapping[str, Found], said: str) -> Found:
    """Entry of this name; for an unknown name, raises `UserError` with what is wrong and which names there are."""
    if name not in there:
        raise UserError(f"{said}; expected one of {', '.join(there)}" if there else f"{said}; there is none")
    return there[name]


def all_studies(experiments: Path = EXPERIMENTS) -> list[Study]:
    """Every study, in the order of the page."""
    return sorted((read_study(path.parent) for path in experiments.glob("*/study.yaml")), key=lambda study: study.order)


def find_study(name: str, experiments: Path = EXPERIMENTS) -> Study:
    """The study of this name; raises `UserError` where there is none."""
    folders = {path.parent.name: path.parent for path in sorted(experiments.glob("*/study.yaml"))}
    return read_study(known(name, folders, f"{name}: no study of {experiments}"))


def read_study(folder: Path) -> Study:
    """The study that a folder declares; raises `UserError` for what is missing or unknown in its `study.yaml`."""
    path = folder / "study.yaml"
    try:
        given = yaml.load(path.read_text(encoding="utf-8"), LOADER)
        settings, conditions, vary = (given.pop(key, None) for key in ("settings", "conditions", "vary"))
        arms = {name: _arm(name, **(of or {})) for name, of in given.pop("arms").items()}
        protocols = {}
        for name, of in given.pop("protocols").items():
            sweeps = [
                _sweep(name, arms, settings or {}, conditions or {}, vary, **one)
                for sweep in of.pop("sweeps", []) for one in _each(**sweep)
            ]  # fmt: skip
            claims = tuple(_claim(**claim) for claim in of.pop("claims", []))
            text = folder / "protocols" / f"{of.pop('date')}_{name}.md"
            among = tuple(map(str, of.pop("among", [])))
            protocols[name] = Protocol(name, text, tuple(sweeps), claims, among=among, **_tuples(of))
        study = Study(folder.name, folder, arms=arms, protocols=protocols, output=folder, **given)
    except (yaml.YAMLError, TypeError, KeyError, AttributeError, ValueError) as error:
        said = f"no {error}" if isinstance(error, KeyError) else str(error).splitlines()[0]
        raise UserError(f"{path}: {said}; see docs/studies.md") from error
    _check(study, path)
    return study


def _arm(name: str, encoder: str | None = None, settings: Settings | None = None, **style: str) -> Arm:
    encoder = encoder or name
    style = _style_of(encoder) | style
    if missing := {"label", "color"} - style.keys():
        raise ValueError(f"arm {name}: no file of encoder {encoder}, and no {' and no '.join(sorted(missing))} given")
    return Arm(name, encoder=encoder, settings=settings or {}, **style)


def encoder_file(name: str) -> Path | None:
    """The YAML file of an encoder of the tool or the lab; None where there is none of this name."""
    return next((path for path in (folder / f"{name}.yaml" for folder in ENCODERS) if path.is_file()), None)


def encoder_settings(path: Path) -> dict[str, Any]:
    """The keys of an encoder's YAML file."""
    found = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    return dict(found.get("encoder", found))


@cache
def _style_of(encoder: str) -> dict[str, str]:
    """Label and colour of an encoder, from its YAML file; nothing where it has none."""
    path = encoder_file(encoder)
    return {key: value for key, value in encoder_settings(path).items() if key in ("label", "color")} if path else {}


def _each(
    name: str, arms: Sequence[str], at: Sequence[object] = ("",), rank: int | Sequence[int] = 0, **shared: Any
) -> Iterator[dict[str, Any]]:
    """The sweeps of one entry: one for each condition and each rank, and for each arm where its name has `{arm}`."""
    together = [[arm] for arm in arms] if "{arm}" in name else [arms]
    for each, place, of in itertools.product(at, _numbers(rank), together):
        yield {**shared, "name": name, "arms": of, "at": each, "rank": place}


def _sweep(
    protocol: str,
    known: Mapping[str, Arm],
    shared: Settings,
    conditions: Mapping[str, Settings],
    vary: str | None,
    at: object,
    name: str,
    arms: Sequence[str],
    rank: int,
    seeds: object = (),
    settings: Settings | None = None,
    tested: Sequence[object] = (),
    draws: object = (),
    seeds_of_draw: int = 0,
    again: bool = False,
    best_of: str = "",
    where_reached: str = "",
    rates: Sequence[str] = (),
    **more: Any,
) -> Sweep:
    condition = str(at)
    in_names = condition.replace(",", "").replace(" ", "_")  # Hydra would sweep over what commas part
    named = {"at": in_names, "rank": rank} | ({"arm": arms[0]} if len(arms) == 1 else {})
    if conditions and condition and condition not in conditions:
        raise ValueError(f"sweep {name}: no condition {condition}; expected one of {', '.join(conditions)}")
    of_condition = {vary: at} if vary and condition else conditions.get(condition, {})
    of_arms = [known[arm].settings for arm in arms if arm in known]
    if len({known[arm].encoder for arm in arms if arm in known}) < len(of_arms):
        raise ValueError(f"sweep {name}: two of its arms have one encoder; put {{arm}} into its name")
    if (seeds == ()) != (0 < seeds_of_draw <= 10 and draws != ()):
        raise ValueError(f"sweep {name}: expected seeds, or draws with seeds_of_draw from 1 to 10")
    if best_of and len(arms) > 1:
        raise ValueError(f"sweep {name}: each arm has a best draw of its own; put {{arm}} into its name")
    if any(of_arm != of_arms[0] for of_arm in of_arms):
        raise ValueError(f"sweep {name}: its arms have different settings; put {{arm}} into its name")
    return Sweep(
        name.format(**named),
        protocol,
        condition,
        tuple(arms),
        tuple(10 * draw + one for draw in _numbers(draws) for one in range(seeds_of_draw)) or _numbers(seeds),
        {**shared, **of_condition, **(of_arms[0] if of_arms else {}), **(settings or {})},
        tuple(map(str, tested)),
        _numbers(draws),
        seeds_of_draw,
        again,
        best_of.format(**named),
        where_reached.format(**named),
        tuple(search.format(**named) for search in rates),
        rank,
        **more,
    )


def _claim(at: Sequence[object] = ("",), **given: Any) -> Claim:
    lists = _tuples(given)
    if "pairs" in lists:
        lists["pairs"] = tuple(map(tuple, lists["pairs"]))
    return Claim(at=tuple(one if isinstance(one, dict) else str(one) for one in at), **lists)


def _tuples(given: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}


def _numbers(given: object) -> tuple[int, ...]:
    """`0-19` is a range, and 100 itself."""
    if isinstance(given, str):
        first, _, last = given.partition("-")
        if not (first.isdecimal() and last.isdecimal()):
            raise ValueError(f"{given}: expected a range such as 0-19, a number or a list of them")
        return tuple(range(int(first), int(last) + 1))
    return (given,) if isinstance(given, int) else tuple(given)  # type: ignore[arg-type]


def _check(study: Study, path: Path) -> None:
    """Raise `UserError` for what a study names and does not have, and for a claim that its rule cannot judge."""
    names = [sweep.name for protocol in study.protocols.values() for sweep in protocol.sweeps]
    if twice := [name for name in names if names.count(name) > 1]:
        raise UserError(f"{path}: two sweeps are called {twice[0]}; expected a name of its own for each")
    for where, kind, named, there in _named(study):
        for name in named:
            known(name, dict.fromkeys(there), f"{path}: {where} names {kind} {name}")
    for claim in (claim for protocol in study.protocols.values() for claim in protocol.claims):
        if missing := [key for key in NEEDED[claim.rule] if not getattr(claim, key)]:
            raise UserError(f"{path}: claim {claim.id} has rule={claim.rule} and no {missing[0]}")


def _named(study: Study) -> Iterator[tuple[str, str, Iterable[str], Iterable[str]]]:
    """Who names something, its kind, the names, and those that are there."""
    yield study.name, "score", [study.score], SCORES
    yield study.name, "search_score", [study.search_score], SEARCH_SCORES
    yield study.name, "arm", study.leading.get("arms", []), study.arms
    yield study.name, "protocol", study.leading.get("from", []), study.protocols
    for name, protocol in study.protocols.items():
        yield name, "protocol", protocol.reads, study.protocols
        yield name, "rule", [claim.rule for claim in protocol.claims], NEEDED
        for sweep in protocol.sweeps:
            yield name, "arm", [*sweep.arms, *sweep.rates_of, *sweep.rates_of.values()], study.arms
            yield name, "score", filter(None, [sweep.score]), SEARCH_SCORES
            drawn = [one.name for one in protocol.sweeps if one.seeds_of_draw]
            yield name, "sweep of draws", filter(None, [sweep.best_of, sweep.where_reached]), drawn
        every = [
            one
            for of in (name, *protocol.reads)
            for one in study.protocols[of].sweeps
            if one.compared or one.seeds_of_draw
        ]
        conditions = [at for one in every for at in (one.tested or (one.condition,))]
        for claim in protocol.claims:
            compared = [*claim.arms, *(arm for pair in claim.pairs for arm in pair[:2]), claim.only_where or []]
            chosen = [one for one in claim.at if isinstance(one, dict)]
            yield name, "arm", _names([*compared, *chosen]), study.arms
            yield name, "selector of an arm", _selectors(compared), ["best_on_validation"]
            yield name, "selector of a condition", _selectors(chosen), ["first_not_learned"]
            own = [str(pair[2]) for pair in claim.pairs if len(pair) > 2]
            shared = claim.at if claim.arms or len(own) < len(claim.pairs) else ()
            yield name, "condition", [*(one for one in shared if one not in chosen), *own], conditions
            for reference in claim.supersedes:
                yield name, "claim", [reference], _claims(study, reference.rpartition("/")[0])


def _selectors(given: Iterable[Any]) -> list[str]:
    return [key for one in given if isinstance(one, dict) for key in one]


def _names(given: Any) -> list[str]:
    """The arms in an arm, a list of them, or a selector."""
    if isinstance(given, str):
        return [given]
    return [name for one in (given.values() if isinstance(given, Mapping) else given) for name in _names(one)]


def _claims(study: Study, other: str) -> list[str]:
    """`protocol.claim`, of each claim of a study; of another one `study/protocol.claim`, and none where it is not."""
    if not other:
        return [f"{name}.{claim.id}" for name, protocol in study.protocols.items() for claim in protocol.claims]
    path = study.folder.parent / other / "study.yaml"
    return [f"{other}/{name}" for name in _claims_in(path)] if path.is_file() else []


@cache
def _claims_in(path: Path) -> list[str]:
    protocols = yaml.load(path.read_text(encoding="utf-8"), LOADER)["protocols"]
    return [f"{name}.{claim['id']}" for name, of in protocols.items() for claim in of.get("claims", [])]
