"""Verdicts on filler, by the rules of experiments/filler/protocol.md."""

from collections.abc import Mapping

from sentiment_rnn.report.p_values import holm, sign_p
from sentiment_rnn.report.shares import counted
from sentiment_rnn.report.statistics import BySeed, Interval, points, t_interval, welch_interval
from sentiment_rnn.studies.filler.measurements import MOST, Kept
from sentiment_rnn.studies.filler.reading import BEHIND, IN_FRONT, SENTENCES, Setting
from sentiment_rnn.studies.kit.encoder_groups import Styles
from sentiment_rnn.studies.kit.margin_comparisons import beyond, in_points
from sentiment_rnn.studies.kit.verdicts import Verdict, judged, most

MARGIN = 0.1
"""Of what was known: a loss that counts as none."""
FORGETS = {
    "rnn": f"A vanilla RNN forgets a review over {MOST} neutral tokens after it.",
    "gru": f"A GRU forgets a review over {MOST} neutral tokens after it.",
    "lstm": f"An LSTM forgets a review over {MOST} neutral tokens after it.",
}
"""Claims 1 to 3, by arm."""
MORE = "A vanilla RNN forgets more of it than an LSTM."
"""Claim 4."""

Losses = Mapping[str, BySeed]
"""By claim and seed: a loss by place, or of two seeds of the same number the difference."""


def loss_by_place(kept: Kept, filler: str = SENTENCES) -> dict[int, float]:
    """What each seed of an arm keeps with the most filler in front, less what it keeps with as much behind."""
    front, behind = (kept[Setting(filler, place, MOST)] for place in (IN_FRONT, BEHIND))
    return {seed: front[seed] - behind[seed] for seed in front}


def losses_of_claims(states: Mapping[str, Kept]) -> Losses:
    """What each claim counts, of the seeds that know something.

    Args:
        states: the share that seeds keep of their state, by arm.
    """
    losses = {arm: loss_by_place(states[arm]) for arm in FORGETS}
    both = [seed for seed in losses["rnn"] if seed in losses["lstm"]]
    more = {seed: losses["rnn"][seed] - losses["lstm"][seed] for seed in both}
    return {**{claim: losses[arm] for arm, claim in FORGETS.items()}, MORE: more}


def lost(losses: BySeed) -> int:
    """How many seeds lose more than `MARGIN`."""
    return beyond(losses.values(), MARGIN)


def p_values(losses: Losses) -> dict[str, float]:
    """Sign tests by claim, adjusted by Holm's method; the p of a claim that no seed can tell is 1."""
    return holm({claim: sign_p(lost(found), len(found)) if found else 1.0 for claim, found in losses.items()})


def verdicts(states: Mapping[str, Kept], styles: Styles) -> list[Verdict]:
    """By the rules of the protocol, in its order."""
    losses = losses_of_claims(states)
    adjusted = p_values(losses)
    rnn, lstm = styles["rnn"].label, styles["lstm"].label
    counts = {
        **{
            claim: f"Seeds of {styles[arm].label} that lose more than {in_points(MARGIN)} by place"
            for arm, claim in FORGETS.items()
        },
        MORE: f"Pairs of seeds in which {rnn} loses more than {in_points(MARGIN)} more by place than {lstm}",
    }
    found = []
    for claim, of_seeds in losses.items():
        if not of_seeds:
            found.append(Verdict(claim, judged(), "No seed knows enough to forget."))
            continue
        count, p = lost(of_seeds), adjusted[claim]
        mean = points(interval_of(claim, losses))
        evidence = (
            f"{counts[claim]}: {counted(count, len(of_seeds))}. The mean is {mean} points; sign test against half of "
            f"them, adjusted p = {p:.2g}."
        )
        found.append(Verdict(claim, judged(most(count, len(of_seeds), p)), evidence))
    return found


def interval_of(claim: str, losses: Losses) -> Interval:
    """The mean of what a claim counts, with its t interval over seeds; of the difference of two arms, Welch's."""
    if claim != MORE:
        return t_interval(list(losses[claim].values()))
    rnn, lstm = ([losses[FORGETS[arm]][seed] for seed in losses[MORE]] for arm in ("rnn", "lstm"))
    return welch_interval(rnn, lstm)
