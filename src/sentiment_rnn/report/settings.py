"""Settings of the arms of a comparison: those that differ, and those that are the same in all."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sentiment_rnn.report.comparison import Arm
from sentiment_rnn.report.tables import Table
from sentiment_rnn.tracking.names import CODE_TAG
from sentiment_rnn.tracking.results import RecordedRun

NOT_COMPARED = (
    *("study", "seed", "tracking", "encoder.label", "encoder.color", "data.directory", "trainer.threads"),
    *("trainer.jobs_at_once", "trainer.progress_bar", "trainer.log_every_n_steps", "trainer.checkpoint_minutes"),
)
"""Keys, and sections, that change no result."""
NONE = "–"
"""Of a key that an arm does not have."""


def settings_tables(arms: Sequence[Arm]) -> tuple[Table, Table]:
    """A row for each key whose value is not the same in all arms, with a column for each arm; and one for each of the
    other keys. Arms of the same classes whose code is another differ in the row `code`."""
    settings = [_settings_of(arm) for arm in arms]
    rows = [(key, *(of.get(key, NONE) for of in settings)) for key in sorted({key for of in settings for key in of})]
    codes = [_values(arm, lambda run: run.tags.get(CODE_TAG, "")[:8]) for arm in arms]
    targets = [tuple(value for key, value in sorted(of.items()) if key.endswith("_target_")) for of in settings]
    if len({*zip(targets, codes, strict=True)}) > len({*targets}):
        rows.append(("code", *codes))
    differing = [row for row in rows if len(set(row[1:])) > 1]
    same = [row[:2] for row in rows if len(set(row[1:])) == 1]
    return (
        Table("Settings that differ", ("key", *(arm.label for arm in arms)), differing),
        Table("Settings that all arms have", ("key", "value"), same),
    )


def _settings_of(arm: Arm) -> dict[str, str]:
    """Values by dotted key; several where the runs of an arm differ."""
    flat = {run.run_id: _flat(run.config.settings()) for run in arm.runs}
    keys = dict.fromkeys(key for of in flat.values() for key in of)
    left_out = tuple(f"{key}." for key in NOT_COMPARED)
    return {
        key: _values(arm, lambda run, key=key: flat[run.run_id].get(key, NONE))  # type: ignore[misc]
        for key in keys if not f"{key}.".startswith(left_out)
    }  # fmt: skip


def _values(arm: Arm, value: Callable[[RecordedRun], str]) -> str:
    return ", ".join(dict.fromkeys(map(value, arm.runs)))


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in settings.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {prefix + key: _shown(value)}
    return flat


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    text = "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return text.rpartition(".")[2] if text.startswith("sentiment_rnn.") else text
