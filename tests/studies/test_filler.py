"""The filler study: what is read, what is kept of it, and the verdicts."""

from pathlib import Path

import numpy as np
import pytest
import torch

from made_results import style_of
from sentiment_rnn.data.sources.generated import NEUTRAL
from sentiment_rnn.data.tokenizer import Tokenizer, build_vocabulary, splitter
from sentiment_rnn.model.classifier import SentimentClassifier
from sentiment_rnn.report.tables import csv_text
from sentiment_rnn.studies import filler
from sentiment_rnn.studies.filler.claims import FORGETS, MORE, losses_of_claims, verdicts
from sentiment_rnn.studies.filler.measurements import (
    ANSWER,
    COLUMNS,
    MOST,
    NOTHING,
    SETTINGS,
    STATE,
    Kept,
    read_measured,
    what_is_kept,
    z,
)
from sentiment_rnn.studies.filler.reading import (
    BEHIND,
    IN_FRONT,
    SENTENCES,
    STOPS,
    Setting,
    area,
    discriminant,
    filler_tokens,
    states_of,
    with_filler,
)
from sentiment_rnn.studies.kit.measurements import Measurements, styles_csv
from sentiment_rnn.studies.kit.verdicts import FAILS, HOLDS, UNDECIDED

STYLES = {arm: style_of(arm) for arm in filler.ARMS}
BEFORE, AFTER = Setting(SENTENCES, IN_FRONT, MOST), Setting(SENTENCES, BEHIND, MOST)


def test_texts_of_any_length_are_read_as_each_alone_and_give_the_models_answer() -> None:
    torch.manual_seed(0)
    model = SentimentClassifier(
        50,
        embedding={"size": 6, "dropout": 0.0, "word_dropout": 0.0},
        encoder={"_target_": "sentiment_rnn.model.encoders.Lstm", "name": "lstm", "hidden_size": 5},
        pooling={"_target_": "sentiment_rnn.model.pooling.MeanMax", "name": "mean_max", "dropout": 0.0},
        optimizer={},
    ).eval()
    texts = [np.arange(2, 2 + length, dtype=np.int32) for length in (1, 7, 3)]
    together = states_of(model, texts, half=False)
    torch.testing.assert_close(together, torch.cat([states_of(model, [text], half=False) for text in texts]))
    assert together.shape == (3, 10)
    longest = model(torch.from_numpy(texts[1]).long()[None], torch.tensor([7]))
    torch.testing.assert_close(model.output(together[1]), longest)


def test_filler_stands_behind_the_review_or_in_front_of_it() -> None:
    review, neutral = np.array([7, 8]), np.array([3, 3, 4])
    assert with_filler(review, neutral, in_front=False).tolist() == [7, 8, 3, 3, 4]
    assert with_filler(review, neutral, in_front=True).tolist() == [3, 3, 4, 7, 8]


@pytest.mark.parametrize("amount", [0, 1, 30, 400])
@pytest.mark.parametrize("text", [SENTENCES, STOPS])
def test_filler_is_as_many_tokens_as_asked_for_and_ends_in_a_full_stop(text: str, amount: int) -> None:
    words = splitter("basic_english")(" . ".join(NEUTRAL) + " .")
    tokenizer = Tokenizer("basic_english", build_vocabulary([words], size=100, minimum_frequency=1))
    tokens = filler_tokens(tokenizer, text, amount)
    assert len(tokens) == amount
    assert tokenizer.decode(tokens[-1:]) == (["."] if amount else [])
    first = "we" if text == SENTENCES else "."
    assert tokenizer.decode(tokens[:1]) == ([first] if amount > 1 else ["."] * amount)


def test_the_area_is_the_share_of_pairs_in_their_order() -> None:
    labels = np.array([True, False, True, False])
    assert area(np.array([3.0, 1.0, 2.0, 0.0]), labels) == 1
    assert area(np.array([3.0, 3.0, 0.0, 0.0]), labels) == 0.5


def test_a_line_divides_states_that_the_answer_does_not() -> None:
    random = np.random.default_rng(0)
    labels = np.arange(400) % 2 == 1
    # Two units that nearly agree: their difference tells the classes apart, and neither of them does.
    common = random.normal(size=400)
    states = np.stack([common + 0.1 * labels, common - 0.1 * labels, np.zeros(400)], 1)
    states[:, :2] += 0.02 * random.normal(size=(400, 2))
    assert area(states[:, 0], labels) < 0.6
    line = discriminant(states, labels)
    assert area(states @ line, labels) > 0.99
    assert np.isfinite(discriminant(np.zeros((4, 3)), labels[:4])).all()


def measured(folder: Path, **states: float) -> None:
    """Areas of ten seeds of each arm: 0.9 in any setting, unless given for the state with the most filler behind."""
    rows = [
        (arm, seed, *setting, 0.8, states.get(arm, 0.9) if setting == AFTER else 0.9)
        for arm in filler.ARMS for seed in filler.SEEDS for setting in SETTINGS
    ]  # fmt: skip
    Measurements({"results.csv": csv_text(COLUMNS, rows), "encoders.csv": styles_csv(STYLES)}).write(folder)


def test_the_share_kept_is_of_the_distance_between_the_classes(tmp_path: Path) -> None:
    measured(tmp_path, rnn=0.75)
    found = read_measured(tmp_path, filler.SEEDS)
    assert what_is_kept(found, "rnn", STATE)[AFTER][20] == pytest.approx(0.67449 / 1.28155, abs=1e-4)
    assert what_is_kept(found, "rnn", ANSWER)[AFTER][20] == 1
    assert set(what_is_kept(found, "lstm", STATE)[NOTHING].values()) == {1.0}
    assert z(1.0) < 5, "it has bounds"


def test_a_seed_that_knew_nothing_is_left_out(tmp_path: Path) -> None:
    measured(tmp_path)
    text = (tmp_path / "results.csv").read_text()
    for seed, state in ((20, 0.7), (21, 0.71)):
        text = text.replace(f"rnn,{seed},neutral,behind,0,0.8,0.9", f"rnn,{seed},neutral,behind,0,0.8,{state}")
    (tmp_path / "results.csv").write_text(text)
    kept = what_is_kept(read_measured(tmp_path, filler.SEEDS), "rnn", STATE)
    assert list(kept[AFTER]) == list(range(21, 30))


def kept(*losses: float) -> Kept:
    """What seeds keep of their state: all but what they lose behind."""
    behind = {20 + place: 1 - loss for place, loss in enumerate(losses)}
    return {
        setting: behind if setting == AFTER else dict.fromkeys(behind, 1.0) for setting in SETTINGS
    }  # fmt: skip


@pytest.mark.parametrize(
    ("rnn", "lstm", "expected"),
    [
        ([0.3] * 10, [0.0] * 10, [HOLDS, FAILS, FAILS, HOLDS]),
        ([0.3] * 10, [0.25] * 10, [HOLDS, FAILS, HOLDS, FAILS]),
        ([0.1] * 10, [0.0] * 10, [FAILS] * 4),  # a tenth is not more than a tenth
        ([0.3] * 9 + [0.0], [0.0] * 10, [HOLDS, FAILS, FAILS, HOLDS]),  # 0.021 twice: two other claims are clearer
        ([0.3] * 8 + [0.0] * 2, [0.0] * 10, [UNDECIDED, FAILS, FAILS, UNDECIDED]),
        ([0.3] * 5, [0.0] * 10, [UNDECIDED, FAILS, FAILS, UNDECIDED]),
        ([], [0.0] * 10, [UNDECIDED, FAILS, FAILS, UNDECIDED]),
    ],
)
def test_claims_are_judged_by_how_many_seeds_lose_more_than_a_tenth(
    rnn: list[float], lstm: list[float], expected: list[str]
) -> None:
    states = {"rnn": kept(*rnn), "gru": kept(*[0.05] * 10), "lstm": kept(*lstm)}
    assert [verdict.verdict for verdict in verdicts(states, STYLES)] == expected


def test_what_is_lost_in_front_as_well_is_not_lost_by_place() -> None:
    of_rnn = dict(kept(*[0.3] * 10))
    of_rnn[BEFORE] = dict.fromkeys(range(20, 30), 0.7)
    losses = losses_of_claims({"rnn": of_rnn, "gru": kept(*[0.0] * 10), "lstm": kept(*[0.0] * 9)})
    assert set(losses[FORGETS["rnn"]].values()) == {0.0}
    assert list(losses[MORE]) == list(range(20, 29)), "a seed that is left out in one arm is left out in both"


def test_findings_come_from_the_file_and_a_missing_seed_decides_nothing(tmp_path: Path) -> None:
    measured(tmp_path, rnn=0.7)
    found = filler.findings(tmp_path)
    assert [verdict.verdict for verdict in found.verdicts] == [HOLDS, FAILS, FAILS, HOLDS]
    assert "Seeds of RNN, orthogonal that lose more than 10 points by place: 10/10" in found.verdicts[0].evidence
    of_kept, of_loss, of_areas = found.tables
    assert [row[:3] for row in of_kept.rows[:2]] == [("state", "RNN, orthogonal", "10/10"), ("state", "GRU", "10/10")]
    assert len(of_loss.rows) == 12
    assert of_areas.rows[0][-1] == "90.0 ± 0.0"
    panels = [axes for axes in found.figures["filler"].axes if axes.get_visible()]
    assert len(panels) == 3
    lines = (tmp_path / "results.csv").read_text().splitlines()
    (tmp_path / "results.csv").write_text("\n".join(line for line in lines if ",29," not in line) + "\n")
    assert {verdict.verdict for verdict in filler.findings(tmp_path).verdicts} == {UNDECIDED}
