"""`inspect` promises a reader the model's own probability after each token, and a page on which no text runs."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

from encoder_targets import TARGETS
from sentiment_rnn.errors import UserError
from sentiment_rnn.inference.package import Package
from sentiment_rnn.inference.predictor import Predictor
from sentiment_rnn.inference.probes import inspect
from sentiment_rnn.report.pages import inspection_page

TEXT = "The film was good. It was <b>long</b> & awful! I liked it"


@pytest.mark.parametrize(
    ("encoder", "pooling"),
    [*((name, "Mean" if name == "bag" else "Last") for name in TARGETS), ("lstm", "MeanMax")],
)
def test_after_each_token_it_says_what_it_says_of_the_text_up_to_there(
    build_package: Callable[..., Package], encoder: str, pooling: str
) -> None:
    predictor = Predictor(build_package(encoder, pooling))
    inspection = inspect(predictor, TEXT)
    beginnings = [" ".join(inspection.tokens[: end + 1]) for end in range(len(inspection.tokens))]
    np.testing.assert_allclose(inspection.running, predictor.predict(beginnings).probabilities, atol=1e-6)
    assert inspection.probability == pytest.approx(float(predictor.predict([TEXT]).probabilities[0]), abs=1e-6)
    assert bool(inspection.gates) == (encoder in ("lstm", "slstm") and pooling == "Last")
    assert all(gate.shape == (len(inspection.tokens), 8) for gate in inspection.gates.values())


def test_a_sentence_left_out_changes_what_it_says(build_package: Callable[..., Package]) -> None:
    predictor = Predictor(build_package())
    inspection = inspect(predictor, TEXT)
    assert [sentence.text for sentence in inspection.sentences] == [
        "The film was good.", "It was <b>long</b> & awful!", "I liked it",
    ]  # fmt: skip
    without = predictor.predict(["The film was good. I liked it"]).probabilities[0]
    assert inspection.sentences[1].without == pytest.approx(float(without), abs=1e-6)
    assert inspection.sentences[1].change == pytest.approx(inspection.probability - float(without), abs=1e-6)


def test_of_a_long_text_only_what_is_read_is_shown(build_package: Callable[..., Package]) -> None:
    predictor = Predictor(build_package(max_tokens=5))
    inspection = inspect(predictor, "good . " * 1000 + "bad film . i liked it")
    assert inspection.tokens == ["film", ".", "i", "liked", "it"]
    assert inspection.unread == 2000 + 6 - 5
    assert [sentence.text for sentence in inspection.sentences] == ["bad film .", "i liked it"]
    ended_there = predictor.predict(["good . " * 1000 + "bad film . i"]).probabilities[0]
    assert inspection.running[2] == pytest.approx(float(ended_there), abs=1e-6)


def test_what_has_no_reading_to_follow_is_refused(build_package: Callable[..., Package]) -> None:
    with pytest.raises(UserError, match="nothing to inspect"):
        inspect(Predictor(build_package()), " \n ")
    with pytest.raises(UserError, match="random order"):
        inspect(Predictor(build_package(shuffle_span=5)), "the film was good .")


def test_no_text_becomes_part_of_the_page(build_package: Callable[..., Package]) -> None:
    predictor = Predictor(build_package())
    page = inspection_page(
        [inspect(predictor, "</script><script>alert(1)</script> <img src=x onerror=alert(2)> good.")]
    )
    assert page.count("<script") == 2
    assert "<img" not in page
    addresses = re.findall(r"""(?:src|href)=["']([^"']*)|url\(([^)]*)\)|@import|fetch\(""", page)
    assert all(address.startswith(("data:", "#")) for address, _ in addresses)


@pytest.mark.parametrize("width", [1280, 390])
def test_in_a_browser_a_word_answers_a_click(
    open_page: Callable[[str, int], webdriver.Chrome],
    build_package: Callable[..., Package],
    tmp_path: Path,
    width: int,
) -> None:
    inspections = [inspect(Predictor(build_package(encoder)), TEXT) for encoder in ("lstm", "rnn")]
    path = tmp_path / "inspection.html"
    path.write_text(inspection_page(inspections), encoding="utf-8")
    chromium = open_page(path.as_uri(), width)
    lstm, rnn = chromium.find_elements(By.CSS_SELECTOR, ".text")
    lstm.find_elements(By.TAG_NAME, "button")[3].click()
    shown = chromium.find_element(By.ID, "here-0").text
    assert shown.startswith(
        f"After “good” (token 4): {100 * inspections[0].running[3]:.1f} % positive; on average forget"
    )
    rnn.find_elements(By.TAG_NAME, "button")[0].click()
    assert "gate" not in chromium.find_element(By.ID, "here-1").text
    assert len(chromium.find_elements(By.TAG_NAME, "canvas")) == 4
    assert chromium.execute_script("return document.documentElement.scrollWidth") <= width
    assert chromium.get_log("browser") == []


def test_spaces_that_are_tokens_are_read_as_in_prediction(
    build_package: Callable[..., Package], monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor = Predictor(build_package())
    monkeypatch.setattr(predictor.package.tokenizer, "split", list)
    text = "Good.  Bad!\n\nSo. "
    assert text.endswith("".join(inspect(predictor, text).tokens))
