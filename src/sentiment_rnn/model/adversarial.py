"""Adversarial and virtual adversarial training on embedded texts (Miyato, Dai & Goodfellow 2017, "Adversarial training
methods for semi-supervised text classification", arXiv:1605.07725, section 3).

Let s be the embedded tokens of a review, side by side, and p(· | s) the prediction. A perturbation r of the whole
review, of length ε, makes the prediction as bad as possible, to first order; on padding r is 0:

    r = ε g / ‖g‖      g = -∇_s log p(y | s)                      L = -log p(y | s + r)              (equations 5, 6)
    r = ε g / ‖g‖      g = ∇_d KL[p(· | s) ‖ p(· | s + d)]        L = KL[p(· | s) ‖ p(· | s + r)]    (equations 7, 8)

at a random d of length ξ: one power iteration, with a finite difference. p(· | s) and r count as constants in L. The
second form is the virtual one, which needs no labels. The paper also applies it to texts without labels; here it is
applied to the labelled texts only.

ε and ξ are in units of σ, the standard deviation of all elements of the vectors that the batch reads. So a net cannot
evade r by growing its vectors. The paper instead normalizes the vectors to variance 1, weighted by word frequency.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, normalize

from sentiment_rnn.model.pooling import is_padding

Read = Callable[[Tensor], Tensor]
"""From embedded reviews `[B, T, E]` to logits `[B]`."""
XI = 0.1
"""ξ, as in the authors' code."""


def with_same_noise(read: Read) -> Read:
    """`read` with the same dropout at each call, so that two predictions differ only by the perturbation."""
    seed = int(torch.randint(2**62, ()))

    def read_again(embedded: Tensor) -> Tensor:
        with torch.random.fork_rng([embedded.device] if embedded.is_cuda else []):
            torch.manual_seed(seed)
            return read(embedded)

    return read_again


def adversarial_loss(
    read: Read, embedded: Tensor, lengths: Tensor, labels: Tensor, loss: Tensor, epsilon: float
) -> Tensor:
    """L of equation 6, mean over `embedded [B, T, E]`, whose mean cross-entropy is `loss`."""
    g = gradient(loss, embedded, keep=True)
    return binary_cross_entropy_with_logits(read(embedded + perturbation(g, embedded, lengths, epsilon)), labels)


def virtual_loss(read: Read, embedded: Tensor, lengths: Tensor, logits: Tensor, epsilon: float) -> Tensor:
    """L of equation 8, mean over `embedded [B, T, E]`, whose unperturbed logits are `logits [B]`."""
    constant, logits = embedded.detach(), logits.detach()
    d = perturbation(torch.randn_like(constant), embedded, lengths, XI).requires_grad_()
    g = gradient(divergence(logits, read(constant + d)), d)
    return divergence(logits, read(embedded + perturbation(g, embedded, lengths, epsilon)))


def gradient(loss: Tensor, by: Tensor, keep: bool = False) -> Tensor:
    """∂`loss`/∂`by`; `keep` keeps the graph, for a loss that is also trained on. Autocast applies to the forward pass
    only."""
    with torch.autocast(by.device.type, enabled=False):
        return torch.autograd.grad(loss, by, retain_graph=keep)[0]


def perturbation(direction: Tensor, embedded: Tensor, lengths: Tensor, length: float) -> Tensor:
    """`direction [B, T, E]`, scaled in each review to the norm `length` · σ; 0 on padding, and where the norm is 0."""
    padding = is_padding(embedded, lengths)
    deviation = embedded.detach()[~padding].std(correction=0)
    direction = direction.masked_fill(padding[:, :, None], 0.0).flatten(1)
    # Divided by the largest element first: the squares of small gradients would be 0.
    direction = normalize(direction, torch.inf, eps=torch.finfo(direction.dtype).tiny)
    return length * deviation * normalize(direction).view_as(embedded)


def divergence(logits: Tensor, others: Tensor) -> Tensor:
    """KL[p ‖ q], mean over a batch, of the predictions with these `logits` and `others`, `[B]` each."""
    p = logits.sigmoid()
    return binary_cross_entropy_with_logits(others, p) - binary_cross_entropy_with_logits(logits, p)
