"""Measurements of a model while it reads: gates, half-lives of cells, running prediction; the page's explorer."""

import copy
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from experiments.gradient.models import IMDB
from sentiment_rnn.data.batching import Batch
from sentiment_rnn.data.tokenizer import UNKNOWN_ID, Tokenizer
from sentiment_rnn.inference.probes import Unrolled, unroll
from sentiment_rnn.model.classifier import SentimentClassifier
from sentiment_rnn.report.pages import rounded

CINEMA = "but i was disappointed in the service and cleanliness of the cinema"
SENTENCES = {
    "weather": "the weather is hot today",
    "liked": "i really liked the movie",
    "cinema": f"i really liked the movie {CINEMA}",
    "hated": "i really hated the movie",
    "cinema, hated": f"i really hated the movie {CINEMA}",
}
"""Texts of ours, of which some models read each."""
EXPLORED = (
    "the weather is hot today",
    "i really liked the movie but i was disappointed in the service and cleanliness of the cinema",
    "i was disappointed in the service and cleanliness of the cinema but i really liked the movie",
    "a wonderful film , warm and funny from the first scene to the last",
    "a dull film , slow and empty from the first scene to the last",
    "not good",
    "not bad at all",
    "i did not like this film",
    "i did not expect to like this film , but i did",
    "the first hour is brilliant . then the story falls apart and nothing saves it",
    "the first hour is boring . then the story comes alive and nothing stops it",
    "everyone told me it was a masterpiece . everyone was wrong",
    "everyone told me it was terrible . everyone was wrong",
    "the acting is excellent , the music is excellent , the script is awful",
    "if you have two hours to waste , waste them elsewhere",
    "i laughed , i cried , and i called my mother afterwards",
    "it could have been great",
    "great ! we sat in row seven . it was a monday . the doors opened at eight . it rained . we took the bus home",
    "awful ! we sat in row seven . it was a monday . the doors opened at eight . it rained . we took the bus home",
    "the plot has holes , the effects are cheap , the jokes are old , and i loved every minute",
)
"""Texts of the explorer."""
EXPLORER = "explorer.json"
"""The file with them."""
GATES = ("forget", "input", "output")
LONGEST = 400
"""Tokens from the clause to the end of the generated reviews that are read."""
LONGEST_LIFE = 1e6
"""Tokens; of a unit that forgets next to nothing."""
SHARES = (0.1, 0.25, 0.5, 0.75, 1.0)
"""Parts of a review after which the running prediction is scored."""
UNITS = {"median": 0.5, "90th-percentile": 0.9, "longest-lived": 1.0}
"""Units of a net, by the quantile of their half-life."""
DRAWN = 24
"""Units that are drawn, and explored."""
PROBABILITY, RUNNING, SHUT, OPEN, HALF_LIFE, LONGER_HALF_LIFE, DIFFERENCE = (
    "probability", "running accuracy", "share below 0.1", "share above 0.9", "half-life of a cell [tokens]",
    "half-life after one opinion, the longer [tokens]", "largest difference from the module",
)  # fmt: skip
"""Metrics, each of something: `probability: cinema`."""


@torch.no_grad()
def read(model: SentimentClassifier, batch: Batch, tokenizer: Tokenizer, reviews: str) -> dict[str, float]:
    """Metrics, as in `results.csv`, of a model that reads the reviews of a batch, and the sentences where the reviews
    are IMDb's."""
    before_end = batch.lengths[:, None] - torch.arange(batch.tokens.shape[1])
    inside = before_end > 0
    counted = inside if reviews == IMDB else inside & (before_end <= LONGEST)
    unrolled = unroll(model, batch.tokens, batch.lengths)
    metrics = differences(model, batch, torch.stack(unrolled.states, 1)[inside], inside)
    for name, text in SENTENCES.items() if reviews == IMDB else ():
        said = read_text(model, tokenizer, text)
        metrics[f"{PROBABILITY}: {name}"] = said.running[0, -1].sigmoid().item()
    metrics |= running_accuracy(unrolled.running, batch.lengths, batch.labels)
    if unrolled.cells:
        for name in GATES:
            values = unrolled.gates[name][counted]
            metrics |= {f"{SHUT}: {name}": (values < 0.1).double().mean().item()}
            metrics |= {f"{OPEN}: {name}": (values > 0.9).double().mean().item()}
        metrics |= half_lives(unrolled.gates["forget"], counted, batch.labels == 1)
    return metrics


def differences(model: SentimentClassifier, batch: Batch, states: Tensor, inside: Tensor) -> dict[str, float]:
    """The largest difference between the module's states and those recomputed by the equations in float64, by the
    module's precision. In float32 a chaotic network amplifies its rounding errors over 400 steps.

    Args:
        states: float64 [N, H], the recomputed ones `inside` reviews.
    """
    embedded, encoder = model.backbone.embedding(batch.tokens), model.backbone.encoder
    of_module = {
        "float32": encoder(embedded, batch.lengths),
        "float64": copy.deepcopy(encoder).double()(embedded.double(), batch.lengths),
    }
    return {
        f"{DIFFERENCE}: {precision}": float((there[inside].double() - states).abs().max())
        for precision, there in of_module.items()
    }


def read_text(model: SentimentClassifier, tokenizer: Tokenizer, text: str) -> Unrolled:
    """Have a model read one text step by step."""
    tokens = tokenizer.split(text)
    ids = torch.from_numpy(tokenizer.ids(tokens).astype(np.int64))
    return unroll(model, ids[None], torch.tensor([len(tokens)]))


def running_accuracy(running: Tensor, lengths: Tensor, labels: Tensor) -> dict[str, float]:
    """The share of reviews whose `running [B, T]` logits are right after each part of the review. In a generated review
    one clause decides."""
    positions = [(lengths * share).ceil().long().clamp(min=1) - 1 for share in SHARES]
    logits = [running.gather(1, position[:, None])[:, 0] for position in positions]
    right = [float(((there > 0) == (labels == 1)).double().mean()) for there in logits]
    return {f"{RUNNING}: {share:g}": of_share for share, of_share in zip(SHARES, right, strict=True)}


def half_lives(forget: Tensor, counted: Tensor, positive: Tensor) -> dict[str, float]:
    """Half-lives of some units of a net [tokens], over all reviews, and over those of one opinion, whichever is longer.

    Args:
        forget: `[B, T, H]`, the forget gate; what is left of a cell is the product over tokens.
        counted: bool [B, T], the tokens that count.
        positive: bool [B].
    """
    longer = np.maximum(*(half_life(forget[counted & opinion[:, None]]) for opinion in (positive, ~positive)))
    lives = {HALF_LIFE: half_life(forget[counted]), LONGER_HALF_LIFE: longer}
    return {
        f"{metric}: {unit}": float(np.quantile(of_units, quantile))
        for unit, quantile in UNITS.items() for metric, of_units in lives.items()
    }  # fmt: skip


def half_life(forget: Tensor) -> np.ndarray:
    """float [H], tokens after which half of each unit's cell is left: ln ½ over the mean of ln f; `LONGEST_LIFE` at
    most.

    Args:
        forget: `[N, H]`, the forget gate.
    """
    decay = forget.log().mean(0).numpy()
    return np.asarray(np.log(0.5) / np.minimum(decay, np.log(0.5) / LONGEST_LIFE))


def explored(models: Mapping[str, SentimentClassifier], tokenizer: Tokenizer) -> str:
    """JSON, one entry per text: the probability of a positive review after each token, and an LSTM's gates and cells.
    Of its units those `DRAWN` are kept that have the largest weights in the output layer.

    Args:
        models: classifiers that `unroll` takes, by name; one of them is `lstm`.
    """
    chosen = models["lstm"].output.weight.detach()[0].abs().argsort(descending=True)[:DRAWN]
    entries = []
    for text in EXPLORED:
        tokens = tokenizer.split(text)
        unknown = [int(token) == UNKNOWN_ID for token in tokenizer.ids(tokens)]
        entry: dict[str, Any] = {"tokens": tokens, "unknown": unknown}
        for name, model in models.items():
            unrolled = read_text(model, tokenizer, text)
            entry[name] = rounded(unrolled.running[0].sigmoid().numpy(), 3)
            if unrolled.cells:
                entry["gates"] = {gate: rounded(unrolled.gates[gate][0][:, chosen].numpy(), 2) for gate in GATES}
                entry["gates"]["cell"] = rounded(torch.stack(unrolled.cells, 1)[0].detach()[:, chosen].numpy(), 2)
        entries.append(entry)
    return json.dumps(entries, ensure_ascii=False, separators=(",", ":")) + "\n"
