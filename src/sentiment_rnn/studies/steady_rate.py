"""A vanilla RNN on IMDb, with a rate that several seeds chose. By experiments/steady_rate/protocol.md."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

from sentiment_rnn.report.tables import Table
from sentiment_rnn.studies import real_text, variants
from sentiment_rnn.studies.kit.arm_accuracies import (
    SEARCH,
    accuracy_findings,
    accuracy_study,
    read_accuracies,
    whole_arms,
)
from sentiment_rnn.studies.kit.encoder_groups import Styles
from sentiment_rnn.studies.kit.findings import Findings
from sentiment_rnn.studies.kit.margin_comparisons import ScoreClaim, ScorePair
from sentiment_rnn.studies.kit.measurements import read_rows, read_styles, reading
from sentiment_rnn.studies.kit.random_search import Draw, best_draw
from sentiment_rnn.studies.kit.study import Sweep
from sentiment_rnn.tracking.results import RunResult

SEEDS = real_text.SEEDS
ONE_SEED = "rnn_one_seed"
"""The vanilla RNN of real_text, whose rate one seed chose."""
LSTM_AHEAD = "An LSTM stays more than a point ahead of a vanilla RNN whose rate three seeds chose."
LSTM_AHEAD_OF_WIDE = (
    "An LSTM stays more than a point ahead of a vanilla RNN with as many weights whose rate three seeds chose."
)
LSTM_AHEAD_OF_DEEP = (
    "An LSTM stays more than a point ahead of a vanilla RNN with two layers whose rate three seeds chose."
)
LENGTH = "With a rate that three seeds chose, 400 tokens are worth more than a point over 100 to a vanilla RNN."
PLACE = (
    "With a rate that three seeds chose, the last 100 tokens are worth more than a point over the first 100 to a "
    "vanilla RNN."
)
BETTER_RATE = "A rate that three seeds chose makes a vanilla RNN better by more than a point."
COMPARED = (
    (LSTM_AHEAD, "lstm", "rnn"),
    (LSTM_AHEAD_OF_WIDE, "lstm", "rnn_wide"),
    (LSTM_AHEAD_OF_DEEP, "lstm", "rnn_layers_2"),
    (LENGTH, "rnn", "rnn_100"),
    (PLACE, "rnn_100", "rnn_first_100"),
    (BETTER_RATE, "rnn", ONE_SEED),
)  # fmt: skip
"""Claims in the order of the protocol, each with its two arms; each says what it is about by itself."""
CLAIMS = tuple(
    ScoreClaim(number, text, (ScorePair(first, second),), real_text.MARGIN)
    for number, (text, first, second) in enumerate(COMPARED, 1)
)


def change_of(run: RunResult) -> str:
    """What the label of an arm says behind the encoder's."""
    return f"{variants.change_of(run)}, rate of three seeds"


@reading
def read_tried(folder: Path) -> dict[str, dict[Draw, list[float]]]:
    """The draws of each arm, each with the best validation accuracy [%] of each of its runs, 0 of one that diverged.

    A draw's score is their mean, to a thousandth of a point: less than one review, and more than the file's rounding.

    Raises:
        UserError: the file is missing or damaged.
    """
    scores: dict[str, dict[tuple[float, float], list[float]]] = {}
    for row in read_rows(folder, SEARCH):
        score, draw = float(row["score"]), (float(row["learning_rate"]), float(row["clip"]))
        of_arm = scores.setdefault(row["encoder"], {})
        of_arm.setdefault(draw, []).append(0.0 if math.isnan(score) else score)
    return {
        arm: {Draw(*draw, round(fmean(of_draw), 3)): of_draw for draw, of_draw in of_arm.items()}
        for arm, of_arm in scores.items()
    }


def tried_table(tried: Mapping[str, Mapping[Draw, Sequence[float]]], styles: Styles) -> Table:
    """What each seed reached with each draw."""
    rows = []
    for arm, draws in tried.items():
        best = best_draw(draws)
        for draw, scores in draws.items():
            mean = f"{draw.score:.1f}"
            rows.append((
                styles[arm].label, f"{draw.learning_rate:.2g}", f"{draw.clip:.2g}",
                " ".join(f"{score:.1f}" for score in scores), f"**{mean}**" if draw == best else mean,
            ))  # fmt: skip
    title = (
        "Best validation accuracy [%] of three epochs by draw: of each seed, and in the mean; the chosen draw is bold"
    )
    return Table(title, ("encoder", "learning rate", "clip", "seeds", "mean"), rows)


def findings(folder: Path) -> Findings:
    """Findings from the files, and from those of real_text in the folder beside this one.

    Raises:
        UserError: a file is missing or damaged, of this study or of real_text.
    """
    real_text_folder = folder.parent / real_text.STUDY.name
    before, styles = read_accuracies(real_text_folder, SEEDS), read_styles(real_text_folder)
    if "rnn" in styles:
        styles[ONE_SEED] = styles["rnn"]._replace(label=f"{styles['rnn'].label}, rate of one seed")
    styles |= read_styles(folder)
    own = read_accuracies(folder, SEEDS)
    arms = {ONE_SEED: before.get("rnn", {}), **own, "lstm": before.get("lstm", {})}
    accuracies = whole_arms(arms) if own else {}
    tables = [tried_table(read_tried(folder), styles)] if (folder / SEARCH).is_file() else []
    return accuracy_findings(accuracies, styles, CLAIMS, SEEDS, plain=(ONE_SEED, "lstm"), search=Findings(tables, []))


CHANGES = ("", "_100", "_first_100", "_layers", "_wide")
"""What the names of its sweeps end with."""
SWEEPS = (
    *(Sweep(f"steady_rate_search{change}", chooses_rates=True) for change in CHANGES),
    *(Sweep(f"steady_rate{change}") for change in CHANGES),
)

STUDY = accuracy_study(
    "steady_rate", 87, SWEEPS, findings, variants.arm_of, change_of, searched_by_seed=True,
    reads=(real_text.STUDY.name,),
)  # fmt: skip
