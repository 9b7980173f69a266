"""The bag of words: no equations, since a state is its token's vector, x_t."""

from torch import Tensor, nn


class Bag(nn.Module):
    """No recurrence: the states are the embeddings. The control that shows what order adds."""

    def __init__(self, input_size: int) -> None:
        super().__init__()
        self.output_size = input_size

    def forward(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        """`embedded [B, T, E]` as it is."""
        return embedded
