"""What does bfloat16 do to the memory of each encoder? By experiments/bfloat16/protocol.md."""

from collections.abc import Container
from pathlib import Path

from sentiment_rnn.report.statistics import paired_interval, percent, points
from sentiment_rnn.report.tables import Table
from sentiment_rnn.studies import own_rate
from sentiment_rnn.studies.kit.counted_seeds import SeedCounts, counting_study, read_seeds, seed_findings
from sentiment_rnn.studies.kit.encoder_groups import EncoderStyle
from sentiment_rnn.studies.kit.findings import Findings
from sentiment_rnn.studies.kit.scores import Score
from sentiment_rnn.studies.kit.share_comparisons import EQUIVALENT, Claim, Pair, verdicts_on
from sentiment_rnn.studies.kit.study import Sweep

DISTANCE = own_rate.DISTANCE
SEEDS = own_rate.SEEDS
HALF = "_bfloat16"
"""Ends the name of an arm in bfloat16; the one without it is in float32."""


def findings(folder: Path) -> Findings:
    """Findings from the files, and from those of own_rate in the folder beside this one.

    Raises:
        UserError: a file is missing, of this study or of own_rate.
    """
    seeds = beside(read_seeds(folder.parent / "own_rate", own_rate.SEEDS), read_seeds(folder, SEEDS))
    return seed_findings(folder, seeds, comparisons(), verdicts_on, more=[difference_table(seeds)])


def beside(single: SeedCounts, half: SeedCounts) -> SeedCounts:
    """The arms that were trained in both, each in bfloat16 behind the same in float32."""

    scores, styles, times = {}, {}, {}
    for arm in half.scores:
        if arm not in single.scores:
            continue
        label, color = single.styles[arm]
        styles[arm], styles[arm + HALF] = EncoderStyle(label, color), EncoderStyle(f"{label}, bfloat16", color)
        scores[arm], scores[arm + HALF] = single.scores[arm], half.scores[arm]
        times[arm], times[arm + HALF] = single.times[arm], half.times[arm]
    return SeedCounts(scores, styles, times, {}, max(single.missing, half.missing))


def comparisons() -> list[Claim]:
    """The protocol's claims, each of an arm in float32 and the same in bfloat16."""

    def pairs(*arms: str) -> tuple[Pair, ...]:
        return tuple(Pair(arm, arm + HALF, DISTANCE) for arm in arms)

    return [
        Claim(1, "bfloat16 takes memory from a vanilla RNN.", pairs("rnn", "rnn_relu"), EQUIVALENT),
        Claim(2, "bfloat16 takes memory from a GRU.", pairs("gru"), EQUIVALENT),
        Claim(3, "bfloat16 takes no memory from an LSTM.", pairs("lstm", "lstm_chrono"), EQUIVALENT, equal=True),
    ]


def difference_table(seeds: SeedCounts) -> Table:
    """Test accuracy in both precisions, and the mean difference by seed."""

    def by_seed(score: Score, chosen: Container[int]) -> dict[int, float]:
        found = zip(score.seeds, map(float, score.accuracies), strict=True)
        return {seed: accuracy for seed, accuracy in found if seed in chosen}

    rows = []
    for arm, by_distance in seeds.scores.items():
        if not arm.endswith(HALF):
            single, half = by_distance[DISTANCE], seeds.scores[arm + HALF][DISTANCE]
            in_both = set(half.seeds) & set(single.seeds)
            difference = paired_interval(by_seed(half, in_both), by_seed(single, in_both))
            rows.append((seeds.styles[arm].label, percent(single.interval), percent(half.interval), points(difference)))
    title = "Test accuracy over 50 tokens, and the mean difference by seed [points], with 95 % t intervals"
    return Table(title, ("encoder", "float32", "bfloat16", "difference"), rows)


STUDY = counting_study(
    "bfloat16", order=20, sweeps=(Sweep("bfloat16_50"),), findings=findings, reads=(own_rate.STUDY.name,)
)
