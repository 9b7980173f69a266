"""A close look at one text: the model's probability after each token, its gates, and the effect of each sentence."""

import re
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple, cast

import numpy as np
import torch
from torch import nn

from sentiment_rnn.data.batching import cut
from sentiment_rnn.data.tokenizer import UNKNOWN_ID, whole
from sentiment_rnn.errors import UserError
from sentiment_rnn.inference.predictor import Predictor
from sentiment_rnn.model.cells import OwnLayer
from sentiment_rnn.probes.unrolled import unroll

GATES = ("forget", "input", "output")
UNITS = 32
"""Units whose gates are kept, those that the output layer weighs most."""
SENTENCE = re.compile(r".+?(?:(?<=[.!?])\s+|\n+|\Z)", re.DOTALL)
"""With what parts it from the next one, which can be tokens too."""


class Sentence(NamedTuple):
    """A sentence that was read, at least in part."""

    text: str
    without: float
    """Probability that the text is positive with this sentence left out; NaN where nothing is left."""
    change: float
    """The probability with it, minus that without it."""


@dataclass(frozen=True)
class Inspection:
    """Values of a model while it read a text."""

    name: str
    """Label of the encoder."""
    run: str
    tokens: list[str]
    """T tokens that were read."""
    unknown: list[bool]
    """[T], whether a token is not in the vocabulary."""
    unread: int
    """Tokens of the text that were not read."""
    running: np.ndarray
    """float32 [T], the model's probability if the text ended after this token."""
    gates: dict[str, np.ndarray]
    """By gate, and `cell` for the cell state: float [T, units]. Of the last layer. Empty for all but an LSTM and an
    sLSTM in one direction, pooled at its last state."""
    sentences: list[Sentence]

    @property
    def probability(self) -> float:
        """Probability that the text is positive."""
        return float(self.running[-1])


def inspect(predictor: Predictor, text: str) -> Inspection:
    """Read a text and all its beginnings, and the text without each of its sentences.

    Raises:
        UserError: the text has no token, or the model reads words in a random order.
    """
    if predictor.package.reading.shuffle_span:
        raise UserError("the model reads the words of a text in a random order, so there is no reading to follow")
    tokenizer = predictor.package.tokenizer
    split = [(part, tokenizer.split(part)) for part in SENTENCE.findall(whole(text))]
    parts, tokens = [part.strip() for part, found in split if found], [found for _, found in split if found]
    if not parts:
        raise UserError("the text has no word and no mark; there is nothing to inspect")
    documents = [tokenizer.ids(found) for found in tokens]
    ids, words = np.concatenate(documents), list(chain.from_iterable(tokens))
    read = part_read(predictor, np.arange(len(ids)))
    kept = ids[read]
    running = predictor.probabilities([part_read(predictor, ids[: position + 1]) for position in read])
    return Inspection(
        name=predictor.package.label,
        run=predictor.package.reading.run,
        tokens=[words[position] for position in read],
        unknown=(kept == UNKNOWN_ID).tolist(),
        unread=len(ids) - len(read),
        running=running,
        gates=gates_of(predictor, kept),
        sentences=sentences_of(predictor, parts, documents, read, float(running[-1])),
    )


def part_read(predictor: Predictor, ids: np.ndarray) -> np.ndarray:
    """Part of a text that the model reads: of its tokens, or of any other values with one for each token."""
    return cut(ids, predictor.package.reading.max_tokens, predictor.package.reading.keep)


def gates_of(predictor: Predictor, ids: np.ndarray) -> dict[str, np.ndarray]:
    """By gate, and `cell`: float [T, units], of the units that the output layer weighs most; empty without cells."""
    model = predictor.package.model
    try:
        unrolled = unroll(model, torch.from_numpy(ids.astype(np.int64))[None], torch.tensor([len(ids)]))
    except ValueError:  # it has two directions, or is not pooled at its last state
        return {}
    layers = cast(nn.ModuleList, model.backbone.encoder.forwards)
    if not unrolled.cells or isinstance(layers[-1], OwnLayer):  # its units are not those that the output layer weighs
        return {}
    units = model.output.weight.detach()[0].abs().argsort(descending=True)[:UNITS]
    found = {gate: unrolled.gates[gate][0][:, units].numpy() for gate in GATES if gate in unrolled.gates}
    memory = torch.stack(unrolled.cells, 1).detach()
    return found | {"cell": (memory[0][:, units] / unrolled.kind.normalizer(memory)[0][:, units]).numpy()}


def sentences_of(
    predictor: Predictor, parts: list[str], documents: list[np.ndarray], read: np.ndarray, probability: float
) -> list[Sentence]:
    """Effect of leaving out each sentence. A sentence of which nothing was read is not listed, since it changes
    nothing."""
    owner = np.repeat(np.arange(len(parts)), [len(ids) for ids in documents])
    ids = np.concatenate(documents)
    seen = np.unique(owner[read])
    without = predictor.probabilities([part_read(predictor, ids[owner != part]) for part in seen])
    return [
        Sentence(parts[part].strip(), float(left), probability - float(left))
        for part, left in zip(seen, without, strict=True)
    ]
