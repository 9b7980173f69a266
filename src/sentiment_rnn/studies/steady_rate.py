"""A vanilla RNN on IMDb, with a rate that several seeds chose. By experiments/steady_rate/protocol.md."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from sentiment_rnn.report.tables import Table, csv_text
from sentiment_rnn.studies import real_text, variants
from sentiment_rnn.studies.kit.arm_accuracies import (
    SEARCH,
    ArmOf,
    accuracy_findings,
    accuracy_study,
    best_accuracy,
    read_accuracies,
    whole_arms,
)
from sentiment_rnn.studies.kit.encoder_groups import Styles
from sentiment_rnn.studies.kit.findings import Findings
from sentiment_rnn.studies.kit.margin_comparisons import Claim, Pair
from sentiment_rnn.studies.kit.measurements import read_rows, read_styles
from sentiment_rnn.studies.kit.study import Sweep
from sentiment_rnn.tracking.results import RunResult

SEEDS = real_text.SEEDS
ONE_SEED = "rnn_one_seed"
"""The vanilla RNN of real_text, whose rate one seed chose."""
COMPARED = (
    ("An LSTM stays more than a point ahead of a vanilla RNN whose rate three seeds chose.", "lstm", "rnn"),
    ("It stays more than a point ahead of such an RNN with as many weights.", "lstm", "rnn_wide"),
    ("It stays more than a point ahead of such an RNN with two layers.", "lstm", "rnn_layers_2"),
    ("With such a rate, 400 tokens are worth more than a point over 100 to a vanilla RNN.", "rnn", "rnn_100"),
    (
        "With such a rate, the last 100 tokens are worth more than a point over the first 100 to a vanilla RNN.",
        "rnn_100", "rnn_first_100",
    ),
    ("A rate that three seeds chose makes a vanilla RNN better by more than a point.", "rnn", ONE_SEED),
)  # fmt: skip
"""Claims in the order of the protocol, each with its two arms."""
CLAIMS = tuple(
    Claim(number, text, (Pair(first, second),), real_text.MARGIN)
    for number, (text, first, second) in enumerate(COMPARED, 1)
)
COLUMNS = ("encoder", "learning_rate", "clip", "seed", "score")
"""Of the file of the searches."""


class TriedDraw(NamedTuple):
    """A draw of learning rate and clipping that several seeds tried."""

    learning_rate: float
    clip: float
    """Largest norm of the gradient."""
    scores: dict[int, float]
    """Best validation accuracy [%] by seed; 0 where the loss became no number."""

    @property
    def mean(self) -> float:
        """Over the seeds."""
        return math.fsum(self.scores.values()) / len(self.scores)


def several_seeds_a_draw(searched: Sequence[RunResult], arm_of: ArmOf) -> str:
    """The content of `search.csv` where each draw has a run for each seed."""
    rows = [
        (
            arm_of(run), run.learning_rate, float(run.config.optimizer.gradient_clip_norm), run.seed,
            0.0 if run.diverged else best_accuracy(run),
        )
        for run in searched
    ]  # fmt: skip
    return csv_text(COLUMNS, rows)


def read_tried(folder: Path) -> dict[str, list[TriedDraw]]:
    """The draws of each arm, from what `several_seeds_a_draw` wrote, in the order in which they were tried.

    Raises:
        UserError: the file is missing or damaged.
    """
    found: dict[str, dict[tuple[float, float], dict[int, float]]] = {}
    for row in read_rows(folder, SEARCH):
        draws = found.setdefault(row["encoder"], {})
        scores = draws.setdefault((float(row["learning_rate"]), float(row["clip"])), {})
        scores[int(row["seed"])] = float(row["score"])
    return {arm: [TriedDraw(*draw, scores) for draw, scores in draws.items()] for arm, draws in found.items()}


def chosen(draws: Sequence[TriedDraw]) -> TriedDraw:
    """The draw with the best mean; of equal ones, that of the lower learning rate, and then the first."""
    return min(draws, key=lambda draw: (-draw.mean, draw.learning_rate))


def tried_table(tried: dict[str, list[TriedDraw]], styles: Styles) -> Table:
    """What each seed reached with each draw; the chosen ones are bold."""
    rows = []
    for arm, draws in tried.items():
        best = chosen(draws)
        for draw in draws:
            mean = f"{draw.mean:.1f}"
            rows.append((
                styles[arm].label, f"{draw.learning_rate:.2g}", f"{draw.clip:.2g}",
                " ".join(f"{score:.1f}" for score in draw.scores.values()), f"**{mean}**" if draw is best else mean,
            ))  # fmt: skip
    title = (
        "Best validation accuracy [%] of three epochs by draw, with each seed and in the mean; the chosen draw is bold"
    )
    return Table(title, ("encoder", "learning rate", "clip", "seeds", "mean"), rows)


def findings(folder: Path) -> Findings:
    """Findings from the files, and from those of real_text in the folder beside this one.

    Raises:
        UserError: a file is missing or damaged, of this study or of real_text.
    """
    beside, own = folder.parent / real_text.STUDY.name, read_accuracies(folder, SEEDS)
    earlier, before = read_accuracies(beside, SEEDS), read_styles(beside)
    plain = {arm: earlier[name] for arm, name in ((ONE_SEED, "rnn"), ("lstm", "lstm")) if name in earlier}
    accuracies = whole_arms({**own, **plain}) if own else {}
    one_seed = before["rnn"]._replace(label=f"{before['rnn'].label}, chosen by one seed")
    styles = {"lstm": before["lstm"], **read_styles(folder), ONE_SEED: one_seed}
    search = Findings([], [])
    if (folder / SEARCH).is_file():
        search = Findings([tried_table(read_tried(folder), styles)], [])
    return accuracy_findings(accuracies, styles, CLAIMS, SEEDS, (ONE_SEED, "lstm"), search)


CHANGES = ("", "_100", "_first_100")
"""What the names of its sweeps end with."""
SWEEPS = (
    *(Sweep(f"steady_rate_search{change}", chooses_rates=True) for change in CHANGES),
    *(Sweep(f"steady_rate{change}") for change in CHANGES),
)

STUDY = accuracy_study(
    "steady_rate", 87, SWEEPS, findings, variants.arm_of, variants.change_of, draws_of=several_seeds_a_draw
)
