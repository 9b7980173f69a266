"""How many seeds learn, are right in more than 90 %: the share of runs by distance, with its exact interval.

A mean over seeds of which some learn and some do not says what no run does. A count says what happened. Its interval
assumes nothing but seeds that are independent.
"""

from collections.abc import Callable, Collection, Iterable, Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sentiment_rnn.report.figures import new_figure, styled
from sentiment_rnn.report.shares import counted, share_interval
from sentiment_rnn.report.statistics import Interval
from sentiment_rnn.report.tables import Table
from sentiment_rnn.studies.kit.arm_panels import BEHIND, arm_panels, mark_distances, mark_rows
from sentiment_rnn.studies.kit.encoder_groups import Styles
from sentiment_rnn.studies.kit.scores import REMEMBERS, Score, Scores
from sentiment_rnn.studies.kit.verdicts import Verdict, above, below, judged

MOST = 0.5
"""An arm learns a distance where it is sure that more seeds than this share do."""
SPANNED = 3
"""A table has the span where it has as many distances: fewer say little of the longest that is learned."""


def seeds_above(score: Score) -> tuple[int, int]:
    """How many seeds learn, and of how many."""
    return int((score.accuracies > REMEMBERS).sum()), len(score.accuracies)


def share_above(score: Score) -> Interval:
    """The share of seeds that learn, with its exact interval."""
    return share_interval(*seeds_above(score))


def was_run(scores: Scores, arm: str, distance: int) -> bool:
    """Whether an arm was run at a distance."""
    return distance in scores.get(arm, {})


def learns(scores: Scores, arm: str, distance: int) -> bool | None:
    """Whether most seeds of an arm learn a distance; None where the interval does not decide, or it was not run."""
    return above(share_above(scores[arm][distance]), MOST) if was_run(scores, arm, distance) else None


def fails(scores: Scores, arm: str, distance: int) -> bool | None:
    """Whether most seeds of an arm fail at a distance; None where the interval does not decide, or it was not run."""
    return below(share_above(scores[arm][distance]), MOST) if was_run(scores, arm, distance) else None


def seeds_text(scores: Scores, styles: Styles, arms: Iterable[str], distances: Iterable[int]) -> str:
    """`Seeds that learn: 20/20 (83 to 100 %) of RNN, orthogonal at 5 tokens.`, for what was run of these; empty where
    nothing was."""
    found = counted_text(scores, styles, arms, distances)
    return f"Seeds that learn: {found}." if found else ""


def counted_text(scores: Scores, styles: Styles, arms: Iterable[str], distances: Iterable[int]) -> str:
    """`20/20 (83 to 100 %) of RNN, orthogonal at 5 tokens`, for what was run of these, with semicolons between."""
    return "; ".join(
        f"{counted(*seeds_above(scores[arm][distance]))} of {styles[arm].label} at {distance} tokens"
        for arm in arms for distance in distances if was_run(scores, arm, distance)
    )  # fmt: skip


def verdict_on_arms(
    claim: str,
    scores: Scores,
    styles: Styles,
    arms: Collection[str],
    distances: Collection[int],
    part: Callable[[Scores, str, int], bool | None] = learns,
) -> Verdict:
    """The verdict on a claim of which each arm at each distance is a part: that it `learns`, or `fails`."""
    parts = (part(scores, arm, distance) for arm in arms for distance in distances)
    return Verdict(claim, judged(*parts), seeds_text(scores, styles, arms, distances))


def learnt_span(shares: Mapping[int, Interval]) -> int:
    """The longest distance up to which more than half of the seeds learn, by the lower bounds; 0 for none.

    Args:
        shares: by distance.
    """
    longest = 0
    for distance in sorted(shares):
        if not above(shares[distance], MOST):
            break
        longest = distance
    return longest


def learnt_share_table(scores: Scores, styles: Styles) -> Table:
    """Seeds that learn by distance, with their exact intervals; of three distances or more, the span that follows."""
    distances = _distances(scores)
    title = f"Seeds that are right in more than {100 * REMEMBERS:g} % by distance [tokens], with exact 95 % intervals"
    header = ("encoder", *map(str, distances))
    rows = [
        (styles[arm].label, *(counted(*seeds_above(by_distance[d])) if d in by_distance else "" for d in distances))
        for arm, by_distance in scores.items()
    ]
    if len(distances) < SPANNED:
        return Table(title, header, rows)
    spans = (
        learnt_span({d: share_above(score) for d, score in by_distance.items()}) for by_distance in scores.values()
    )
    title += "; the span is the longest distance up to which the lower bound is above one half"
    return Table(title, (*header, "span"), [(*row, str(span)) for row, span in zip(rows, spans, strict=True)])


@styled
def learnt_share_figure(scores: Scores, styles: Styles) -> Figure:
    """Share of seeds that learn by distance, a panel for each arm, in a band of its exact intervals."""
    shares = {
        arm: {distance: share_above(score) for distance, score in sorted(by_distance.items())}
        for arm, by_distance in scores.items()
    }

    def draw(axes: Axes, arm: str) -> None:
        for other in shares.values():
            axes.plot(list(other), [share.estimate for share in other.values()], color=BEHIND, linewidth=1)
        own, color = shares[arm], styles[arm].color
        low, high = [share.low for share in own.values()], [share.high for share in own.values()]
        axes.fill_between(list(own), low, high, color=color, alpha=0.2, linewidth=0)
        axes.plot(list(own), [share.estimate for share in own.values()], color=color, marker="o", markersize=4)
        axes.axhline(MOST, color="#999999", linestyle="--", linewidth=1)
        mark_distances(axes, _distances(scores))
        axes.set_ylim(-0.04, 1.04)

    ylabel = f"share of seeds above {100 * REMEMBERS:g} %"
    return arm_panels(shares, styles, "from the deciding clause to the end [tokens]", ylabel, draw)


@styled
def learnt_share_lines(scores: Scores, styles: Styles, arms: Iterable[str]) -> Figure:
    """Share of seeds that learn by distance, a line for each of a few arms, with exact intervals."""
    figure, (axes,) = new_figure(1, width=6.4, height=3.7)
    shown = [arm for arm in arms if arm in scores]
    for place, arm in enumerate(shown):
        shares = {distance: share_above(score) for distance, score in sorted(scores[arm].items())}
        aside = 1.035 ** (place - (len(shown) - 1) / 2)  # so that no whisker hides another
        x, y = [aside * distance for distance in shares], np.array([share.estimate for share in shares.values()])
        low, high = (np.array([getattr(share, end) for share in shares.values()]) for end in ("low", "high"))
        label, color = styles[arm]
        axes.errorbar(x, y, (y - low, high - y), label=label, color=color, marker="o", markersize=5, capsize=2)
    axes.axhline(MOST, color="#999999", linestyle="--", linewidth=1)
    mark_distances(axes, _distances(scores))
    axes.set(ylim=(-0.04, 1.04), ylabel=f"share of seeds above {100 * REMEMBERS:g} %")
    axes.set_xlabel("from the deciding clause to the end [tokens]")
    figure.legend(loc="outside right center")
    return figure


@styled
def learnt_share_rows(scores: Scores, styles: Styles) -> Figure:
    """Share of seeds that learn, a row for each arm and a panel for each distance, with exact intervals."""
    distances, arms = _distances(scores), list(scores)
    figure, panels = new_figure(len(distances), width=2.2 + 2.6 / len(distances), height=0.9 + 0.27 * len(arms))
    for axes, distance in zip(panels, distances, strict=True):
        for row, arm in enumerate(arms):
            if was_run(scores, arm, distance):
                share, low, high = share_above(scores[arm][distance])
                axes.plot([low, high], [row, row], color=styles[arm].color, linewidth=2.2, solid_capstyle="butt")
                axes.plot(share, row, "o", color=styles[arm].color, clip_on=False)
        axes.axvline(MOST, color="#999999", linestyle="--", linewidth=1)
        mark_rows(axes, [styles[arm].label if axes is panels[0] else "" for arm in arms])
        axes.set(title=f"{distance} tokens", xlim=(-0.04, 1.04))
        axes.set_xlabel(f"share of seeds above {100 * REMEMBERS:g} %")
    return figure


def _distances(scores: Scores) -> list[int]:
    return sorted({distance for by_distance in scores.values() for distance in by_distance})
