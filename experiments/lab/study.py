"""A study as data: its question, arms, and protocols with their sweeps and claims, as `study.yaml` declares them."""

import hashlib
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BeforeValidator, ConfigDict, ValidationError
from pydantic.dataclasses import dataclass
from pydantic.fields import Field

from sentiment_rnn.errors import UserError

EXPERIMENTS = Path(__file__).resolve().parents[1]
"""Folder with a folder for each study."""
ENCODERS = (EXPERIMENTS.parent / "conf" / "encoder", EXPERIMENTS / "lab" / "conf" / "encoder")
"""Folders of the encoders' YAML files: the tool's, and the lab's own."""
SEARCH_SCORES = {
    "mean_accuracy": "Mean validation accuracy [%] over the epochs of a search",
    "best_accuracy": "Best validation accuracy [%] of a search",
    "final_accuracy": "Validation accuracy [%] at the end of a search's runs",
    "kept": "Kept on validation [%] in a search",
}
"""Scores of a draw on validation, in percent, and their names in tables."""
NEEDED: dict[str, tuple[str, ...]] = {
    "most_learn": ("arms",), "most_fail": ("arms",), "learns_more": ("pairs",), "learns_as_often": ("pairs", "margin"),
    "better": ("pairs",), "as_good": ("pairs", "margin"), "own": (),
    "reaches_further": ("pairs",), "reaches_alike": ("pairs", "margin"), "reaches_not": ("arms",),
    "reaches_again": ("arms", "margin"), "wider_window": ("pairs",),
}  # fmt: skip
"""Rules of claims (in `rules.py`, or in `reach_findings.py` if draws are the unit), and the keys that each needs.
Claims with the rule `own` are judged by the study's code."""
DRAWN_TESTS = ("reaches_further", "wider_window")
"""Rules for draws that are statistical tests, which are corrected together."""

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""YAML loader for files of hundreds of lines. With libyaml, PyYAML takes an eighth of the time."""

DEVIATIONS = b"\n## Deviations\n"
"""Heading in a protocol. Dated deviations are added below it after the data are in; the text above it is frozen."""

Settings = dict[str, Any]
"""Hydra overrides, by their key."""
Texts = tuple[str, ...]
SearchScore = Literal["mean_accuracy", "best_accuracy", "final_accuracy", "kept"]
"""A name in `SEARCH_SCORES`."""
AnArm = str | dict[Literal["best_on_validation"], Texts]
"""An arm of a claim by its name, or a selector of the best of several."""
Found = TypeVar("Found")
DECLARED = ConfigDict(extra="forbid", coerce_numbers_to_str=True)
"""Settings of the classes that `study.yaml` fills: unknown keys are refused, and a number may name a condition (a
lag)."""


def _numbers(given: object) -> Any:
    """Numbers from YAML: `0-19` is a range, 100 a single number."""
    if isinstance(given, str):
        first, _, last = given.partition("-")
        if not (first.isdecimal() and last.isdecimal()):
            raise ValueError(f"{given}: expected a range such as 0-19, a number or a list of them")
        return tuple(range(int(first), int(last) + 1))
    return (given,) if isinstance(given, int) else given


Numbers = Annotated[tuple[int, ...], BeforeValidator(_numbers)]


@dataclass(frozen=True, config=DECLARED)
class Arm:
    """One line of a figure: an encoder, and the settings that are changed in its runs."""

    name: str
    label: str
    color: str
    """`#RRGGBB`."""
    encoder: str
    settings: Settings = Field(default_factory=dict)


@dataclass(frozen=True, config=DECLARED)
class Sweep:
    """One Hydra sweep of a protocol, at one condition."""

    name: str
    protocol: str
    condition: str
    """The condition, such as the lag or the task; empty if the study has none."""
    arms: Texts
    seeds: Numbers
    settings: Settings
    tested: Texts = ()
    """Conditions at which its runs are tested, if not at its own."""
    draws: Numbers = ()
    """Draws of learning rate and clipping: those that a search tries, or those that have `seeds_of_draw` seeds each."""
    seeds_of_draw: int = 0
    """If above 0, the draw is the unit: each draw has so many seeds of its own; draw 17 has 170, 171, …, and corpus 17.
    """
    again: bool = False
    """Whether its draws replicate those of another sweep; they are then not pooled with them."""
    best_of: str = ""
    """Name of a sweep whose draws are the unit; this sweep has new seeds at its draw with the best validation mean."""
    where_reached: str = ""
    """Name of a sweep whose draws are the unit; this sweep trains only arms for which a search of four of its draws can
    succeed."""
    rates: Texts = ()
    """Searches whose best draw is used."""
    rank: int = 0
    """In a final, which tries good draws again with other seeds: the rank in `rates` of the draw, from 1 on."""
    least: float = 0.0
    """If above 0, only the first search counts in which an arm has a higher score than this, or else the last
    search."""
    rates_of: dict[str, str] = Field(default_factory=dict)
    """Arms that use the draw of another arm, by name."""
    score: SearchScore | None = None
    """Score of its draws, if it is not the study's `search_score`."""
    closed: str = ""
    """Last commit that can train it, if the code of its settings has been removed since."""

    @property
    def searches(self) -> bool:
        """Whether its runs choose a draw; they are then not compared."""
        return bool((self.draws and not self.seeds_of_draw) or self.rank)

    @property
    def pretrains(self) -> bool:
        """Whether its runs are language models, from which those of later sweeps start (`pretrained`)."""
        return self.settings.get("task") == "language_model"

    @property
    def rated(self) -> bool:
        """Whether its settings give the learning rate, so that it needs no search."""
        return "optimizer.learning_rate" in self.settings

    @property
    def compared(self) -> bool:
        """Whether the scores of its runs count as scores of its arms."""
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


@dataclass(frozen=True, config=DECLARED)
class Claim:
    """A claim of a protocol, and the rule that judges it."""

    id: str
    text: str
    rule: str
    """A name in `NEEDED`."""
    arms: tuple[AnArm, ...] = ()
    """Arms of which the claim says that they succeed or fail."""
    pairs: tuple[tuple[AnArm, ...], ...] = ()
    """Pairs of arms that are compared at each condition of `at`, or at the condition in a third entry."""
    at: Texts = ("",)
    margin: float | None = None
    """Largest difference that counts as equal."""
    only_where: str | None = None
    """An arm that must succeed at a condition; otherwise nothing is decided there."""

    def __post_init__(self) -> None:
        needed = known(self.rule, NEEDED, f"claim {self.id} names rule {self.rule}")
        if missing := [key for key in needed if not getattr(self, key)]:
            raise UserError(f"claim {self.id} has rule={self.rule} and no {missing[0]}")

    @property
    def every_arm(self) -> set[str]:
        """All arms that it names, including those in selectors."""
        named = [*self.arms, *(arm for pair in self.pairs for arm in pair[:2]), *filter(None, [self.only_where])]
        lists = [one.values() if isinstance(one, dict) else [one] for one in named]
        return {arm for of in itertools.chain(*lists) for arm in ([of] if isinstance(of, str) else of)}


@dataclass(frozen=True, config=DECLARED)
class Protocol:
    """Rules that were fixed before the data: a frozen text, the sweeps that follow it, and its claims.

    The tests of its claims are one family, corrected together by Holm's method.
    """

    name: str
    path: Path
    """The text, `protocols/<date>_<name>.md`."""
    sweeps: tuple[Sweep, ...] = ()
    claims: tuple[Claim, ...] = ()
    reads: Texts = ()
    """Earlier protocols whose runs its claims also compare."""
    family: int = 0
    """How many tests the protocol named originally, if it has fewer claims now: Holm's correction counts all of
    them."""
    tables: Texts = ()
    """Names of its tables. The first is on its page; the others are CSV files."""
    figures: Texts = ()
    steps: tuple[int, ...] = ()
    """Numbers of training steps within which its tables count the seeds that have learned."""
    among: Texts = ()
    """Conditions at which a seed must succeed in order to count at the other conditions."""
    own: str | None = None
    """A module of the study's folder with the protocol's own measurements or findings."""

    @property
    def digest(self) -> str:
        """SHA-256 digest of the text above its deviations; raises `UserError` if there is no text."""
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


@dataclass(frozen=True, config=DECLARED)
class Study:
    """One study, as its folder declares it."""

    name: str
    folder: Path
    title: str
    question: str
    order: int
    """Position on the page, the smallest first."""
    score: Literal["accuracy", "kept"]
    """Score of a run, from 0 to 1: `accuracy` on test, or `kept`, the share that a run on a textbook task keeps."""
    arms: dict[str, Arm]
    protocols: dict[str, Protocol]
    unit: str = ""
    """Unit of its conditions, such as `tokens`."""
    search_score: SearchScore = "mean_accuracy"
    output: Path = Path()
    """Folder of its results: its own folder, or the `--output` of a command."""
    configuration: Path = EXPERIMENTS / "lab" / "conf"
    """Folder with the YAML files of encoders that the tool does not have."""

    def sweep(self, name: str) -> Sweep:
        """A sweep by its name; raises `UserError` if there is none."""
        sweeps = {sweep.name: sweep for protocol in self.protocols.values() for sweep in protocol.sweeps}
        return known(name, sweeps, f"{name}: no sweep of {self.name}")

    def protocol(self, name: str) -> Protocol:
        """A protocol by its name; raises `UserError` if there is none."""
        return known(name, self.protocols, f"{name}: no protocol of {self.name}")

    def page(self, protocol: str) -> str:
        """The page of a protocol, a file in the study's folder: the README if the study has only one protocol."""
        return f"{protocol}.md" if len(self.protocols) > 1 else "README.md"


def known(name: str, there: Mapping[str, Found], said: str) -> Found:
    """Entry of this name. For an unknown name, raises `UserError` with the message `said` and the known names."""
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
        shared, conditions, vary = (given.pop(key, None) for key in ("settings", "conditions", "vary"))
        arms = {name: _arm(name, **(of or {})) for name, of in given.pop("arms").items()}
        protocols = {}
        for name, of in given.pop("protocols").items():
            sweeps = [
                sweep for entry in of.pop("sweeps", [])
                for sweep in _sweeps(name, arms, shared or {}, conditions or {}, vary, **entry)
            ]  # fmt: skip
            text = folder / "protocols" / f"{of.pop('date')}_{name}.md"
            claims = tuple(Claim(**claim) for claim in of.pop("claims", []))
            protocols[name] = Protocol(name, text, tuple(sweeps), claims, **of)
        study = Study(folder.name, folder, arms=arms, protocols=protocols, output=folder, **given)
        _check(study)
    except ValidationError as error:
        wrong = error.errors()[-1]  # if two types are possible, the error of the more specific one
        key = wrong["loc"][0] if wrong["loc"] else "study"
        raise UserError(f"{path}: {key}: {wrong['msg']}; see docs/studies.md") from error
    except (UserError, yaml.YAMLError, TypeError, KeyError, AttributeError, ValueError) as error:
        said = f"no {error}" if isinstance(error, KeyError) else str(error).splitlines()[0]
        raise UserError(f"{path}: {said}; see docs/studies.md") from error
    return study


def _arm(name: str, encoder: str | None = None, settings: Settings | None = None, **style: str) -> Arm:
    encoder = encoder or name
    style = _style_of(encoder) | style
    if missing := {"label", "color"} - style.keys():
        raise ValueError(f"arm {name}: no file of encoder {encoder}, and no {' and no '.join(sorted(missing))} given")
    return Arm(name, encoder=encoder, settings=settings or {}, **style)


def encoder_file(name: str) -> Path | None:
    """The YAML file of an encoder of the tool or the lab; None if there is none of this name."""
    return next((path for path in (folder / f"{name}.yaml" for folder in ENCODERS) if path.is_file()), None)


def encoder_settings(path: Path) -> dict[str, Any]:
    """The keys of an encoder's YAML file."""
    found = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    return dict(found.get("encoder", found))


@cache
def _style_of(encoder: str) -> dict[str, str]:
    """Label and colour of an encoder, from its YAML file; empty if it has none."""
    path = encoder_file(encoder)
    return {key: value for key, value in encoder_settings(path).items() if key in ("label", "color")} if path else {}


def _sweeps(
    protocol: str,
    arms_of_study: Mapping[str, Arm],
    shared: Settings,
    conditions: Mapping[str, Settings],
    vary: str | None,
    /,
    name: str,
    arms: Sequence[str],
    at: Sequence[object] = ("",),
    rank: object = 0,
    settings: Settings | None = None,
    **more: Any,
) -> Iterator[Sweep]:
    """The sweeps of one entry: one for each condition and rank, and also for each arm if its name has `{arm}`."""
    together = [[arm] for arm in arms] if "{arm}" in name else [arms]
    for condition, place, of in itertools.product(map(str, at), _numbers(rank), together):
        if conditions and condition and condition not in conditions:
            raise ValueError(f"sweep {name}: no condition {condition}; expected one of {', '.join(conditions)}")
        of_arms = [arms_of_study[arm] for arm in of if arm in arms_of_study]
        if len({arm.encoder for arm in of_arms}) < len(of_arms):
            raise ValueError(f"sweep {name}: two of its arms have one encoder; put {{arm}} into its name")
        if any(arm.settings != of_arms[0].settings for arm in of_arms):
            raise ValueError(f"sweep {name}: its arms have different settings; put {{arm}} into its name")
        varied: Settings = {vary: int(condition)} if vary and condition else dict(conditions.get(condition, {}))
        own = shared | varied | (of_arms[0].settings if of_arms else {}) | (settings or {})
        in_names = condition.replace(",", "").replace(" ", "_")  # Hydra would sweep over a name with commas
        named = {"at": in_names, "rank": place} | ({"arm": of[0]} if len(of) == 1 else {})
        texts = {key: text.format(**named) for key, text in more.items() if key in ("best_of", "where_reached")}
        rates = tuple(search.format(**named) for search in more.get("rates", ()))
        fields = {**more, **texts, "rates": rates, "seeds": _seeds(name, of, **more)}
        yield Sweep(name.format(**named), protocol, condition, tuple(of), settings=own, rank=place, **fields)


def _seeds(name: str, arms: Sequence[str], **more: Any) -> Any:
    """The seeds of a sweep: its own, or those of its draws."""
    seeds, draws, of_draw = more.get("seeds", ()), more.get("draws", ()), more.get("seeds_of_draw", 0)
    if (seeds == ()) != (0 < of_draw <= 10 and draws != ()):
        raise ValueError(f"sweep {name}: expected seeds, or draws with seeds_of_draw from 1 to 10")
    if more.get("best_of") and len(arms) > 1:
        raise ValueError(f"sweep {name}: each arm has a best draw of its own; put {{arm}} into its name")
    return [10 * draw + seed for draw in _numbers(draws) for seed in range(of_draw)] or seeds


def _check(study: Study) -> None:
    """Raise `UserError` for names that a study uses but does not define."""
    names = [sweep.name for protocol in study.protocols.values() for sweep in protocol.sweeps]
    if twice := [name for name in names if names.count(name) > 1]:
        raise UserError(f"two sweeps are called {twice[0]}; expected a name of its own for each")
    for where, kind, named, there in _named(study):
        for name in named:
            known(name, dict.fromkeys(there), f"{where} names {kind} {name}")


def _named(study: Study) -> Iterator[tuple[str, str, Iterable[str], Iterable[str]]]:
    """For each use of names: where it is, the kind of the names, the names, and the defined names."""
    for name, protocol in study.protocols.items():
        yield name, "protocol", protocol.reads, study.protocols
        drawn = [one.name for one in protocol.sweeps if one.seeds_of_draw]
        for sweep in protocol.sweeps:
            yield name, "arm", [*sweep.arms, *sweep.rates_of, *sweep.rates_of.values()], study.arms
            yield name, "sweep of draws", filter(None, [sweep.best_of, sweep.where_reached]), drawn
        every = [sweep for of in (name, *protocol.reads) for sweep in study.protocols[of].sweeps]
        run = [sweep for sweep in every if sweep.compared or sweep.seeds_of_draw]
        conditions = [at for sweep in run for at in (sweep.tested or (sweep.condition,))]
        for claim in protocol.claims:
            yield name, "arm", sorted(claim.every_arm), study.arms
            own = [str(pair[2]) for pair in claim.pairs if len(pair) > 2]
            shared = claim.at if claim.arms or len(own) < len(claim.pairs) else ()
            yield name, "condition", [*shared, *own], conditions
