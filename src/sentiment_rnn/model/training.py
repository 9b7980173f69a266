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
        """`log`, only at steps that the logger records: at others it takes half a millisecond for nothing."""
        interval = getattr(self.trainer, "log_every_n_steps", 1)  # Lightning sets the attribute without declaring it
        if interval and (self.trainer.global_step + 1) % interval == 0:
            self.log(name, value, sync_dist=True, **options)

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: int | float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip the norm of the whole gradient, and log the norm before clipping."""
        limit = self.optimizer_settings["gradient_clip_norm"] or float("inf")
        self.log_step("train/gradient_norm", clip_gradient_norm(self._ordered_parameters, limit))

    @functools.cached_property
    def _ordered_parameters(self) -> list[nn.Parameter]:
        """`parameters()` as a list, kept, since walking through all modules takes as long as clipping a small net."""
        return list(self.parameters())

    def options(self) -> Iterator[tuple[Iterable[nn.Parameter], dict[str, Any]]]:
        """Groups of parameters with the optimizer's arguments for them; later groups override earlier ones. A subclass
        can add groups.

        A module of the network can have `free_parameters()`: parameters without decay, and their share of the rate.
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
        """The configured optimizer with its schedule. Weight decay applies to matrices, not to biases. A group's own
        `lr` is the peak of its cycle."""
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
            pct_start=rises + 1e-9 * (rises * steps == 1),  # avoids a division by 0 if the rate rises for one step
            cycle_momentum=False,
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class TextModule(TrainingModule):
    """A `TrainingModule` on a backbone. Its embedding and encoder can have their own arguments of the optimizer."""

    backbone: Backbone
    """The backbone; a subclass creates it."""

    def setup(self, stage: str) -> None:
        """Before a fit, choose the kind of gradient of the embedding that its optimizer handles fastest."""
        self.choose_embedding_gradient(self.trainer.strategy.root_device)

    def choose_embedding_gradient(self, device: torch.device) -> None:
        """Make the embedding's gradient sparse if that makes the optimizer faster, which it does on a CPU. A GPU would
        have to wait for the number of rows; there the gradient is dense, and `RowAdamW` gives the same result."""
        rows = issubclass(resolve_name(self.optimizer_settings["_target_"]), RowAdamW)
        self.backbone.embedding.sparse = rows and device.type == "cpu" and RowAdamW.takes_rows(self.embedding_options)

    @property
    def embedding_options(self) -> dict[str, Any]:
        """The optimizer's arguments for the embedding."""
        settings = self.optimizer_settings
        return {"weight_decay": 0.0, **settings["options"], **settings["embedding_options"]}

    def options(self) -> Iterator[tuple[Iterable[nn.Parameter], dict[str, Any]]]:
        """The groups of `TrainingModule`, and the embedding without weight decay."""
        yield from super().options()
        yield self.backbone.embedding.parameters(), self.embedding_options
