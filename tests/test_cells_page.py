"""docs/cells.md gives every cell the weights that its encoder has."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

REPOSITORY = Path(__file__).resolve().parents[1]
FOLDERS = (REPOSITORY / "conf" / "encoder", REPOSITORY / "experiments" / "lab" / "conf" / "encoder")


def sizes() -> Iterator[tuple[str, str, list[str]]]:
    """Encoder, formula of its weights, and all cells of each row that has them."""
    for line in (REPOSITORY / "docs" / "cells.md").read_text(encoding="utf-8").splitlines():
        row = [cell.strip() for cell in line.strip("|").split("|")]
        if len(row) > 3 and re.fullmatch(r"`[a-z_]+`", row[1]):
            yield row[1].strip("`"), row[3].strip("`"), row


def value(formula: str, E: int, H: int) -> int:
    """What a formula such as `4H(E+H+2)` gives."""
    return eval(re.sub(r"(?<=[\dEH)])(?=[EH(])", "*", formula), {"E": E, "H": H})


def parameters(encoder: str, E: int, H: int) -> int:
    """How many the encoder has, by its name in the configuration."""
    (path,) = (folder / f"{encoder}.yaml" for folder in FOLDERS if (folder / f"{encoder}.yaml").exists())
    target = OmegaConf.load(path)
    target = target.get("encoder", target)["_target_"]
    made = instantiate({"_target_": target}, E, **({} if encoder == "bag" else {"hidden_size": H}))
    return sum(parameter.numel() for parameter in made.parameters())


@pytest.mark.parametrize(("encoder", "formula"), [row[:2] for row in sizes()])
def test_an_encoder_has_the_weights_of_its_formula(encoder: str, formula: str) -> None:
    for E, H in ((32, 64), (5, 7)):
        assert parameters(encoder, E, H) == value(formula, E, H)


def test_the_number_beside_a_formula_is_its_value() -> None:
    numbers = {encoder: (formula, row[4]) for encoder, formula, row in sizes() if len(row) == 7}
    assert set(numbers) == {"rnn", "rnn_relu", "gru", "lstm", "bag"}
    for formula, number in numbers.values():
        assert f"{value(formula, 32, 64):,}" == number
