"""Results of a sweep's runs, and tables of them: means over seeds, and differences of means."""

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, combinations
from typing import Any, NamedTuple

import numpy as np

from sentiment_rnn.config.run import ARM
from sentiment_rnn.errors import as_given
from sentiment_rnn.inference.predictions import Predictions
from sentiment_rnn.report.statistics import (
    Spread,
    accuracy_difference,
    binned,
    logarithmic_bins,
    spread,
    with_deviation,
)
from sentiment_rnn.report.tables import Table, csv_text
from sentiment_rnn.tracking.names import (
    BEST_ACCURACY,
    CODE_TAG,
    EPOCH_SECONDS,
    PARAMETERS,
    PEAK_MEMORY,
    TOKENS_PER_SECOND,
)
from sentiment_rnn.tracking.results import RecordedRun

REVIEWS = "test_reviews"
"""Column of `results.csv`: a digest of the test reviews that a run was scored on."""
NONE = "–"
"""Text for a key that an arm does not have."""


def percent_with_deviation(value: Spread) -> str:
    """`88.1 ± 0.2 %`, or `88.1 %` for a single seed."""
    return f"{with_deviation(Spread(100 * value.mean, 100 * value.deviation), 1)} %"


DECIMALS = partial(with_deviation, places=3)
"""`0.881 ± 0.002`, or `0.881` for a single seed."""
WHOLE = "{0.mean:,.0f}".format
SECONDS = "{0.mean:.1f}".format


class Column(NamedTuple):
    """A metric, and how it is shown."""

    metric: str
    """As runs log it; also its column in `results.csv`."""
    title: str = ""
    """Title of its column in the table; empty where the table leaves it out."""
    form: Callable[[Spread], str] = DECIMALS
    """Function from mean and deviation over seeds to a cell."""

    def cell(self, value: Spread) -> str:
        """The text of a cell; a blank if a run does not have the metric."""
        return "" if np.isnan(value.mean) else self.form(value)


SCORES = (
    Column(PARAMETERS, "parameters", WHOLE),
    Column(BEST_ACCURACY, "validation accuracy", percent_with_deviation),
    Column("test/accuracy", "test accuracy", percent_with_deviation),
    Column("test/f1", "F1"),
    Column("test/auroc", "AUROC"),
    Column("test/calibration_error"),
    Column("test/loss"),
    Column("test/loss_calibrated"),
    Column("test/calibration_error_calibrated"),
)
COSTS = (
    Column(EPOCH_SECONDS, "s / epoch", SECONDS),
    Column(TOKENS_PER_SECOND, "tokens / s", WHOLE),
    Column(PEAK_MEMORY),
)


def columns_of(metrics: Iterable[str]) -> list[Column]:
    """Columns of a comparison of these metrics: `SCORES`, `COSTS` and any other `test/…`."""
    named = {column.metric for column in SCORES}
    further = sorted(metric for metric in set(metrics) - named if metric.startswith("test/"))
    titled = (Column(metric, metric.removeprefix("test/").replace("_", " ")) for metric in further)
    return [*SCORES, *titled, *COSTS]


@dataclass(frozen=True)
class Arm:
    """Runs that differ only in their seed."""

    name: str
    """The encoder's name, and whatever else the sweep varied."""
    runs: list[RecordedRun] = field(repr=False)
    label: str
    """`name` with the encoder's label in place of its name, for tables and figures."""

    def scores(self, metric: str) -> list[float]:
        """One number per seed, NaN if a run does not have the metric. Numbers have the digits of `results.csv`, so that
        tables and figures round what is in that file."""
        return [float(_number(run.metrics[metric]) or math.nan) for run in self.runs]

    def metric(self, name: str) -> Spread:
        """Mean and standard deviation over seeds; NaN where a run does not have the metric."""
        return spread(self.scores(name))

    @property
    def learning_rate(self) -> str:
        """The learning rate of its first run, as tables show it."""
        return f"{self.runs[0].learning_rate:g}"

    @property
    def reviews(self) -> set[str]:
        """Digests of the test reviews that its runs were scored on."""
        return {_digest(run.predictions) for run in self.runs}

    @property
    def pooling(self) -> str:
        """The pooling's name."""
        return str(self.runs[0].config.pooling.name)

    @property
    def color(self) -> str | None:
        """The encoder's colour, as the configuration gives it."""
        return self.runs[0].config.encoder.color

    def accuracies(self, by: str, low: int, high: int) -> list[float]:
        """Accuracy of each run on its test reviews with `lags`, or `lengths`, from `low` to below `high`. Runs without
        such reviews are left out: seeds may have read different reviews."""
        parts = [(run.predictions.correct, getattr(run.predictions, by)) for run in self.runs]
        in_range = [correct[(values >= low) & (values < high)] for correct, values in parts]
        return [float(correct.mean()) for correct in in_range if len(correct)]


def arms_of_sweeps(sweeps: Mapping[str, Sequence[RecordedRun]]) -> tuple[list[Arm], list[str]]:
    """The arms of one or more sweeps, given by name, the best on validation first; and a line on each sweep with runs
    that are left out.

    Runs with the same configuration, data and code are one arm, whatever their sweep. A seed in two sweeps counts once,
    with the run of the first sweep.
    """
    counted: set[str] = set()
    lines = []
    parts: dict[str, dict[frozenset[str], list[tuple[str, Arm]]]] = {}
    for sweep, runs in sweeps.items():
        ids = {run.identity or run.run_id for run in runs}  # a run of an earlier version has no identity
        repeated = counted & ids
        counted |= ids
        if repeated:
            lines.append(
                f"left out: {len(repeated)} of the {len(runs)} runs of {sweep}, which an earlier sweep has too"
            )
        for arm in arms_of(runs):
            if new := [run for run in arm.runs if (run.identity or run.run_id) not in repeated]:
                settings = frozenset(run.identity[:ARM] or sweep for run in new)
                parts.setdefault(arm.name, {}).setdefault(settings, []).append((sweep, replace(arm, runs=new)))
    arms = []
    for name, groups in parts.items():
        for group in groups.values():
            sweep, arm = group[0]
            suffix = f" ({sweep})" if len(groups) > 1 else ""
            runs = sorted(chain.from_iterable(part.runs for _, part in group), key=lambda run: run.seed)
            arms.append(Arm(name + suffix, runs, arm.label + suffix))
    return _in_order(arms), lines


def arms_of(runs: Sequence[RecordedRun]) -> list[Arm]:
    """Runs of a sweep, grouped by the encoder and by whatever else the sweep varied except the seed; the best arm on
    validation first."""
    overridden = {key for run in runs for key in run.overrides if not key.startswith(("tracking.", "hydra"))}
    varied = sorted(key for key in overridden - {"seed", "encoder", "study"} if _is_varied(runs, key))
    shown = short_names(varied)
    groups: dict[tuple[str, ...], list[RecordedRun]] = {}
    for run in runs:
        settings = [f"{shown[key]}={run.overrides[key]}" for key in varied if _is_used(run, key)]
        # Grouped by the encoder's file: two files with the same name in them are two encoders.
        groups.setdefault((run.overrides.get("encoder", run.encoder), *settings), []).append(run)
    labels = {arm: ", ".join([group[0].label, *arm[1:]]) for arm, group in groups.items()}
    several = Counter(labels.values())
    arms = []
    for arm, group in groups.items():
        name = ", ".join(arm)
        label = labels[arm] if several[labels[arm]] == 1 else name
        arms.append(Arm(name, sorted(group, key=lambda run: run.seed), label))
    return _in_order(arms)


def _in_order(arms: Sequence[Arm]) -> list[Arm]:
    """The arms, the best on validation first, those without a validation accuracy last."""
    return sorted(arms, key=lambda arm: -np.nan_to_num(arm.metric(BEST_ACCURACY).mean, nan=-1.0))


def short_names(keys: Sequence[str]) -> dict[str, str]:
    """The shortest ending of each dotted key that no other key shares: `epochs`, but `encoder.dropout` if there is also
    `embedding.dropout`."""

    def endings(key: str) -> list[str]:
        parts = key.split(".")
        return [".".join(parts[place:]) for place in reversed(range(len(parts)))]

    taken = Counter(ending for key in keys for ending in endings(key))
    return {key: next((ending for ending in endings(key) if taken[ending] == 1), key) for key in keys}


def _is_varied(runs: Sequence[RecordedRun], key: str) -> bool:
    """Whether a key has several values among the runs that use it; defaults count too."""
    if len({run.overrides.get(key) for run in runs}) == 1:  # the sweep did not vary it, although a draw may have
        return False
    values = set()
    for run in runs:
        value = _configured(run, key)
        if value is None and not _is_used(run, key):
            continue
        plain = isinstance(value, str | int | float)  # for a group such as `data`, the choice is compared instead
        values.add(value if plain else run.overrides.get(key, getattr(value, "name", None)))
    return len(values) > 1


def _is_used(run: RecordedRun, key: str) -> bool:
    """Whether an override had an effect on the run: keys that an encoder does not use are unset (`encoder.layers` for a
    bag of words)."""
    override = run.overrides.get(key)
    return override is not None and (_configured(run, key) is not None or override == "null")


def _configured(run: RecordedRun, key: str) -> object:
    """The value of a key in the run's configuration, or the override if the configuration has no value (a group)."""
    value: object = run.config
    for part in key.split("."):
        value = getattr(value, part, run.overrides.get(key))
    return value


def results_csv(arms: Sequence[Arm]) -> str:
    """`results.csv`: one row per run, with its settings and scores, sorted by arm and seed."""
    metrics = [column.metric for column in columns_of(_metrics_of(arms))]
    rows = [
        (
            arm.name, arm.label, arm.pooling, f"{run.learning_rate:g}", run.seed,
            *(_number(run.metrics[name]) for name in metrics), _digest(run.predictions),
        )
        for arm in sorted(arms, key=lambda arm: arm.name)
        for run in arm.runs
    ]  # fmt: skip
    return csv_text(("arm", "label", "pooling", "learning_rate", "seed", *metrics, REVIEWS), rows)


def _number(value: float) -> str:
    if value != value:  # NaN: this run does not have the metric
        return ""
    return f"{value:.0f}" if value.is_integer() else f"{value:.6g}"


def _digest(predictions: Predictions) -> str:
    """Digest of the test reviews' labels, lengths and lags."""
    return hashlib.sha256(
        b"".join(
            np.ascontiguousarray(part, "<i8").tobytes()
            for part in (predictions.labels, predictions.lengths, predictions.lags)
        )
    ).hexdigest()[:8]


def tables_of(arms: Sequence[Arm]) -> list[Table]:
    """All tables of results that have rows."""
    labels: dict[str, list[str]] = {}
    for arm in arms:
        labels.setdefault(", ".join(str(run.seed) for run in arm.runs), []).append(arm.label)
    seeds = "; ".join(f"{seeds} ({', '.join(names)})" if len(labels) > 1 else seeds for seeds, names in labels.items())
    tables = [
        Table(f"Mean ± standard deviation, seeds: {seeds}", *table(arms)),
        lag_table(arms),
        Table(
            "Differences of the means, on the same test reviews; Welch's t interval over the seeds",
            ("first", "second", "difference in test accuracy [points]", "95 % interval"),
            differences(arms),
        ),
    ]
    return [shown for shown in tables if shown and shown.rows]


def table(arms: Sequence[Arm]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Columns and rows, one row per arm."""
    shown = [column for column in columns_of(_metrics_of(arms)) if column.title]
    rows = [
        (arm.label, arm.pooling, arm.learning_rate, *(column.cell(arm.metric(column.metric)) for column in shown))
        for arm in arms
    ]
    return ("arm", "pooling", "learning rate", *(column.title for column in shown)), rows


def _metrics_of(arms: Sequence[Arm]) -> set[str]:
    return {metric for arm in arms for run in arm.runs for metric in run.metrics}


def differences(arms: Sequence[Arm]) -> list[tuple[str, ...]]:
    """A row for each pair of arms that read the same test reviews. With more than four arms, each is compared only to
    the first."""
    rows: list[tuple[str, ...]] = []
    for first, second in combinations(arms, 2):
        if first.reviews == second.reviews and (len(arms) <= 4 or first is arms[0]):
            mean = accuracy_difference(first.scores("test/accuracy"), second.scores("test/accuracy"))
            interval = f"{100 * mean.low:+.2f} to {100 * mean.high:+.2f}" if mean.known else "none: too few seeds"
            rows.append((first.label, second.label, f"{100 * mean.estimate:+.2f}", interval))
    return rows


def lag_bins(arms: Sequence[Arm], bins: int = 7) -> dict[str, tuple[int, int]]:
    """Logarithmic bins of the lag, the tokens from the deciding clause to the end: the lowest lag, and the highest plus
    one, by a name such as `27–51`. Empty if lags are unknown."""
    if not all(run.predictions.has_lags for arm in arms for run in arm.runs):
        return {}
    every = np.concatenate([run.predictions.lags for arm in arms for run in arm.runs])
    return {
        f"{low}" if high == low + 1 else f"{low}–{high - 1}": (low, high)
        for low, high, _ in binned(every, logarithmic_bins(every, bins))
    }


def lag_table(arms: Sequence[Arm], bins: int = 7) -> Table | None:
    """Test accuracy by lag; None where lags are unknown."""
    ends_of = lag_bins(arms, bins)
    rows = [(arm.label, *(_accuracy(arm.accuracies("lags", *ends)) for ends in ends_of.values())) for arm in arms]
    title = "Test accuracy by lag: from deciding clause to end [tokens]"
    return Table(title, ("arm", *ends_of), rows) if ends_of else None


def in_words(arms: Sequence[Arm]) -> list[str]:
    """The comparison in a sentence: accuracies from the worst to the best seed, in whole per cent. A second sentence is
    about the longest lags, if reviews have lags."""
    accuracies = [[run.metrics["test/accuracy"] for run in arm.runs] for arm in arms]
    sentences = [_sentence("Test reviews judged rightly", arms, accuracies)]
    for lags, ends in list(lag_bins(arms).items())[-1:]:
        accuracies = [arm.accuracies("lags", *ends) for arm in arms]
        if all(accuracies):
            sentences.append(_sentence(f"With the deciding clause {lags} tokens from the end", arms, accuracies))
    return sentences


def _sentence(where: str, arms: Sequence[Arm], accuracies: Sequence[Sequence[float]]) -> str:
    shares = []
    for arm, by_seed in zip(arms, accuracies, strict=True):
        low, high = (f"{100 * end:.0f}" for end in (min(by_seed), max(by_seed)))
        shares.append(f"{arm.label} {low} %" if low == high else f"{arm.label} {low} to {high} % by seed")
    return f"{where}: {', '.join(shares)}."


def _accuracy(accuracies: Sequence[float]) -> str:
    """A table cell of accuracies by seed; a blank if there are none."""
    return percent_with_deviation(spread(accuracies)) if accuracies else ""


def settings_tables(arms: Sequence[Arm]) -> tuple[Table, Table]:
    """Two tables: keys whose values differ between arms, with a column for each arm, and the other keys. Arms with the
    same classes but different code differ in the row `code`."""
    settings = [_settings_of(arm) for arm in arms]
    rows = [(key, *(values.get(key, NONE) for values in settings)) for key in sorted({*chain(*settings)})]
    codes = [_joined(run.tags.get(CODE_TAG, "")[:8] for run in arm.runs) for arm in arms]
    targets = [tuple(value for key, value in values.items() if key.endswith("_target_")) for values in settings]
    if len({*zip(targets, codes, strict=True)}) > len({*targets}):
        rows.append(("code", *codes))
    differing = [row for row in rows if len(set(row[1:])) > 1]
    same = [row[:2] for row in rows if len(set(row[1:])) == 1]
    return (
        Table("Settings that differ", ("key", *(arm.label for arm in arms)), differing),
        Table("Settings that all arms have", ("key", "value"), same),
    )


def _settings_of(arm: Arm) -> dict[str, str]:
    """Values by dotted key, in the order of the configuration; several values if the runs of an arm differ."""
    by_run = [_flat(run.config.deciding_settings()) for run in arm.runs]
    keys = sorted({*chain(*by_run)} - {"seed", "record"})
    return {key: _joined(values.get(key, NONE) for values in by_run) for key in keys}


def _joined(values: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(values))


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in settings.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {prefix + key: _shown(value)}
    return flat


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    text = as_given(value)
    return text.rpartition(".")[2] if text.startswith("sentiment_rnn.") else text
