"""Counts of seeds that pages of `lag` take from another study are those of the committed results."""

from experiments.lab.study import find_study
from experiments.lab.table import read_results

PAGES = find_study("lag").folder
SETS = {"own_rate": "lag", "replication": "lag", "gradient_flow": "gradient"}
"""Study of each protocol that ran lag 50 with the draws of own_rate."""


def succeed_at_50(protocol: str, arm: str) -> tuple[int, int]:
    """How many seeds of an arm are right in more than 90 % at lag 50, and of how many."""
    table = read_results(find_study(SETS[protocol]).folder)
    of_arm = table[(table.protocol == protocol) & (table.arm == arm) & (table.condition == "50")]
    scores = of_arm[(of_arm.metric == "accuracy") & (of_arm.split == "test")].value
    return int((scores > 0.9).sum()), len(scores)


def test_the_three_sets_of_seeds_at_lag_50_are_those_of_the_results() -> None:
    lstm, rnn = ([succeed_at_50(protocol, arm) for protocol in SETS] for arm in ("lstm", "rnn"))
    text = (PAGES / "own_rate.md").read_text()
    assert f"Its {lstm[0][0]} of {lstm[0][1]} seeds with forget bias 1 against {rnn[0][0]} are" in text
    assert f"give {lstm[1][0]} against {rnn[1][0]} and {rnn[2][0]}." in text
    assert lstm[1] == lstm[2]
    pooled, seeds = map(sum, zip(*lstm, strict=True))
    assert f"it is {pooled} of {seeds} against {sum(k for k, _ in rnn)}." in text


def test_the_three_pairs_of_gains_are_those_of_the_results() -> None:
    scaled, plain = ([succeed_at_50(protocol, arm)[0] for protocol in SETS] for arm in ("rnn_gain", "rnn"))
    (first, *others) = zip(scaled, plain, strict=True)
    said = ", ".join([f"{first[0]} against {first[1]} seeds of 20", *(f"{k} against {m}" for k, m in others)])
    assert said in (PAGES / "own_rate.md").read_text()
