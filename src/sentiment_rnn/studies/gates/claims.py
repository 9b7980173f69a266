"""Verdicts on the gates, by the rules of experiments/gates/protocol.md."""

from collections.abc import Callable, Iterable, Mapping

from sentiment_rnn.report.shares import counted, share_interval
from sentiment_rnn.report.statistics import Interval, geometric_interval, with_bounds
from sentiment_rnn.studies.gates.measurements import HALF_LIFE, PROBABILITY, UNITS, Values
from sentiment_rnn.studies.gates.readers import LONGEST
from sentiment_rnn.studies.kit.encoder_groups import Styles
from sentiment_rnn.studies.kit.planned_runs import GENERATED, IMDB
from sentiment_rnn.studies.kit.verdicts import Verdict, above, below, judged

LASTS = 100
"""Tokens after which half of a cell has to be left."""
HOLDERS = ("lstm", "lstm_chrono")
"""Arms on generated reviews."""
NO_SEED = f"No seed holds {LONGEST} tokens."


def verdicts(values: Values, styles: Styles) -> list[Verdict]:
    """By the rules of the protocol, in its order."""
    return [
        cells_last("Trained on IMDb, the cells of an LSTM last 100 tokens.", values, styles, IMDB, ["lstm"]),
        cells_last("In an LSTM that holds 400 tokens, the cells last 100.", values, styles, GENERATED, HOLDERS),
        cells_last(
            "An LSTM that holds 400 tokens has a unit whose cell lasts 400.", values, styles, GENERATED, HOLDERS,
            ["longest-lived"], LONGEST,
        ),
        clause_is_kept(
            "After the sentence on the cinema, an LSTM of IMDb keeps the clause.", values, styles, "lstm", above
        ),
        clause_is_kept(
            "After the sentence on the cinema, a vanilla RNN of IMDb loses the clause.", values, styles, "rnn", below
        ),
    ]  # fmt: skip


def cells_last(
    claim: str,
    values: Values,
    styles: Styles,
    corpus: str,
    arms: Iterable[str],
    units: Iterable[str] = tuple(UNITS),
    tokens: int = LASTS,
) -> Verdict:
    """Claims 1 to 3: whether half of a cell is left after so many tokens, in these units of these arms. The parts of an
    arm that was not measured are open."""
    lives = {
        arm: {unit: half_life(values, corpus, arm, unit) for unit in units} if (corpus, arm, True) in values else {}
        for arm in arms
    }
    parts = [above(by_unit[unit], tokens) if by_unit else None for by_unit in lives.values() for unit in units]
    said = "; ".join(f"{described(by_unit)} ({styles[arm].label})" for arm, by_unit in lives.items() if by_unit)
    return Verdict(claim, judged(*parts), f"Tokens after which half of a cell is left: {said}." if said else NO_SEED)


def described(lives: Mapping[str, Interval]) -> str:
    """`1.4 (0.5 to 4.0) in the median unit, …`"""
    return ", ".join(f"{with_bounds(life, 1)} in the {unit} unit" for unit, life in lives.items())


def half_life(
    values: Values, corpus: str, arm: str, unit: str, trained: bool = True, measure: str = HALF_LIFE
) -> Interval:
    """Geometric mean over seeds of the half-life of a net's median unit, say [tokens]."""
    return geometric_interval(list(values[corpus, arm, trained][measure, unit].values()))


def clause_is_kept(
    claim: str, values: Values, styles: Styles, arm: str, part: Callable[[Interval, float], bool | None]
) -> Verdict:
    """Claims 4 and 5."""
    kept = seeds_that_keep(values, arm)
    return Verdict(
        claim,
        judged(part(share_interval(*kept), 1 / 2)),
        f"{counted(*kept)} seeds of {styles[arm].label} say positive after the sentence, and negative where it has "
        '"hated" for "liked".',
    )


def seeds_that_keep(values: Values, arm: str, liked: str = "cinema", hated: str = "cinema, hated") -> tuple[int, int]:
    """How many seeds trained on IMDb say positive after a text, and negative where it has "hated" for "liked", and of
    how many. It is the whole sentence on the cinema, unless told otherwise."""
    said = values[IMDB, arm, True]
    one, other = said[PROBABILITY, liked], said[PROBABILITY, hated]
    return sum(one[seed] > 1 / 2 > other[seed] for seed in one), len(one)
