"""Moves the aliases of a registered model to the best runs on validation, among those on the same texts."""

from collections.abc import Mapping, Sequence

from mlflow.exceptions import MlflowException

from sentiment_rnn.errors import UserError
from sentiment_rnn.files import FileLock
from sentiment_rnn.tracking.inventory import best_of
from sentiment_rnn.tracking.models import NO_MODEL, register
from sentiment_rnn.tracking.names import BEST_ACCURACY, CHAMPION, DEFAULT_MODELS, ENCODER_TAG
from sentiment_rnn.tracking.results import RecordedRun, run_or_none
from sentiment_rnn.tracking.store import Store
from sentiment_rnn.tracking.store_errors import found_or_none, short_reason

FEW_TEXTS = 200
"""With fewer validation texts, an accuracy of 90 % has a standard error of more than two points."""


def name_for(given: str | None, runs: Sequence[RecordedRun]) -> str | None:
    """The registered model for these runs: the given one, or the default of their source; None if there is none."""
    if given is not None:
        return given
    names = {DEFAULT_MODELS.get(str(run.config.data.name)) for run in runs}
    return names.pop() if len(names) == 1 else None


def check_entrants(name: str | None, runs: Sequence[RecordedRun]) -> None:
    """Raise `UserError` if runs cannot be registered together: they have no name, or they read different data, so that
    their validation scores cannot be compared."""
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
    replace: bool = False,
) -> list[str]:
    """Give the alias `champion` to the best run on validation, and the name of each encoder to its best run. Returns a
    line on each alias.

    Args:
        runs: the candidates, which read the same data.
        called: names of runs for the lines, by run id.
        replace: also move aliases to runs that are not better, or that were scored on other texts.

    Raises:
        UserError: the store refuses.
    """
    groups: dict[str, list[RecordedRun]] = {CHAMPION: list(runs)}
    for run in runs:
        groups.setdefault(run.tags[ENCODER_TAG], []).append(run)
    lines = []
    try:
        for alias, group in groups.items():
            best = best_of(group)
            if best and best.metric == BEST_ACCURACY:
                lines.append(_moved(store, name, alias, best.run, called, replace))
        if lines and (champion := best_of(runs)):
            lines += _doubts(champion.run, runs)
    except MlflowException as error:
        raise UserError(f"model {name}: not registered ({short_reason(error)})") from error
    return lines or [f"not registered: no run has {BEST_ACCURACY}"]


def _moved(
    store: Store,
    name: str,
    alias: str,
    run: RecordedRun,
    called: Mapping[str, str],
    replace: bool,
) -> str:
    """Move an alias to a run if that is allowed. Returns a line on the outcome."""

    def described(run: RecordedRun) -> str:
        encoder = called.get(run.run_id, run.tags.get(ENCODER_TAG))
        return ", ".join(filter(None, (encoder, f"seed {run.run.data.params.get('seed', '?')}", run.score)))

    with FileLock(store.directory / ".register.lock"):
        version, holder = _holder_of(store, name, alias)
        obstacle = "" if replace else _obstacle(run, version, holder)
        moved = None if obstacle else register(store, name, alias, run.run_id)
    before = f"version {version} ({f'{described(holder)}, run {holder.run_id}' if holder else 'of no run'})"
    if obstacle:
        return f"{name}@{alias} stays {before}: {described(run)}, {obstacle}; --replace replaces it"
    if not moved:
        return f"not registered: {described(run)}, run {run.run_id}: {NO_MODEL}"
    if holder and holder.run_id == run.run_id:
        return f"registered already as {name}@{alias}, version {version}: {described(run)}"
    replaced = f"; it replaces {before}" if version else ""
    return f"registered as {name}@{alias}, version {moved}: {described(run)}{replaced}"


def _holder_of(store: Store, name: str, alias: str) -> tuple[str, RecordedRun | None]:
    """The version with an alias (empty if there is none), and its run (None if that is gone, or never existed)."""
    model = found_or_none(lambda: store.client.get_registered_model(name))
    version = str(model.aliases.get(alias, "")) if model else ""
    run_id = store.client.get_model_version(name, version).run_id if version else ""
    return version, run_or_none(store, run_id or "")


def _obstacle(run: RecordedRun, version: str, holder: RecordedRun | None) -> str:
    """Why an alias is not moved to a run without `replace`; empty if it is moved, or already points to the run."""
    if not version or (holder and holder.run_id == run.run_id):
        return ""
    digest = run.data_digest  # covers which text is in which split
    if holder is None or not digest or digest != holder.data_digest:
        return "was not scored on the same texts"
    return "" if run.metrics[BEST_ACCURACY] > holder.metrics[BEST_ACCURACY] else "is not better"


def _doubts(champion: RecordedRun, runs: Sequence[RecordedRun]) -> list[str]:
    """Lines that warn of a champion that is best by chance: other runs are as good, or there are too few texts."""
    lines = []
    best = sum(run.metrics[BEST_ACCURACY] == champion.metrics[BEST_ACCURACY] for run in runs)
    if best > 1:
        lines.append(f"a tie: {best} runs are the best on validation; fewer parameters, then the smaller seed decide")
    count = champion.validation_texts
    if len(runs) > 1 and count and count < FEW_TEXTS:
        lines.append(f"{count} validation texts are too few to rank runs: {FEW_TEXTS} or more leave less to chance")
    return lines
