"""The linear recurrent unit (Orvieto et al. 2023, "Resurrecting recurrent neural networks for long sequences",
arXiv:2303.06349, section 3):

    h_t = λ · h_{t-1} + γ · (B x_t)      y_t = Re(C h_t) + D x_t

with a complex diagonal λ = exp(-exp(ν) + i exp(θ)), so that |λ| < 1, and γ = exp(γ'), which starts at √(1 - |λ|²) and
keeps the state on the scale of the input. There are no gates: a gradient is multiplied by |λ| at each step back,
whatever the input.
"""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from sentiment_rnn.model.cells import AnyLayer, Cell, GradientStop, OwnLayer, Step, states
from sentiment_rnn.model.encoders.recurrent import Recurrent
from sentiment_rnn.model.recurrence import linear
from sentiment_rnn.model.scan import diagonal


class LruLayer(OwnLayer):
    """One layer.

    Args:
        input_size: E.
        hidden_size: H, size of y and of the complex state (2 H real numbers).
        smallest, largest: λ is drawn from the ring between these radii.
        phase: the phase of λ is drawn from 0 to this.
    """

    cell = Cell("", None, cell_state=True, memory=2)

    def __init__(self, input_size: int, hidden_size: int, smallest: float, largest: float, phase: float) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        ring = torch.rand(hidden_size) * (largest**2 - smallest**2) + smallest**2
        self.nu = nn.Parameter(torch.log(-0.5 * torch.log(ring)))
        self.theta = nn.Parameter(torch.log(phase * torch.rand(hidden_size)))
        self.log_gamma = nn.Parameter(0.5 * torch.log(1 - ring))
        self.B = nn.Parameter(torch.randn(2, hidden_size, input_size) / math.sqrt(2 * input_size))
        self.C = nn.Parameter(torch.randn(2, hidden_size, hidden_size) / math.sqrt(hidden_size))
        self.D = nn.Parameter(torch.randn(hidden_size, input_size) / math.sqrt(input_size))
        """Real and imaginary parts of B `[2, H, E]` and C `[2, H, H]`; D `[H, E]`."""

    def free_parameters(self) -> tuple[list[nn.Parameter], float]:
        """λ and γ, without decay and at a quarter of the learning rate. (Appendix D.2 of the paper also includes B;
        table 9 has 0.1 to 0.5 of the rate, depending on the task.)"""
        return [self.nu, self.theta, self.log_gamma], 0.25

    @property
    def eigenvalues(self) -> Tensor:
        """λ, complex [H], always in float32: near 1, bfloat16 has steps of 0.004."""
        return torch.polar(torch.exp(-self.nu.exp()), self.theta.exp())

    def driven(self, inputs: Tensor) -> Tensor:
        """γ · (B x_t), `[B, T, 2 H]`, from `inputs [B, T, E]`: the real parts first, then the imaginary ones."""
        scaled = self.B * self.log_gamma.exp()[:, None]
        return linear(inputs, scaled.flatten(0, 1)).to(self.nu.dtype)

    def output(self, memory: Tensor, inputs: Tensor) -> Tensor:
        """y `[…, H]` from the state `[…, 2 H]` and the inputs `[…, E]`."""
        return linear(memory, torch.cat([self.C[0], -self.C[1]], 1)) + linear(inputs, self.D)

    def states(self, inputs: Tensor, stop: GradientStop | None = None) -> Tensor:
        """y `[B, T, H]` for `inputs [B, T, E]`: all steps at once, or step by step if the gradient stops somewhere."""
        if stop is not None:
            return states(self, inputs, stop)
        return self.output(diagonal(self.eigenvalues, self.driven(inputs)), inputs)

    def steps(self, inputs: Tensor, stop: GradientStop | None = None) -> Iterator[Step]:
        """The same, one step at a time; the memory is `[B, 2 H]`, real and imaginary parts side by side."""
        kept, driven, stop = self.eigenvalues, self.driven(inputs), stop or GradientStop()
        memory = torch.zeros(len(inputs), 2 * self.hidden_size, dtype=driven.dtype, device=inputs.device)
        for t, (x, added) in enumerate(zip(inputs.unbind(1), driven.unbind(1), strict=True)):
            memory = memory.detach() if stop.along_cell else stop.cut_at(t, memory)
            state = kept * torch.complex(*memory.chunk(2, 1))
            memory = torch.cat([state.real, state.imag], 1) + added
            yield Step(self.output(memory, x), memory, {"forget": kept.abs().expand(len(x), -1)})


class Lru(Recurrent):
    """Layers of linear recurrent units with a GELU between them; without it, the whole stack would be linear.

    Raises:
        ValueError: the ring of λ is not within the unit circle.

    >>> states = Lru(100, hidden_size=256, layers=2)(embedded, lengths)   # [B, T, 256]
    """

    cell = LruLayer.cell
    between = staticmethod(gelu)

    def __init__(
        self,
        input_size: int,
        *,
        smallest: float = 0.9,
        largest: float = 0.999,
        phase: float = math.pi / 10,
        **shared: Any,
    ) -> None:
        if not (0 <= smallest < largest < 1 and phase > 0):
            given = f"smallest={smallest}, largest={largest}, phase={phase}"
            raise ValueError(f"{given}: expected 0 <= smallest < largest < 1 and a phase above 0")
        self.ring = smallest, largest, phase  # set before the layers are made, since they are drawn from it
        super().__init__(input_size, **shared)

    def new_layer(self, input_size: int) -> AnyLayer:
        """A layer with λ on the ring."""
        return LruLayer(input_size, self.hidden_size, *self.ring)

    def initialize(self, layer: AnyLayer) -> None:
        """Does nothing: a layer is initialized when it is made, and `recurrent_init` is ignored."""
