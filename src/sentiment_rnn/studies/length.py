"""How much of a review an encoder needs and can use, by read-out; what neutral sentences behind a review cost it."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from mlflow.entities import Run
from torchmetrics.functional.classification import binary_auroc
from tqdm import tqdm

from sentiment_rnn import runtime
from sentiment_rnn.analysis.figures import color_of, decorate_accuracy, draw_level, new_figure, styled
from sentiment_rnn.analysis.predictions import Predictions, correct_by_seed
from sentiment_rnn.analysis.statistics import bootstrap_difference, quantile_bins, spread
from sentiment_rnn.analysis.tables import Table
from sentiment_rnn.data.batching import Reviews
from sentiment_rnn.data.corpus import Split
from sentiment_rnn.data.generated import NEUTRAL
from sentiment_rnn.data.text import Vocab, encode, tokenize
from sentiment_rnn.model.classifier import SentimentClassifier
from sentiment_rnn.studies.findings import Findings, Verdict, csv_text, judged, least_to_most, mean_of, points
from sentiment_rnn.studies.starts import seed_of
from sentiment_rnn.studies.trained import best, data_of
from sentiment_rnn.tracking.results import predictions_of, runs_of
from sentiment_rnn.tracking.store import Store

EXPERIMENTS = ("length_tokens",)
WHOLE = 400
"""`max_tokens` of the runs that read filler, and of the verdict."""
FILLER = (0, 25, 50, 100, 200, 400)
"""Neutral tokens behind a review."""
IN_FRONT = f"{FILLER[-1]} in front"
"""As many as the most of them, but before the review: as strange a text, in which there is nothing to be forgotten."""
REVIEWS = 2000
KNOWS = 0.6
"""AUROC from which a seed knows something that it can forget."""

Arm = tuple[str, str]
"""Encoder and pooling."""
ARMS: tuple[Arm, ...] = (("rnn", "last"), ("rnn", "mean_max"), ("lstm", "last"), ("lstm", "mean_max"))
"""As they stand in tables and figures."""
Runs = dict[Arm, list[Run]]
BySeed = dict[int, float]


def findings(store: Store) -> Findings:
    """What the sweeps say."""
    runtime.prepare(runtime.cores())
    by_tokens = by_arm(runs_of(store, "length_tokens"), tokens_of)
    read_with_filler = {
        arm: filler_scores(store, runs)
        for arm, runs in tqdm(by_tokens[WHOLE].items(), "Reading with filler", unit=" arms", disable=None, leave=False)
    }
    whole = {arm: [predictions_of(store, run) for run in runs] for arm, runs in by_tokens[WHOLE].items()}
    tokens = {amount: {arm: accuracies(runs) for arm, runs in arms.items()} for amount, arms in by_tokens.items()}
    filler = {at: {arm: found[at] for arm, found in read_with_filler.items()} for at in (*FILLER, IN_FRONT)}
    rows = [
        (measure, at, *arm, seed, value)
        for measure, found in (("accuracy by max_tokens", tokens), ("AUROC by filler", filler))
        for at, arms in found.items()
        for arm, by_seed in arms.items()
        for seed, value in by_seed.items()
    ]
    return Findings(
        tables=[
            accuracy_table("Test accuracy [%] by the number of tokens read, the last ones", tokens),
            accuracy_table(
                f"AUROC [%] by the neutral tokens behind the review ({REVIEWS} reviews, trained on {WHOLE} tokens)",
                filler,
            ),
        ],
        figures={"length": length_figure(tokens, filler, whole)},
        results=csv_text(("measure", "at", "encoder", "pooling", "seed", "value"), rows),
        verdicts=verdicts(whole, filler),
    )


def by_arm(runs: Sequence[Run], at: Callable[[Run], Any]) -> dict[Any, Runs]:
    """Runs by a setting, in its order, and by encoder and pooling, each by seed."""
    found: dict[Any, Runs] = {}
    for run in sorted(runs, key=lambda run: (at(run), ARMS.index(arm_of(run)), seed_of(run))):
        found.setdefault(at(run), {}).setdefault(arm_of(run), []).append(run)
    return found


def arm_of(run: Run) -> Arm:
    """Which arm a run belongs to."""
    return run.data.params["encoder.name"], run.data.params["pooling.name"]


def tokens_of(run: Run) -> int:
    """How many tokens of a review a run reads."""
    return int(run.data.params["data.max_tokens"])


def accuracies(runs: Sequence[Run]) -> BySeed:
    """Test accuracy by seed."""
    return {seed_of(run): float(run.data.metrics["test/accuracy"]) for run in runs}


def filler_scores(store: Store, runs: Sequence[Run]) -> dict[int | str, BySeed]:
    """Area under the ROC curve by seed, with as many neutral tokens behind every review, or `IN_FRONT` of it.

    Not accuracy: words that move every logit alike would cost it, and nothing would be forgotten.
    """
    found: dict[int | str, BySeed] = {at: {} for at in (*FILLER, IN_FRONT)}
    for run in runs:
        config, data = data_of(store, run)
        model, reviews = best(store, run), data.reviews("test")
        chosen = np.random.default_rng(0).permutation(len(reviews))[:REVIEWS]
        chosen = chosen[np.argsort(reviews.lengths[chosen])]
        labels = torch.from_numpy(reviews.split.labels[chosen].astype(np.int64))
        parts = np.array_split(chosen, -(-len(chosen) // config.data.eval_batch_size))
        for at in found:
            neutral = neutral_tokens(data.corpus.vocabulary, FILLER[-1] if isinstance(at, str) else at)
            texts = [[with_filler(reviews.tokens_of(i), neutral, at == IN_FRONT) for i in part] for part in parts]
            logits = torch.cat([read(model, part, config.precision == "bfloat16") for part in texts])
            found[at][seed_of(run)] = float(binary_auroc(logits.sigmoid(), labels))
    return found


def with_filler(review: np.ndarray, neutral: np.ndarray, in_front: bool) -> np.ndarray:
    """The tokens of a review with neutral ones behind it, or in front of it."""
    return np.concatenate([neutral, review] if in_front else [review, neutral])


def neutral_tokens(vocabulary: Vocab, amount: int) -> np.ndarray:
    """int64 [amount]: neutral sentences of the generated reviews, one after another; the last token is a full stop."""
    sentences = np.array(encode(vocabulary, tokenize(" . ".join(NEUTRAL) + " .")), dtype=np.int64)
    tokens = np.resize(sentences, amount)
    tokens[-1:] = sentences[-1]
    return tokens


def read(model: SentimentClassifier, texts: Sequence[np.ndarray], half: bool) -> torch.Tensor:
    """Logits `[B]` of token arrays, padded to the longest."""
    batch = Reviews(Split.of(texts), max(map(len, texts)), "tail")[list(range(len(texts)))]
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
        return model(batch.tokens, batch.lengths)


def name_of(arm: Arm) -> str:
    """What an arm is called in tables and figures."""
    return f"{arm[0]}, {'last state' if arm[1] == 'last' else 'mean and max'}"


def accuracy_table(title: str, found: Mapping[Any, Mapping[Arm, BySeed]]) -> Table:
    """A row an arm, a column for each setting, in percent."""
    arms = list(next(iter(found.values())))
    rows = [(name_of(arm), *(mean_of([100 * v for v in found[at][arm].values()]) for at in found)) for arm in arms]
    return Table(title, ("encoder", *map(str, found)), rows)


@styled
def length_figure(
    tokens: Mapping[int, Mapping[Arm, BySeed]],
    filler: Mapping[Any, Mapping[Arm, BySeed]],
    whole: Mapping[Arm, Sequence[Predictions]],
) -> Figure:
    """Accuracy by tokens read and by review length; AUROC by filler."""
    figure, (by_tokens, by_length, by_filler) = new_figure(3, width=4.2, height=4)
    for arm in whole:
        _line(by_tokens, list(tokens), [list(arms[arm].values()) for arms in tokens.values()], arm)
        _line(by_length, *_by_length(whole[arm]), arm)
        _line(by_filler, FILLER, [list(filler[amount][arm].values()) for amount in FILLER], arm)
    for axes, title in ((by_tokens, "tokens read"), (by_length, "length of the review")):
        decorate_accuracy(axes, title)
    figure.legend(*by_tokens.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    draw_level(by_filler, 0.5)
    title = "AUROC with neutral tokens behind"
    by_filler.set(title=title, xlabel="neutral tokens", ylabel="AUROC", ylim=(0.4, 1.01))
    return figure


def _line(axes: Axes, x: Sequence[float], values: Sequence[Sequence[float]], arm: Arm) -> None:
    mean, deviation = np.array([spread(list(value)) for value in values]).T
    style = "--" if arm[1] == "last" else "-"
    axes.plot(x, mean, style, marker="o", markersize=4, color=color_of(arm[0], 0), label=name_of(arm), linewidth=1.6)
    axes.fill_between(x, mean - deviation, mean + deviation, color=color_of(arm[0], 0), alpha=0.15, linewidth=0)


def _by_length(predictions: Sequence[Predictions]) -> tuple[list[float], list[list[float]]]:
    lengths = predictions[0].lengths
    centers, accuracies = [], []
    for low, high in pairwise(quantile_bins(lengths, 8)):
        inside = (lengths >= low) & (lengths < high)
        if inside.any():
            centers.append(float(np.median(lengths[inside])))
            accuracies.append([float(prediction.correct[inside].mean()) for prediction in predictions])
    return centers, accuracies


def verdicts(whole: Mapping[Arm, Sequence[Predictions]], filler: Mapping[Any, Mapping[Arm, BySeed]]) -> list[Verdict]:
    """Whether the read-out closes the gap, and whether filler makes the encoders forget."""
    gaps = {}
    for pooling in ("last", "mean_max"):
        lstm, rnn = (correct_by_seed(whole[encoder, pooling]) for encoder in ("lstm", "rnn"))
        gaps[pooling] = bootstrap_difference(lstm, rnn, 2000)
    last, everywhere = gaps["last"], gaps["mean_max"]
    behind, front = ({name: lost(filler, at, name) for name in ("rnn", "lstm")} for at in (FILLER[-1], IN_FRONT))
    measured = bool(behind["rnn"] and behind["lstm"])
    forgets = measured and min(behind["rnn"]) > max(behind["lstm"])
    return [
        Verdict(
            "On real reviews the vanilla RNN's weakness is its memory, not what it sees in the words.",
            judged(last.low > 0 and everywhere.high < last.low / 2, last.low > 0 and everywhere.high < last.low),
            f"Read out at the last state the LSTM leads by {points(last)} points, over all states by "
            f"{points(everywhere)}.",
        ),
        Verdict(
            "An RNN forgets the review over what comes after it, and an LSTM does not.",
            judged(
                forgets and min(behind["rnn"]) > max(0.5, *front["rnn"]) and max(behind["lstm"]) < 0.1,
                forgets,
            ),
            f"{FILLER[-1]} neutral tokens behind a review take {_shares(behind['rnn'])} of what the RNN's AUROC was "
            f"above chance, and {_shares(behind['lstm'])} of the LSTM's; in front of it {_shares(front['rnn'])} and "
            f"{_shares(front['lstm'])} (least and most of the seeds whose AUROC was above {KNOWS:g}: "
            f"{len(behind['rnn'])} and {len(behind['lstm'])}; all read out at the last state).",
        ),
    ]


def lost(filler: Mapping[Any, Mapping[Arm, BySeed]], at: int | str, encoder: str) -> list[float]:
    """How much of its AUROC above chance filler takes, of each seed that `KNOWS`, read out at the last state."""
    before, after = filler[0][encoder, "last"], filler[at][encoder, "last"]
    return [(before[seed] - after[seed]) / (before[seed] - 0.5) for seed in before if before[seed] > KNOWS]


def _shares(values: Sequence[float]) -> str:
    """`27 to 73 %`; rounded first, since -0.1 % is 0, not -0."""
    percent = [round(100 * value) for value in values]
    return f"{least_to_most(percent)} %" if values else "nothing that can be measured"
