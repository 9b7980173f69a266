"""How much of a review an encoder needs and can use, by pooling; what neutral sentences behind a review cost it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torchmetrics.functional.classification import binary_auroc
from tqdm import tqdm

from sentiment_rnn import runtime
from sentiment_rnn.data.batching import Reviews
from sentiment_rnn.data.corpus import Split
from sentiment_rnn.data.sources.generated import NEUTRAL
from sentiment_rnn.data.tokenizer import Tokenizer
from sentiment_rnn.inference.predictions import Predictions, correct_by_seed
from sentiment_rnn.model.classifier import SentimentClassifier
from sentiment_rnn.report.figures import decorate_accuracy, draw_level, new_figure, styled
from sentiment_rnn.report.statistics import bootstrap_difference, quantile_bins, spread
from sentiment_rnn.report.tables import Table
from sentiment_rnn.studies.kit.encoder_groups import Styles, plain_styles_of
from sentiment_rnn.studies.kit.findings import Findings, Verdict, csv_text, judged, least_to_most, mean_of, points
from sentiment_rnn.studies.kit.restored import best, data_of
from sentiment_rnn.studies.kit.study import Study, Sweep
from sentiment_rnn.tracking.results import RunResult, results_of_sweeps
from sentiment_rnn.tracking.store import Store

WHOLE = 400
"""`max_tokens` of the runs that read filler, and of the verdict."""
FILLER = (0, 25, 50, 100, 200, 400)
"""Neutral tokens behind a review."""
IN_FRONT = f"{FILLER[-1]} in front"
"""The largest amount of filler, but before the review: the text is as unusual, and there is nothing to forget."""
FILLER_REVIEWS = 2000
"""Test reviews that are read with filler."""
KNOWS = 0.6
"""AUROC from which a seed knows something that it can forget."""
POOLINGS = {"last": "last state", "mean_max": "mean and max"}
"""Poolings in tables and figures; others go by their names."""

PooledEncoder = tuple[str, str]
"""Encoder and pooling, by their names."""
PooledResults = dict[PooledEncoder, list[RunResult]]
ScoreBySeed = dict[int, float]


def findings(store: Store) -> Findings:
    """Findings from the sweep over the number of tokens read."""
    runtime.prepare(runtime.cores())
    results = results_of_sweeps(store, "length_tokens")
    styles = plain_styles_of(results)
    by_tokens = by_setting(results, tokens_of)
    read_with_filler = {
        pooled: filler_scores(runs)
        for pooled, runs in tqdm(
            by_tokens[WHOLE].items(), "Reading with filler", unit=" encoders", disable=None, leave=False
        )
    }
    whole = {pooled: [result.predictions for result in runs] for pooled, runs in by_tokens[WHOLE].items()}
    tokens = {
        amount: {pooled: accuracies(runs) for pooled, runs in groups.items()} for amount, groups in by_tokens.items()
    }
    filler = {at: {pooled: scores[at] for pooled, scores in read_with_filler.items()} for at in (*FILLER, IN_FRONT)}
    measures: dict[str, Mapping[Any, Mapping[PooledEncoder, ScoreBySeed]]] = {
        "accuracy by max_tokens": tokens,
        "AUROC by filler": filler,
    }
    rows = [
        (measure, at, *pooled, seed, value)
        for measure, by_amount in measures.items()
        for at, groups in by_amount.items()
        for pooled, by_seed in groups.items()
        for seed, value in by_seed.items()
    ]
    return Findings(
        tables=[
            accuracy_by_setting_table("Test accuracy [%] by the number of tokens read, the last ones", tokens, styles),
            accuracy_by_setting_table(
                f"AUROC [%] by the neutral tokens behind the review ({FILLER_REVIEWS} reviews, trained on {WHOLE} "
                "tokens)",
                filler,
                styles,
            ),
        ],
        figures={"length": length_figure(tokens, filler, whole, styles)},
        results=csv_text(("measure", "at", "encoder", "pooling", "seed", "value"), rows),
        verdicts=verdicts(whole, filler),
    )


def by_setting(results: Sequence[RunResult], setting: Callable[[RunResult], Any]) -> dict[Any, PooledResults]:
    """Runs by a setting, in its order, then by encoder and pooling, as they first occur, each sorted by seed."""
    places = {pooled: place for place, pooled in enumerate(dict.fromkeys(map(pooled_encoder_of, results)))}
    groups: dict[Any, PooledResults] = {}
    for result in sorted(results, key=lambda r: (setting(r), places[pooled_encoder_of(r)], r.seed)):
        groups.setdefault(setting(result), {}).setdefault(pooled_encoder_of(result), []).append(result)
    return groups


def pooled_encoder_of(result: RunResult) -> PooledEncoder:
    """The encoder and pooling of a run."""
    return result.encoder, result.config.pooling.name


def tokens_of(result: RunResult) -> int:
    """How many tokens of a review a run reads."""
    return int(result.config.data.max_tokens)


def accuracies(results: Iterable[RunResult]) -> ScoreBySeed:
    """Test accuracy by seed."""
    return {result.seed: result.metrics["test/accuracy"] for result in results}


def filler_scores(results: Sequence[RunResult]) -> dict[int | str, ScoreBySeed]:
    """Area under the ROC curve by seed, for each amount of neutral tokens behind every review, and for `IN_FRONT`.

    Accuracy would also fall where filler moves every logit alike, though nothing was forgotten.
    """
    scores: dict[int | str, ScoreBySeed] = {at: {} for at in (*FILLER, IN_FRONT)}
    for result in results:
        data, model = data_of(result), best(result)
        reviews = data.reviews("test")
        chosen = np.random.default_rng(0).permutation(len(reviews))[:FILLER_REVIEWS]
        chosen = chosen[np.argsort(reviews.lengths[chosen])]
        labels = torch.from_numpy(reviews.split.labels[chosen].astype(np.int64))
        parts = np.array_split(chosen, -(-len(chosen) // result.config.data.eval_batch_size))
        for at in scores:
            neutral = neutral_tokens(data.corpus.tokenizer, FILLER[-1] if isinstance(at, str) else at)
            texts = [[with_filler(reviews.tokens_of(i), neutral, at == IN_FRONT) for i in part] for part in parts]
            logits = torch.cat([logits_of(model, part, result.config.precision == "bfloat16") for part in texts])
            scores[at][result.seed] = float(binary_auroc(logits.sigmoid(), labels))
    return scores


def with_filler(review: np.ndarray, neutral: np.ndarray, in_front: bool) -> np.ndarray:
    """The tokens of a review with neutral ones behind it, or in front of it."""
    return np.concatenate([neutral, review] if in_front else [review, neutral])


def neutral_tokens(tokenizer: Tokenizer, amount: int) -> np.ndarray:
    """int64 [amount]: neutral sentences of the generated reviews, one after another; the last token is a full stop."""
    sentences = tokenizer.encode(" . ".join(NEUTRAL) + " .").astype(np.int64)
    tokens = np.resize(sentences, amount)
    tokens[-1:] = sentences[-1]
    return tokens


def logits_of(model: SentimentClassifier, texts: Sequence[np.ndarray], half: bool) -> torch.Tensor:
    """Logits `[B]` of token arrays, padded to the longest; `half` computes in bfloat16."""
    batch = Reviews(Split.of(texts), max(map(len, texts)), "tail")[list(range(len(texts)))]
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
        return model(batch.tokens, batch.lengths)


def label_of(pooled: PooledEncoder, styles: Styles) -> str:
    """An encoder and its pooling in tables and figures."""
    encoder, pooling = pooled
    return f"{styles[encoder].label}, {POOLINGS.get(pooling, pooling)}"


def accuracy_by_setting_table(
    title: str, scores: Mapping[Any, Mapping[PooledEncoder, ScoreBySeed]], styles: Styles
) -> Table:
    """One row per encoder and pooling, one column per setting, in percent."""
    rows = []
    for pooled in dict.fromkeys(pooled for groups in scores.values() for pooled in groups):
        values = [[100 * value for value in groups.get(pooled, {}).values()] for groups in scores.values()]
        rows.append((label_of(pooled, styles), *(mean_of(of_setting) if of_setting else "" for of_setting in values)))
    return Table(title, ("encoder", *map(str, scores)), rows)


@styled
def length_figure(
    tokens: Mapping[int, Mapping[PooledEncoder, ScoreBySeed]],
    filler: Mapping[Any, Mapping[PooledEncoder, ScoreBySeed]],
    whole: Mapping[PooledEncoder, Sequence[Predictions]],
    styles: Styles,
) -> Figure:
    """Accuracy by tokens read and by review length; AUROC by filler."""
    figure, (by_tokens, by_length, by_filler) = new_figure(3, width=4.2, height=4)
    for pooled in whole:
        amounts = [amount for amount in tokens if pooled in tokens[amount]]
        _line(by_tokens, amounts, [list(tokens[amount][pooled].values()) for amount in amounts], pooled, styles)
        _line(by_length, *_by_length(whole[pooled]), pooled, styles)
        _line(by_filler, FILLER, [list(filler[amount][pooled].values()) for amount in FILLER], pooled, styles)
    for axes, title in ((by_tokens, "tokens read"), (by_length, "length of the review")):
        decorate_accuracy(axes, title)
    figure.legend(*by_tokens.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    draw_level(by_filler, 0.5)
    title = "AUROC with neutral tokens behind"
    by_filler.set(title=title, xlabel="neutral tokens", ylabel="AUROC", ylim=(0.4, 1.01))
    return figure


def _line(
    axes: Axes, x: Sequence[float], values: Sequence[Sequence[float]], pooled: PooledEncoder, styles: Styles
) -> None:
    mean, deviation = np.array([spread(list(value)) for value in values]).T
    line, color = "--" if pooled[1] == "last" else "-", styles[pooled[0]].color
    axes.plot(x, mean, line, marker="o", markersize=4, color=color, label=label_of(pooled, styles), linewidth=1.6)
    axes.fill_between(x, mean - deviation, mean + deviation, color=color, alpha=0.15, linewidth=0)


def _by_length(predictions: Sequence[Predictions]) -> tuple[list[float], list[list[float]]]:
    lengths = predictions[0].lengths
    centers, accuracies = [], []
    for low, high in pairwise(quantile_bins(lengths, 8)):
        inside = (lengths >= low) & (lengths < high)
        if inside.any():
            centers.append(float(np.median(lengths[inside])))
            accuracies.append([float(prediction.correct[inside].mean()) for prediction in predictions])
    return centers, accuracies


def verdicts(
    whole: Mapping[PooledEncoder, Sequence[Predictions]],
    filler: Mapping[Any, Mapping[PooledEncoder, ScoreBySeed]],
) -> list[Verdict]:
    """Whether pooling over all states closes the gap, and whether filler makes the encoders forget."""
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


def lost(filler: Mapping[Any, Mapping[PooledEncoder, ScoreBySeed]], at: int | str, encoder: str) -> list[float]:
    """The share of its AUROC above chance that filler takes from each seed that `KNOWS`, pooled at the last state."""
    before, after = filler[0][encoder, "last"], filler[at][encoder, "last"]
    return [(before[seed] - after[seed]) / (before[seed] - 0.5) for seed in before if before[seed] > KNOWS]


def _shares(values: Sequence[float]) -> str:
    """`27 to 73 %`; rounded first, since -0.1 % is 0, not -0."""
    rounded = [round(100 * value) for value in values]
    return f"{least_to_most(rounded)} %" if values else "nothing that can be measured"


STUDY = Study(name="length", order=60, sweeps=(Sweep("length_tokens"),), findings=findings)
