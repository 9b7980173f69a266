"""Code that the LightningModules share: logging a step, clipping the gradient, scheduling the learning rate."""

import functools
from collections.abc import Iterable, Iterator
from pkgutil import resolve_name
from typing import Any, cast

import lightning.pytorch as pl
import torch
from torch import Tensor, nn

from sentiment_rnn.model.network import Backbone
from sentiment_rnn.model.optimizer import RowAdamW, clip_gradient_norm


class TrainingModule(pl.LightningModule):
    """A LightningModule with optimizer settings."""

    optimizer_settings: dict[str, Any]
    """Values of `OptimizerConfig`; a subclass sets them."""

    def log_step(self, name: str, value: Tensor, **options: Any) -> None:
        """`log`, for the steps that the logger takes: at the others it would cost half a millisecond and be dropped."""
        interval = getattr(self.trainer, "log_every_n_steps", 1)  # which Lightning sets, and does not declare
        if interval and (self.trainer.global_step + 1) % interval == 0:
            self.log(name, value, sync_dist=True, **options)

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: int | float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip the norm of the whole gradient, and log what it was before."""
        limit = self.optimizer_settings["gradient_clip_norm"] or float("inf")
        self.log_step("train/gradient_norm", clip_gradient_norm(self._ordered_parameters, limit))

    @functools.cached_property
    def _ordered_parameters(self) -> list[nn.Parameter]:
        """`parameters()`, which walks through all modules, which takes as long as clipping a small net."""
        return list(self.parameters())

    def options(self) -> Iterator[tuple[Iterable[nn.Parameter], dict[str, Any]]]:
        """Parameters, and arguments of the optimizer for them; the later ones count. A task that has more adds them.

        A module of the network can have `free_parameters()`: some that are not decayed, and their share of the rate.
        """
        settings = self.optimizer_settings
        yield self.parameters(), {"weight_decay": settings["weight_decay"]}
        own, encoder = settings["encoder_options"], cast(nn.Module, getattr(self, "backbone", self).encoder)
        yield encoder.parameters(), own
        for module in encoder.modules():
            if hasattr(module, "free_parameters"):
                parameters, share = cast(Any, module).free_parameters()
                yield parameters, {"weight_decay": 0.0, "lr": share * own.get("lr", settings["learning_rate"])}

    def configure_optimizers(self) -> Any:
        """The configured optimizer, with its schedule. Matrices are decayed, biases are not. A group's own `lr` is the
        peak of its cycle."""
        settings = self.optimizer_settings
        of_parameter: dict[nn.Parameter, dict[str, Any]] = {}
        for parameters, options in self.options():
            of_parameter |= {parameter: of_parameter.get(parameter, {}) | options for parameter in parameters}
        groups: dict[str, dict[str, Any]] = {}
        for parameter, options in of_parameter.items():
            if parameter.ndim <= 1:
                options["weight_decay"] = 0.0
            groups.setdefault(repr(options), {**options, "params": []})["params"].append(parameter)
        target = resolve_name(settings["_target_"])
        optimizer = target(list(groups.values()), lr=settings["learning_rate"], **settings["options"])
        if settings["schedule"] == "constant":
            return optimizer
        steps = max(2, int(self.trainer.estimated_stepping_batches))
        rises = settings["warmup_fraction"]
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            max_lr=[group["lr"] for group in optimizer.param_groups],
            total_steps=steps,
            pct_start=rises + 1e-9 * (rises * steps == 1),  # a rise of one step has the length 0, by which it divides
            cycle_momentum=False,
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class TextModule(TrainingModule):
    """A `TrainingModule` on a backbone, whose embedding and encoder can have an optimizer's arguments of their own."""

    backbone: Backbone
    """A subclass makes it."""

    def setup(self, stage: str) -> None:
        """Before a fit: have the embedding give the gradient that its optimizer takes fastest."""
        self.choose_embedding_gradient(self.trainer.strategy.root_device)

    def choose_embedding_gradient(self, device: torch.device) -> None:
        """Have the embedding give a sparse gradient where the optimizer is the faster for it: on a CPU. On a GPU, which
        would have to wait for the number of rows, `RowAdamW` takes a dense one, to the same result."""
        rows = issubclass(resolve_name(self.optimizer_settings["_target_"]), RowAdamW)
        self.backbone.embedding.sparse = rows and device.type == "cpu" and RowAdamW.takes_rows(self.embedding_options)

    @property
    def embedding_options(self) -> dict[str, Any]:
        """The optimizer's arguments for the embedding."""
        settings = self.optimizer_settings
        return {"weight_decay": 0.0, **settings["options"], **settings["embedding_options"]}

    def options(self) -> Iterator[tuple[Iterable[nn.Parameter], dict[str, Any]]]:
        """Those of `TrainingModule`, and the embedding's, which is not decayed."""
        yield from super().options()
        yield self.backbone.embedding.parameters(), self.embedding_options
