"""Verdicts on the gradient, by the rules of experiments/gradient_flow/protocol.md."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from sentiment_rnn.report.p_values import LEVEL, higher_share, rank_p
from sentiment_rnn.report.shares import counted, share_interval
from sentiment_rnn.report.statistics import BySeed, Interval, geometric_interval, t_interval, with_bounds
from sentiment_rnn.studies.gradient_flow.measurements import STEPS, Rate, by_seed
from sentiment_rnn.studies.kit.encoder_groups import Styles
from sentiment_rnn.studies.kit.learnt_shares import fails, learns, seeds_above
from sentiment_rnn.studies.kit.planned_runs import GENERATED, IMDB
from sentiment_rnn.studies.kit.scores import REMEMBERS, Scores
from sentiment_rnn.studies.kit.verdicts import Verdict, above, below, every, judged, within
from sentiment_rnn.studies.learnability import LSTMS, TANH_RNNS

MARGIN = 0.02
"""A difference of two rates that counts as none."""
TENTH = 0.1
"""Share of the gradient that has to be left `STEPS` before the end."""
UNKNOWN = Interval(math.nan, math.nan, math.nan)
NO_ARM = "No arm is such."


class Mixed(NamedTuple):
    """The rates after training of the seeds of one arm, of which some learn and some do not."""

    arm: str
    learn: list[float]
    fail: list[float]


def verdicts(rates: Sequence[Rate], scores: Scores, styles: Styles) -> list[Verdict]:
    """By the rules of the protocol, in its order."""
    return [
        decays(rates, styles),
        theory_says(
            "Before training, theory says what the gradient of a tanh RNN is multiplied by.", rates, styles,
            TANH_RNNS,
        ),
        theory_says(
            "Before training, its mean forget gate says what the gradient of an LSTM is multiplied by.", rates, styles,
            LSTMS,
        ),
        lstm_decays_less(rates),
        more_after_training(rates, styles),
        *reach_and_learning(rates, scores, styles),
        learners_decay_less(mixed_arms(rates, scores), styles),
    ]  # fmt: skip


def decays(rates: Sequence[Rate], styles: Styles) -> Verdict:
    """Claim 1."""
    found = {arm: before_training(rates, arm, lambda one: one.measured) for arm in ("rnn_uniform", "rnn")}
    return Verdict(
        "Before training, the gradient of a vanilla RNN decays at each step back.",
        judged(*(below(rate, 1) for rate in found.values())),
        f"At each step it is multiplied by {described(found, styles)}.",
    )


def theory_says(claim: str, rates: Sequence[Rate], styles: Styles, arms: Iterable[str]) -> Verdict:
    """Claims 2 and 3."""
    found = {arm: before_training(rates, arm, lambda one: one.measured - one.theory) for arm in arms}
    parts = (within(error, MARGIN) for error in found.values())
    return Verdict(claim, judged(*parts), f"Rate minus theory: {described(found, styles)}.")


def described(found: Mapping[str, Interval], styles: Styles) -> str:
    """`0.602 (0.600 to 0.604) (RNN, uniform); …`, of the arms that were run."""
    known = {arm: one for arm, one in found.items() if not math.isnan(one.estimate)}
    return "; ".join(f"{with_bounds(one, 3)} ({styles[arm].label})" for arm, one in known.items())


def lstm_decays_less(rates: Sequence[Rate]) -> Verdict:
    """Claim 4."""
    found = {
        f"{corpus}, {'after' if trained else 'before'} training": higher_in(
            *(by_seed(rates, corpus, arm, trained, lambda one: one.measured) for arm in ("lstm", "rnn"))
        )
        for corpus in (GENERATED, IMDB) for trained in (False, True)
    }  # fmt: skip
    return counted_verdict(
        "The gradient of an LSTM decays less than that of a vanilla RNN.", "the LSTM has the higher rate", found
    )


def more_after_training(rates: Sequence[Rate], styles: Styles) -> Verdict:
    """Claim 5."""
    found = {
        styles[arm].label if arm in styles else arm: higher_in(
            *(by_seed(rates, GENERATED, arm, trained, lambda one: one.left) for trained in (True, False))
        )
        for arm in ("rnn", "gru", "lstm")
    }
    return counted_verdict(
        "After training over 50 tokens, more of the gradient gets back so far.", "more is left than before it", found
    )


Count = tuple[int, int]
"""Seeds, and of how many."""


def higher_in(first: BySeed, second: BySeed) -> Count:
    """In how many of the seeds that have both the first value is higher."""
    both = first.keys() & second.keys()
    return sum(first[seed] > second[seed] for seed in both), len(both)


def counted_verdict(claim: str, what: str, counts: Mapping[str, Count]) -> Verdict:
    """Whether something is so in most seeds; each count is a part, by its name. One of no seed is open."""
    parts = (above(share_interval(*count), 1 / 2) if count[1] else None for count in counts.values())
    said = "; ".join(f"{counted(*count)} ({name})" for name, count in counts.items() if count[1])
    return Verdict(claim, judged(*parts), f"Seeds in which {what}: {said}.")


def reach_and_learning(rates: Sequence[Rate], scores: Scores, styles: Styles) -> list[Verdict]:
    """Claims 6 and 7, which are general: one arm refutes them. An arm whose interval holds the tenth is in neither."""
    left = {arm: left_of(rates, arm) for arm in scores}
    reached = [arm for arm in scores if above(left[arm], TENTH)]
    lost = [arm for arm in scores if below(left[arm], TENTH)]

    def said(arms: Iterable[str]) -> str:
        learned = "; ".join(f"{counted(*seeds_above(scores[arm][STEPS]))} of {styles[arm].label}" for arm in arms)
        return f"Seeds that learn: {learned}." if learned else NO_ARM

    return [
        Verdict(
            "Where a tenth of the gradient gets back 50 steps before training, an encoder learns 50 tokens.",
            judged(every(learns(scores, arm, STEPS) for arm in reached)), said(reached),
        ),
        Verdict(
            "Where less than a tenth gets back 50 steps before training, an encoder does not learn 50 tokens.",
            judged(every(fails(scores, arm, STEPS) for arm in lost)), said(lost),
        ),
    ]  # fmt: skip


def learners_decay_less(mixed: Sequence[Mixed], styles: Styles) -> Verdict:
    """Claim 8."""
    claim = "Of the seeds of one arm, those that learn end with a gradient that decays less."
    if not mixed:
        return Verdict(claim, judged(), NO_ARM)
    groups = [(arm.learn, arm.fail) for arm in mixed]
    share, p = higher_share(groups), rank_p(groups)
    arms = ", ".join(styles[arm.arm].label for arm in mixed)
    return Verdict(
        claim,
        judged(share > 1 / 2 if p <= LEVEL else None),
        f"Of the pairs of one that learns and one that does not, in {100 * share:.0f} % the one that learns has the "
        f"higher rate after training, p = {p:.2g}. The arms of which some learn: {arms}.",
    )


def mixed_arms(rates: Sequence[Rate], scores: Scores) -> list[Mixed]:
    """The arms of which some seeds learn and some do not."""
    found = []
    for arm, by_distance in scores.items():
        after = by_seed(rates, GENERATED, arm, True, lambda one: one.measured)
        score = by_distance[STEPS]
        learned = {seed for seed, right in zip(score.seeds, score.accuracies, strict=True) if right > REMEMBERS}
        learn = [rate for seed, rate in after.items() if seed in learned]
        fail = [rate for seed, rate in after.items() if seed not in learned]
        if learn and fail:
            found.append(Mixed(arm, learn, fail))
    return found


def before_training(rates: Iterable[Rate], arm: str, value: Callable[[Rate], float]) -> Interval:
    """Mean over seeds of a value before training on generated reviews; unknown where the arm was not run."""
    found = by_seed(rates, GENERATED, arm, False, value)
    return t_interval(list(found.values())) if found else UNKNOWN


def left_of(rates: Iterable[Rate], arm: str, corpus: str = GENERATED, trained: bool = False) -> Interval:
    """Geometric mean over seeds of the share of the gradient that is left `STEPS` before the end."""
    found = by_seed(rates, corpus, arm, trained, lambda one: one.left)
    return geometric_interval(list(found.values())) if found else UNKNOWN
