"""Runs grouped by encoder, and each encoder's label and colour."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sentiment_rnn.report.figures import PALETTE, color_of
from sentiment_rnn.tracking.results import RunResult


class EncoderStyle(NamedTuple):
    """How tables and figures show an encoder."""

    label: str
    color: str
    """`#RRGGBB`."""


Styles = Mapping[str, EncoderStyle]
"""By encoder, in the order in which the encoders first occur in the results."""


def by_encoder(results: Iterable[RunResult]) -> dict[str, list[RunResult]]:
    """The runs of each encoder, sorted by seed; the encoders in the order in which they first occur."""
    groups: dict[str, list[RunResult]] = {}
    for result in results:
        groups.setdefault(result.encoder, []).append(result)
    return {encoder: sorted(group, key=lambda result: result.seed) for encoder, group in groups.items()}


def styles_of(results: Iterable[RunResult]) -> dict[str, EncoderStyle]:
    """Label and colour of each encoder, from its configuration, or else its name and a free colour of the palette."""
    firsts: dict[str, RunResult] = {}
    for result in results:
        firsts.setdefault(result.encoder, result)
    taken = {str(first.config.encoder.color) for first in firsts.values()}
    styles = {}
    for encoder, first in firsts.items():
        color = str(first.config.encoder.color or _free_color(encoder, taken))
        taken.add(color)
        styles[encoder] = EncoderStyle(first.label, color)
    return styles


def _free_color(encoder: str, taken: set[str]) -> str:
    """From the end of the palette, since `color_of` fixes its beginning for the encoders of most sweeps."""
    colors = [color_of(encoder, position) for position in reversed(range(len(PALETTE)))]
    return next((color for color in colors if color not in taken), colors[len(taken) % len(colors)])


def distance_of(result: RunResult) -> int:
    """Tokens from the clause to the end in the reviews of a run; the largest number where they differ."""
    return int(result.config.data.max_distance)
