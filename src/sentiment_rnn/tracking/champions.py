"""Which runs the aliases of a registered model point to: the best on validation, among those on the same texts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mlflow.exceptions import MlflowException

from sentiment_rnn.errors import UserError
from sentiment_rnn.files import FileLock
from sentiment_rnn.tracking.inventory import best_of
from sentiment_rnn.tracking.models import register
from sentiment_rnn.tracking.names import BEST_ACCURACY, CHAMPION, DEFAULT_MODELS, ENCODER_TAG
from sentiment_rnn.tracking.results import RecordedRun, run_or_none
from sentiment_rnn.tracking.store import Store
from sentiment_rnn.tracking.store_errors import found_or_none, short_reason

FEW_TEXTS = 200
"""Validation texts below which an accuracy of 90 % has a standard error of more than two points."""


@dataclass(frozen=True)
class Contest:
    """The best run of a sweep for one alias, and the run to which the alias points now."""

    alias: str
    run: RecordedRun
    version: str = ""
    """The version that has the alias now; empty where none has."""
    holder: RecordedRun | None = None
    """The run that this version is of; None where it is gone, or never was."""

    @property
    def is_settled(self) -> bool:
        """Whether the alias points to this run already."""
        return self.holder is not None and self.holder.run_id == self.run.run_id

    @property
    def obstacle(self) -> str:
        """Why the alias does not move to this run by itself; empty where it does, and where it points to it already."""
        if not self.version or self.is_settled:
            return ""
        digest = self.run.data_digest  # covers which text is in which split
        if self.holder is None or not digest or digest != self.holder.data_digest:
            return "was not scored on the same texts"
        return "" if self.run.metrics[BEST_ACCURACY] > self.holder.metrics[BEST_ACCURACY] else "is not better"


def name_for(given: str | None, runs: Sequence[RecordedRun]) -> str | None:
    """The registered model for these runs: the one that is given, or the default of their source; None without one."""
    if given is not None:
        return given
    names = {DEFAULT_MODELS.get(str(run.config.data.name)) for run in runs}
    return names.pop() if len(names) == 1 else None


def check_entrants(name: str | None, runs: Sequence[RecordedRun]) -> None:
    """Raise `UserError` where runs cannot be registered together: they have no name, or read different data, and a
    validation score says nothing between such runs."""
    if len({run.data_digest for run in runs}) > 1:
        raise UserError(
            "--register: these runs read different data, so they cannot share one champion; "
            "compare and register a sweep for each"
        )
    if name is None:
        known = " and ".join(f"{model} for data={source}" for source, model in DEFAULT_MODELS.items())
        raise UserError(
            f"--register: the model of runs on data={runs[0].config.data.name} has no default name (there is {known}); "
            "give --model NAME"
        )


def register_best(
    store: Store,
    name: str,
    runs: Sequence[RecordedRun],
    called: Mapping[str, str],
    fault_of: Callable[[Store, str], str],
    replace: bool = False,
) -> list[str]:
    """Give the alias `champion` to the run that is the best on validation, and an encoder's name to the best of that
    encoder; a line on each.

    Args:
        runs: the entrants, which read the same data.
        called: names of runs for the lines, by run id.
        fault_of: has a run's packaged model made where it has none; says why that cannot be done, or nothing.
        replace: move aliases also to runs that are not better, or that were scored on other texts.

    Raises:
        UserError: the store refuses.
    """
    try:
        moving = [contest for contest in _contests_of(store, name, runs) if replace or not contest.obstacle]
        faults = {contest.alias: fault_of(store, contest.run.run_id) for contest in moving}  # which takes a while
        with FileLock(store.directory / ".register.lock"):
            contests = _contests_of(store, name, runs)  # a better run may have come meanwhile
            moving = [contest for contest in contests if replace or not contest.obstacle]
            able = {contest.alias: contest.run.run_id for contest in moving if not faults.get(contest.alias, "gone")}
            versions = register(store, name, able) if able else {}
        lines = [_line(name, contest, called, versions, faults) for contest in contests]
        lines += [line for contest in contests[:1] for line in _doubts(contest.run, runs)]  # of the champion
    except MlflowException as error:
        raise UserError(f"model {name}: not registered ({short_reason(error)})") from error
    return lines or [f"not registered: no run has {BEST_ACCURACY}"]


def _contests_of(store: Store, name: str, runs: Sequence[RecordedRun]) -> list[Contest]:
    """Aliases: of the champion, then of each encoder."""
    model = found_or_none(lambda: store.client.get_registered_model(name))
    aliases = model.aliases if model else {}
    groups: dict[str, list[RecordedRun]] = {CHAMPION: list(runs)}
    for run in runs:
        groups.setdefault(run.tags[ENCODER_TAG], []).append(run)
    contests = []
    for alias, group in groups.items():
        best = best_of(group)
        if best and best.metric == BEST_ACCURACY:
            version = str(aliases.get(alias, ""))
            holder = store.client.get_model_version(name, version).run_id if version else None
            contests.append(Contest(alias, best.run, version, run_or_none(store, holder)))
    return contests


def _doubts(champion: RecordedRun, runs: Sequence[RecordedRun]) -> list[str]:
    """Lines on a champion that validation hardly chose: others are as good, or the texts are too few."""
    lines = []
    best = sum(run.metrics[BEST_ACCURACY] == champion.metrics[BEST_ACCURACY] for run in runs)
    if best > 1:
        lines.append(f"a tie: {best} runs are the best on validation; fewer parameters, then the smaller seed decide")
    count = champion.validation_texts
    if len(runs) > 1 and count and count < FEW_TEXTS:
        lines.append(f"{count} validation texts are too few to rank runs: {FEW_TEXTS} or more leave less to chance")
    return lines


def _line(
    name: str, contest: Contest, called: Mapping[str, str], versions: Mapping[str, str], faults: Mapping[str, str]
) -> str:
    """Outcome for one alias."""

    def described(run: RecordedRun) -> str:
        encoder = called.get(run.run_id, run.tags.get(ENCODER_TAG))
        return ", ".join(filter(None, (encoder, f"seed {run.run.data.params.get('seed', '?')}", run.score)))

    alias, what, holder = f"{name}@{contest.alias}", described(contest.run), contest.holder
    held = f"{described(holder)}, run {holder.run_id}" if holder else "of no run"
    before = f"version {contest.version} ({held})"
    overtaken = contest.obstacle and contest.alias not in versions and not faults.get(contest.alias)
    if contest.alias not in faults or overtaken:
        return f"{alias} stays {before}: {what}, {contest.obstacle}; --replace replaces it"
    if contest.alias not in versions:
        why = faults[contest.alias] or "it was trained before models were packaged"
        return f"not registered: {what}, run {contest.run.run_id}: {why}"
    if contest.is_settled:
        return f"registered already as {alias}, version {versions[contest.alias]}: {what}"
    replaced = f"; it replaces {before}" if contest.version else ""
    return f"registered as {alias}, version {versions[contest.alias]}: {what}{replaced}"
