"""AdamW that updates only the rows of the embedding that a batch read, not the whole table.

A batch of 64 reviews reads some thousands of 30,000 words, yet the table is nine tenths of the parameters: clipping and
updating all of it takes as long as a third of a vanilla RNN's step on a CPU.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn


class RowAdamW(torch.optim.AdamW):
    """AdamW (Loshchilov & Hutter 2019) for parameters with dense gradients and, row by row, with sparse gradients.

    A sparse gradient, as from `nn.Embedding(sparse=True)`, updates only the rows that it holds, and reads no others. Up
    to rounding the result is that of `torch.optim.AdamW` on the same gradient in dense form. This needs a group without
    first moment (β₁ = 0) and without weight decay, where a row without a gradient does not move. Only the second moment
    of such a row decays, by β₂ per step; that is made up for when the row is next read. (`torch.optim.SparseAdam` is
    another algorithm: it keeps a first moment and omits that decay.)

    On a CPU all dense parameters of a group are updated in one operation (`fused`), unless the options say otherwise.

    Raises:
        ValueError: in `step`, if a group with a sparse gradient does not fit `takes_rows`.
    """

    def __init__(self, params: Iterable[dict[str, Any]] | Iterable[nn.Parameter], **options: Any) -> None:
        groups: list[Any] = list(params)
        every = [p for group in groups for p in (group["params"] if isinstance(group, dict) else [group])]
        fused = "foreach" not in options and all(p.is_floating_point() and p.device.type == "cpu" for p in every)
        super().__init__(groups, **{"fused": fused or None, **options})

    @staticmethod
    def takes_rows(options: dict[str, Any]) -> bool:
        """Whether, in a group with these arguments, rows without a gradient do not move."""
        moves = ("weight_decay", "amsgrad", "maximize")
        return options.get("betas", (0.9, 0.999))[0] == 0 and not any(options.get(name) for name in moves)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step. `closure`, if given, computes the gradients first; its value is returned."""
        with torch.enable_grad():
            loss = closure() if closure else None
        sparse = [
            (group, parameter, parameter.grad)
            for group in self.param_groups
            for parameter in group["params"]
            if parameter.grad is not None and parameter.grad.is_sparse
        ]
        for group, parameter, gradient in sparse:
            self._update_rows(group, parameter, gradient.coalesce())
            parameter.grad = None  # so that AdamW's own step, which cannot handle sparse gradients, skips it
        super().step()
        for _, parameter, gradient in sparse:
            parameter.grad = gradient
        return loss

    def _update_rows(self, group: dict[str, Any], parameter: nn.Parameter, gradient: Tensor) -> None:
        if not self.takes_rows(group):
            raise ValueError(
                f"betas={group['betas']}, weight_decay={group['weight_decay']}, amsgrad={group['amsgrad']}, "
                f"maximize={group['maximize']} and a sparse gradient: expected betas=(0, …) and none of the others"
            )
        beta2 = group["betas"][1]
        state = self.state[parameter]
        if not state:
            state["step"] = torch.tensor(0.0)
            state["exp_avg_sq"] = torch.zeros_like(parameter)
            # The step at which each row was last read. A float, since loading a state casts to the parameter's type.
            state["last_step"] = torch.zeros(len(parameter), dtype=parameter.dtype, device=parameter.device)
        state["step"] += 1
        step = state["step"].item()
        rows, values = gradient.indices()[0], gradient.values()
        missed = step - state["last_step"].index_select(0, rows)
        second = state["exp_avg_sq"].index_select(0, rows)
        second.mul_((beta2**missed)[:, None]).addcmul_(values, values, value=1 - beta2)
        state["exp_avg_sq"].index_copy_(0, rows, second)
        state["last_step"].index_fill_(0, rows, step)
        denominator = second.sqrt_().div_((1 - beta2**step) ** 0.5).add_(group["eps"])
        moved = parameter.index_select(0, rows).addcdiv_(values, denominator, value=-group["lr"])
        parameter.index_copy_(0, rows, moved)


def clip_gradient_norm(parameters: Iterable[nn.Parameter], limit: float) -> Tensor:
    """`nn.utils.clip_grad_norm_`, also for sparse gradients: scales all gradients to a common norm of at most `limit`.

    Returns:
        The norm before, float32 [].
    """
    gradients = []
    for parameter in parameters:
        if parameter.grad is not None:
            if parameter.grad.is_sparse:
                parameter.grad = parameter.grad.coalesce()  # a row that was read twice has one gradient
            gradients.append(parameter.grad.values() if parameter.grad.is_sparse else parameter.grad)
    norm = torch.stack([torch.linalg.vector_norm(gradient) for gradient in gradients]).norm()
    if norm.device.type == "cpu" and norm + 1e-6 <= limit:  # a GPU would have to wait for the norm
        return norm
    factor = (limit / (norm + 1e-6)).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(factor)
    return norm
