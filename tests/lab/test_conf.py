"""Whoever names an encoder of the lab can train it: its YAML files are found as anybody's own are."""

from pathlib import Path

import pytest
import yaml

from sentiment_rnn.config import CONFIGURATION
from sentiment_rnn.config.run import RunConfig
from sentiment_rnn.config.store import run_config
from sentiment_rnn.engine.machine import check_parts

LAB = Path(__file__).resolve().parents[2] / "experiments" / "lab" / "conf"
OF_THE_LAB = sorted(path.stem for path in (LAB / "encoder").glob("*.yaml"))


def with_lab(*overrides: str) -> RunConfig:
    """The checked configuration of a run that may name what is the lab's."""
    return run_config(f"hydra.searchpath=[file://{LAB}]", *overrides)


@pytest.mark.parametrize("name", OF_THE_LAB)
def test_every_encoder_of_the_lab_can_be_trained(name: str) -> None:
    config = with_lab(f"encoder={name}")
    assert config.encoder.name == name
    check_parts(config)


def test_each_encoder_has_a_name_a_label_and_a_color_of_its_own() -> None:
    files = [*Path(CONFIGURATION, "encoder").glob("*.yaml"), *(LAB / "encoder").glob("*.yaml")]
    contents = [yaml.safe_load(path.read_text()) for path in files]
    encoders = [content.get("encoder", content) for content in contents]
    assert [one["name"] for one in encoders] == [path.stem for path in files]
    for key in ("name", "label", "color"):
        assert len({one[key] for one in encoders}) == len(encoders)
