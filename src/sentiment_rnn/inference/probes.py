"""A close look at one text: the model's probability after each token, its gates, and the effect of each sentence."""

import copy
import re
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from sentiment_rnn.data.batching import cut
from sentiment_rnn.data.tokenizer import UNKNOWN_ID, whole
from sentiment_rnn.errors import UserError
from sentiment_rnn.inference.predictor import Predictor
from sentiment_rnn.model import cells
from sentiment_rnn.model.cells import AnyLayer, Cell, OwnLayer, cell_of
from sentiment_rnn.model.encoders.recurrent import Recurrent
from sentiment_rnn.model.ngrams import ngrams_of
from sentiment_rnn.model.pooling import Last


@dataclass(frozen=True)
class Unrolled:
    """Values of the last layer at every token, in float64; a list has `T` tensors of `[B, H]`."""

    embedded: Tensor
    """`[B, T, E]`, x_t."""
    states: list[Tensor]
    """h_t."""
    cells: list[Tensor]
    """C_t of an LSTM, `[B, memory · H]`; empty for a net without a cell state."""
    kind: Cell
    """The layer's cell."""
    gates: dict[str, Tensor]
    """`[B, T, H]`: `forget`, `input`, `output` and `candidate` of an LSTM, 1 for a gate that it lacks; `reset`,
    `update` and `candidate` of a GRU; empty for a net without gates."""
    logits: Tensor
    """`[B]`, logits from the state at each review's end."""
    running: Tensor
    """`[B, T]`, the logits that the output layer would give after each token."""


def unroll(classifier: Any, tokens: Tensor, lengths: Tensor) -> Unrolled:
    """Read reviews step by step, without dropout, with a graph through the states (not to the weights).

    Args:
        classifier: a `SentimentClassifier` with an encoder that reads as `Recurrent` does, in one direction, pooled at
            its last state.
        tokens: int64 [B, T].
        lengths: int64 [B].

    Raises:
        ValueError: the classifier is of another kind.
    """
    encoder = classifier.backbone.encoder
    kind = type(encoder)
    # An encoder with a `forward` or `read` of its own does more than the equations of `cells` say.
    as_cells = isinstance(encoder, Recurrent) and (kind.forward, kind.read) == (Recurrent.forward, Recurrent.read)
    if not as_cells or encoder.backwards is not None or not isinstance(classifier.pooling, Last):
        raise ValueError(f"{kind.__name__}: expected a recurrent encoder in one direction, pooling=last")
    layers = [cast(AnyLayer, copy.deepcopy(layer).double().requires_grad_(False)) for layer in encoder.forwards]
    embedded = classifier.backbone.embedding.weight.detach()[tokens].double()
    embedded.requires_grad_()  # so that every state is part of a graph
    stop, inputs = encoder.gradient_stop(lengths), embedded
    for below in layers[:-1]:
        inputs = encoder.between(cells.states(below, inputs, stop))
    layer = layers[-1]
    steps = list(cells.steps(layer, inputs, stop))
    read_out = classifier.output.weight.detach().double()[0], classifier.output.bias.detach().double()
    running = torch.stack([step.state @ read_out[0] + read_out[1] for step in steps], 1)
    return Unrolled(
        embedded=embedded,
        states=[step.state for step in steps],
        cells=[step.cell for step in steps] if cell_of(layer).cell_state else [],
        kind=cell_of(layer),
        gates={name: torch.stack([step.gates[name].detach() for step in steps], 1) for name in steps[0].gates},
        logits=running.gather(1, lengths[:, None] - 1)[:, 0],
        running=running.detach(),
    )


def gradient_by_step_back(classifier: Any, batch: Any) -> np.ndarray:
    """Median over reviews of ‖∂L/∂x_t‖, x_t being the embedded token t, by steps back from the review's end.

    Every path from a token to the loss goes through its embedding, so this is what training can learn from it,
    whatever the encoder. Computed in float32 without dropout; values below 1e-38 read as 0 where denormals are
    flushed.

    Args:
        classifier: a `SentimentClassifier`.
        batch: a `Batch` of B reviews, on the classifier's device.

    Returns:
        float [D]: element k is k tokens from the end; D is a length that at least half of the reviews have.
    """
    was_training = classifier.training
    classifier.eval()
    # cuDNN computes no gradient of a recurrent net in evaluation mode.
    with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):
        embedded = classifier.backbone.embedding(batch.tokens).detach().requires_grad_()
        logits = classifier.classify(embedded, batch.lengths)
        # The sum, not the mean, so that a review's gradient does not depend on the other reviews of the batch.
        loss = binary_cross_entropy_with_logits(logits, batch.labels, reduction="sum")
        # In float64: the square of a float32 below 1e-19 would be flushed to 0.
        norms = torch.autograd.grad(loss, embedded)[0].double().norm(dim=2).cpu()
    classifier.train(was_training)
    return median_by_step_back(norms, batch.lengths.cpu())


def median_by_step_back(norms: Tensor, lengths: Tensor) -> np.ndarray:
    """Median over reviews of `norms [B, T]` by steps back from each review's end.

    Returns:
        float64 [D]: element k is k tokens from the end; D is a length that at least half of the reviews have. NaN where
        all reviews have NaN.
    """
    reach = int(np.median(lengths))
    places = lengths[:, None] - 1 - torch.arange(reach)  # [B, D], position of the token k steps from the end
    by_step_back = norms.gather(1, places.clamp(min=0)).masked_fill(places < 0, torch.nan).double().numpy()
    medians, known = np.full(reach, np.nan), ~np.isnan(by_step_back).all(0)
    medians[known] = np.nanmedian(by_step_back[:, known], axis=0)
    return medians


GATES = ("forget", "input", "output")
UNITS = 32
"""How many units' gates are kept: those with the largest weights in the output layer."""
PHRASES = 10
"""How many n-grams are listed."""
SENTENCE = re.compile(r".+?(?:(?<=[.!?])\s+|\n+|\Z)", re.DOTALL)
"""A sentence, with the white space behind it, which can be tokens too."""


class Sentence(NamedTuple):
    """A sentence that was read, at least in part."""

    text: str
    without: float
    """Probability that the text is positive with this sentence left out; NaN where nothing is left."""
    change: float
    """The probability with this sentence, minus the probability without it."""


class Contributions(NamedTuple):
    """Terms of the logit of a network that is combined with n-grams."""

    network: float
    ngrams: float
    phrases: list[tuple[str, float]]
    """N-grams of the text with the largest terms, the largest first."""

    @property
    def decisive(self) -> str:
        """Name of the term that is further from 0."""
        return "n-grams" if abs(self.ngrams) > abs(self.network) else "network"


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
    """Gates of the last layer by name, and its cell state as `cell`: float [T, units]. Only for an LSTM or sLSTM in one
    direction, pooled at its last state; else empty."""
    sentences: list[Sentence]
    contributions: Contributions | None = None
    """None for a network without n-grams."""

    @property
    def probability(self) -> float:
        """Probability that the text is positive."""
        return float(self.running[-1])


def inspect(predictor: Predictor, text: str) -> Inspection:
    """Read a text, each of its beginnings, and the text without each of its sentences.

    Raises:
        UserError: the text has no token, or the model reads words in a random order.
    """
    if predictor.package.reading.shuffle_span:
        raise UserError("the model reads the words of a text in a random order, so there is no reading to follow")
    tokenizer = predictor.package.tokenizer
    split = [(part, tokenizer.split(part)) for part in SENTENCE.findall(whole(text))]
    parts, tokens = [part.strip() for part, read in split if read], [read for _, read in split if read]
    if not parts:
        raise UserError("the text has no word and no mark; there is nothing to inspect")
    documents = [tokenizer.ids(sentence) for sentence in tokens]
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
        contributions=contributions_to(predictor, kept),
    )


def part_read(predictor: Predictor, ids: np.ndarray) -> np.ndarray:
    """The part of a text that the model reads, from its tokens, or from other values with one for each token."""
    return cut(ids, predictor.package.reading.max_tokens, predictor.package.reading.keep)


def gates_of(predictor: Predictor, ids: np.ndarray) -> dict[str, np.ndarray]:
    """Gates by name, and `cell`: float [T, units], of units with the largest output weights; empty without a cell."""
    model = predictor.package.model
    try:
        unrolled = unroll(model, torch.from_numpy(ids.astype(np.int64))[None], torch.tensor([len(ids)]))
    except ValueError:  # two directions, or not pooled at the last state
        return {}
    layers = cast(nn.ModuleList, model.backbone.encoder.forwards)
    if not unrolled.cells or isinstance(layers[-1], OwnLayer):  # the output layer does not read an OwnLayer's units
        return {}
    units = model.output.weight.detach()[0].abs().argsort(descending=True)[:UNITS]
    gates = {gate: unrolled.gates[gate][0][:, units].numpy() for gate in GATES if gate in unrolled.gates}
    memory = torch.stack(unrolled.cells, 1).detach()
    return gates | {"cell": (memory[0][:, units] / unrolled.kind.normalizer(memory)[0][:, units]).numpy()}


def contributions_to(predictor: Predictor, ids: np.ndarray) -> Contributions | None:
    """Terms of a text's logit; None for a network without n-grams.

    Args:
        ids: int32 [T], token ids of the part that the model reads.
    """
    ngrams, temperature = predictor.package.model.ngrams, predictor.package.reading.temperature
    if ngrams is None:
        return None
    tokens, lengths = torch.from_numpy(ids.astype(np.int64))[None], torch.tensor([len(ids)])
    keys = ngrams_of(tokens, lengths, ngrams.vocabulary_size, ngrams.longest)[0]
    terms = ngrams.mix[1] * ngrams.weights_of(keys) / temperature
    total, of_ngrams = float(predictor.logits([ids])[0]) / temperature, float(terms.sum())
    words = predictor.package.tokenizer.decode
    phrases = [
        (" ".join(words(ngrams.ids_of(int(keys[place])))), float(terms[place]))
        for place in terms.abs().argsort(descending=True)[:PHRASES]
        if terms[place]
    ]
    return Contributions(total - of_ngrams, of_ngrams, phrases)


def sentences_of(
    predictor: Predictor, parts: list[str], documents: list[np.ndarray], read: np.ndarray, probability: float
) -> list[Sentence]:
    """Effect of leaving out each sentence. A sentence of which nothing was read has no effect and is not listed."""
    owner = np.repeat(np.arange(len(parts)), [len(ids) for ids in documents])
    ids = np.concatenate(documents)
    seen = np.unique(owner[read])
    without = predictor.probabilities([part_read(predictor, ids[owner != part]) for part in seen])
    return [
        Sentence(parts[part].strip(), float(left), probability - float(left))
        for part, left in zip(seen, without, strict=True)
    ]
