"""The torch modules that a configuration names: encoders and poolings."""

from typing import Any

from torch import Tensor, nn

from sentiment_rnn.config.components import class_named, named_by_file
from sentiment_rnn.errors import UserError

OURS = ("sentiment_rnn.model.encoders.", "sentiment_rnn.model.pooling.")
"""Beginnings of modules that a file may name before they are imported."""


def check_target(part: str, target: str) -> None:
    """Refuse a file's encoder or pooling that is no torch module or that `named_by_file` refuses.

    Raises:
        UserError: the name is refused.
    """
    _check_module(named_by_file(part, target, OURS), f"{part}: {target} is")


def module_class(target: str, key: str = "_target_") -> type[Any]:
    """The class of a torch module that `target` names, which the user has given: it is imported.

    Args:
        key: what gives `target`, for messages.

    Raises:
        UserError: it names something else.
    """
    found = class_named(target, key)
    _check_module(found, f"{key}={target}:")
    return found


def _check_module(found: Any, named: str) -> None:
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        raise UserError(f"{named} no torch module; expected the class of one")


def build_module(settings: dict[str, Any], *arguments: Any) -> nn.Module:
    """The module of `settings["_target_"]`, from these arguments and all other settings but `name`.

    Raises:
        UserError: it names something else, or the class refuses a value.
    """
    given = {key: value for key, value in settings.items() if key not in ("_target_", "name")}
    try:
        return module_class(settings["_target_"])(*arguments, **given)
    except (ValueError, TypeError, AssertionError) as error:
        raise UserError(f"{settings['name']}: {(str(error).splitlines() or ['refused'])[0]}") from error


def states_of(encoder: nn.Module, embedded: Tensor, lengths: Tensor) -> Tensor:
    """`embedded [B, T, E]`, `lengths [B]` → states `[B, T, output_size]`.

    Raises:
        UserError: the encoder returns something else. What it returns is looked at in each step, in a microsecond.
    """
    states = encoder(embedded, lengths)
    expected = [*embedded.shape[:2], encoder.output_size]
    if isinstance(states, Tensor) and list(states.shape) == expected:
        return states
    found = list(states.shape) if isinstance(states, Tensor) else f"a {type(states).__name__}"
    raise UserError(
        f"{type(encoder).__name__}: its forward returned {found}; expected one tensor {expected}, "
        "a state for each token, [B, T, output_size]"
    )
