"""The documents promise a reader that every link leads somewhere, that the image is built by commands that are run
elsewhere, and that docs/cells.md gives every cell the weights and the multiply-adds that its encoder has."""

import re
from pathlib import Path

import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import nn

from documented import DOCUMENTS, REPOSITORY

ENCODERS = REPOSITORY / "conf" / "encoder"
PAGE = (REPOSITORY / "docs" / "cells.md").read_text(encoding="utf-8")
SIZED = re.findall(r"^\| `(\w+)` \| [^`]+ \| `([^`|]+)` \|", PAGE, re.MULTILINE)
"""Encoder, and formula of its weights."""
CHARGED = re.findall(r"^\| `(\w+)` \| [^`]+ \| `[^`|]+` \| [\d,]+ \| `([^`|]+)` \|", PAGE, re.MULTILINE)
"""Encoder, and formula of its multiply-adds."""


def name(path: Path) -> str:
    """A document's path in the repository."""
    return path.relative_to(REPOSITORY).as_posix()


@pytest.mark.parametrize("path", [path for path in DOCUMENTS if path.parent.name != "protocols"], ids=name)
def test_every_link_leads_somewhere(path: Path) -> None:
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    elsewhere = ("http", "#", "data:", "site:")  # the last: on the site alone, whose links have a test of their own
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if not link.startswith(elsewhere)]
    assert [link for link in links if not (path.parent / link.partition("#")[0]).exists()] == []


def test_the_image_is_built_by_commands_that_are_run_elsewhere() -> None:
    steps = re.findall(r"^(?:RUN|CMD) (.*)", (REPOSITORY / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    targets = {target for step in steps for target in re.findall(r"make[ \",]+([a-z]+)", step)}
    assert targets == {"setup", "demo", "serve"}


def value(formula: str, E: int, H: int) -> int:
    """Value of a formula such as `4H(E+H+2)`."""
    return eval(re.sub(r"(?<=[\dEH)])(?=[EH(])", "*", formula), {"E": E, "H": H})


def made(encoder: str, E: int, H: int) -> nn.Module:
    """The encoder, by its name in the configuration."""
    loaded = OmegaConf.load(ENCODERS / f"{encoder}.yaml")
    target = loaded.get("encoder", loaded)["_target_"]
    return instantiate({"_target_": target}, E, **({} if encoder == "bag" else {"hidden_size": H}))


def test_every_encoder_is_on_the_page() -> None:
    given = {path.stem for path in ENCODERS.glob("*.yaml")}
    ours = given - {"rnn_uniform", "rnn_identity", "lstm_chrono"}  # which start otherwise
    assert ours == {encoder for encoder, _ in CHARGED} == {encoder for encoder, _ in SIZED}


@pytest.mark.parametrize(("encoder", "formula"), SIZED)
def test_an_encoder_has_the_weights_of_its_formula(encoder: str, formula: str) -> None:
    for E, H in ((32, 64), (5, 8)):
        assert sum(weight.numel() for weight in made(encoder, E, H).parameters()) == value(formula, E, H)


@pytest.mark.parametrize(("encoder", "formula"), CHARGED)
def test_a_token_costs_a_multiply_add_for_each_number_of_a_matrix(encoder: str, formula: str) -> None:
    matrices = [weight for weight in made(encoder, 5, 8).parameters() if weight.ndim >= 2]
    assert sum(matrix.numel() for matrix in matrices) == value(formula, 5, 8)


def test_the_number_beside_a_formula_is_its_value() -> None:
    numbers = re.findall(r"`([^`|]+)` \| ([\d,]+) \| `", PAGE)
    assert len(numbers) == len(SIZED)
    for formula, number in numbers:
        assert f"{value(formula, 32, 64):,}" == number
