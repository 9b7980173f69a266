"""The draws in `conf/` are those that the committed searches chose."""

from pathlib import Path

import pytest
import yaml

from sentiment_rnn.config.folders import CONFIGURATION
from sentiment_rnn.config.store import run_config
from sentiment_rnn.studies.kit.random_search import best_draw, read_search

REPOSITORY = Path(__file__).resolve().parents[2]
STUDY = REPOSITORY / "experiments" / "learnability"


def draw(number: int) -> tuple[float, float]:
    """Learning rate and clipping of a draw of experiment=learn_5."""
    optimizer = run_config("experiment=learn_5", f"optimizer.draw={number}").optimizer
    assert optimizer.learning_rate
    return optimizer.learning_rate, optimizer.gradient_clip_norm


@pytest.mark.parametrize("experiment", ["learn_5"])
def test_a_draw_is_the_one_that_its_search_chose(experiment: str) -> None:
    settings = yaml.safe_load(Path(CONFIGURATION, "experiment", f"{experiment}.yaml").read_text())
    chosen = settings["optimizer"]["draws"]
    searched = read_search(STUDY, "search_20.csv")
    best = {arm: best_draw(draws) for arm, draws in searched.items()}
    assert {arm: draw(number) for arm, number in chosen.items()} == {
        arm: (found.learning_rate, found.clip) for arm, found in best.items()
    }
