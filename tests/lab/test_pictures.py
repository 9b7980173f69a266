"""The pictures of README and findings are drawn from the committed results, and come out the same each time."""

from pathlib import Path

import pytest

from experiments.lab import pictures
from experiments.lab.study import EXPERIMENTS
from sentiment_rnn.data.sources.generated import FILM

REPOSITORY = EXPERIMENTS.parent


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of all pictures, drawn anew."""
    root = tmp_path_factory.mktemp("pictures")
    pictures.write_pictures(root)
    return root / pictures.FOLDER


def test_pictures_are_up_to_date(drawn: Path) -> None:
    for path in drawn.glob("*.svg"):
        assert path.read_bytes() == (REPOSITORY / pictures.FOLDER / path.name).read_bytes(), "run make readme"


def test_the_drawn_review_decides_in_one_clause_that_is_as_far_from_the_end_as_it_says() -> None:
    words = pictures.drawn_review(label=1, lag=pictures.DRAWN_LAG, seed=pictures.SEED)
    deciding = [place for place, word in enumerate(words) if word.color == pictures.DECIDES]
    assert {*FILM} & {words[place].text for place in deciding}
    assert deciding == list(range(deciding[0], len(words) - pictures.DRAWN_LAG))
