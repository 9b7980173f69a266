"""The tasks of the protocol, its claims, and its rules for their verdicts."""

from collections.abc import Sequence
from typing import NamedTuple

from sentiment_rnn.report.shares import counted, share_interval
from sentiment_rnn.report.statistics import BySeed
from sentiment_rnn.studies.kit.encoder_groups import Styles
from sentiment_rnn.studies.kit.learnt_shares import MOST
from sentiment_rnn.studies.kit.margin_comparisons import (
    Adjusted,
    ScoreClaim,
    ScorePair,
    TaskScores,
    mean_score,
    verdicts_on,
)
from sentiment_rnn.studies.kit.verdicts import Verdict, above, judged

LEARNS = 0.9
"""A seed learns a task where it keeps more than this share."""
MARGIN = 0.1
"""A difference in what is kept that counts as none."""
COPYING = {
    1: "copying 1 symbol over 27 steps",
    2: "copying 2 symbols over 26 steps",
    4: "copying 4 symbols over 24 steps",
    8: "copying 8 symbols over 20 steps",
}
"""By the number of binary symbols, each of which is kept for 28 steps. They are titles as `SequenceTaskConfig` has."""
ADDING = ("adding over 50 steps", "adding over 200 steps")
TASKS = (*COPYING.values(), *ADDING)
SEEDS = range(80, 100)


class LearningClaim(NamedTuple):
    """That most seeds of an arm learn a task; each task is a part."""

    number: int
    """In the protocol."""
    text: str
    arm: str
    tasks: tuple[str, ...]


def pairs(first: str, second: str, tasks: Sequence[str]) -> tuple[ScorePair, ...]:
    """Two arms, on each of some tasks."""
    return tuple(ScorePair(first, second, task) for task in tasks)


LEARNING = (
    LearningClaim(1, "A vanilla RNN keeps one bit for 28 steps.", "rnn", (COPYING[1],)),
    LearningClaim(2, "A vanilla RNN keeps eight bits for 28 steps.", "rnn", (COPYING[8],)),
    LearningClaim(3, "An LSTM keeps eight bits for 28 steps.", "lstm", (COPYING[8],)),
    LearningClaim(8, "An LSTM learns to add.", "lstm", ADDING),
    LearningClaim(9, "A vanilla RNN learns to add.", "rnn", ADDING),
)
SEVERAL_SYMBOLS = tuple(task for symbols, task in COPYING.items() if symbols > 1)
COMPARISONS = (
    ScoreClaim(4, "An LSTM usually keeps more bits than a vanilla RNN.", pairs("lstm", "rnn", SEVERAL_SYMBOLS), MARGIN),
    ScoreClaim(
        5, "A ReLU RNN that starts with the identity keeps as many bits as an LSTM.",
        pairs("rnn_relu", "lstm", SEVERAL_SYMBOLS), MARGIN, equal=True,
    ),
    ScoreClaim(6, "A GRU keeps as many bits as an LSTM.", pairs("gru", "lstm", SEVERAL_SYMBOLS), MARGIN, equal=True),
    ScoreClaim(
        7, "Chrono initialization for 50 steps usually makes an LSTM keep more bits.",
        pairs("lstm_chrono_50", "lstm", SEVERAL_SYMBOLS), MARGIN,
    ),
    ScoreClaim(
        10, "A ReLU RNN that starts with the identity adds as well as an LSTM.", pairs("rnn_relu", "lstm", ADDING),
        MARGIN, equal=True,
    ),
    ScoreClaim(11, "An LSTM usually adds better than a vanilla RNN.", pairs("lstm", "rnn", ADDING), MARGIN),
)  # fmt: skip


def verdicts(adjusted: Adjusted, scores: TaskScores, styles: Styles) -> list[Verdict]:
    """By the rules of the protocol, in its order; a claim of which nothing was run is left out."""
    found = {claim.number: verdicts_on_learning(claim, scores, styles) for claim in LEARNING}
    found |= {claim.number: verdicts_on([claim], adjusted, scores, styles) for claim in COMPARISONS}
    return [verdict for number in sorted(found) for verdict in found[number]]


def verdicts_on_learning(claim: LearningClaim, scores: TaskScores, styles: Styles) -> list[Verdict]:
    """Whether most seeds of an arm learn: a verdict, or none where nothing was run.

    A task that was not run leaves its part open.
    """
    of_arm = {task: scores[task][claim.arm] for task in claim.tasks if claim.arm in scores.get(task, {})}
    if not of_arm:
        return []
    parts = [above(share_interval(*learnt(of_arm[task])), MOST) if task in of_arm else None for task in claim.tasks]
    counts = "; ".join(
        f"{task}, {counted(*learnt(of_arm[task]))} with {mean_score(of_arm[task])} kept"
        if task in of_arm else f"{task}, not run with all seeds"
        for task in claim.tasks
    )  # fmt: skip
    return [Verdict(claim.text, judged(*parts), f"Seeds of {styles[claim.arm].label} that learn: {counts}.")]


def learnt(by_seed: BySeed) -> tuple[int, int]:
    """How many seeds learn, and of how many."""
    return sum(score > LEARNS for score in by_seed.values()), len(by_seed)
