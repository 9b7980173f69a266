"""Encoders with their poolings: their runs and scores by a setting, and their table."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sentiment_rnn.report.tables import Table
from sentiment_rnn.studies.kit.encoder_groups import Styles
from sentiment_rnn.studies.kit.findings import mean_of
from sentiment_rnn.tracking.results import RunResult

POOLINGS = {"last": "last state", "mean_max": "mean and max"}
"""Poolings in tables and figures; others go by their names."""

PooledEncoder = tuple[str, str]
"""Encoder and pooling, by their names."""
PooledResults = dict[PooledEncoder, list[RunResult]]
ScoreBySeed = dict[int, float]
Scores = Mapping[Any, Mapping[PooledEncoder, ScoreBySeed]]
"""By setting, encoder and pooling, and seed."""


def by_setting(results: Sequence[RunResult], setting: Callable[[RunResult], Any]) -> dict[Any, PooledResults]:
    """Runs by a setting, in its order, then by encoder and pooling, as they first occur, each sorted by seed."""
    places = {pooled: place for place, pooled in enumerate(dict.fromkeys(map(pooled_encoder_of, results)))}
    groups: dict[Any, PooledResults] = {}
    for result in sorted(results, key=lambda r: (setting(r), places[pooled_encoder_of(r)], r.seed)):
        groups.setdefault(setting(result), {}).setdefault(pooled_encoder_of(result), []).append(result)
    return groups


def pooled_encoder_of(result: RunResult) -> PooledEncoder:
    """The encoder and pooling of a run."""
    return result.encoder, result.config.pooling.name


def tokens_of(result: RunResult) -> int:
    """How many tokens of a review a run reads."""
    return int(result.config.data.max_tokens)


def accuracies(results: Iterable[RunResult]) -> ScoreBySeed:
    """Test accuracy by seed."""
    return {result.seed: result.metrics["test/accuracy"] for result in results}


def label_of(pooled: PooledEncoder, styles: Styles) -> str:
    """An encoder and its pooling in tables and figures."""
    encoder, pooling = pooled
    return f"{styles[encoder].label}, {POOLINGS.get(pooling, pooling)}"


def accuracy_by_setting_table(title: str, scores: Scores, styles: Styles) -> Table:
    """One row per encoder and pooling, one column per setting, in percent."""
    rows = []
    for pooled in dict.fromkeys(pooled for groups in scores.values() for pooled in groups):
        values = [[100 * value for value in groups.get(pooled, {}).values()] for groups in scores.values()]
        rows.append((label_of(pooled, styles), *(mean_of(of_setting) if of_setting else "" for of_setting in values)))
    return Table(title, ("encoder", *map(str, scores)), rows)
