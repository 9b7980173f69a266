"""The page: complete in itself, honest about what has not run, and usable in a browser."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure
from selenium import webdriver
from selenium.webdriver.common.by import By

from sentiment_rnn.errors import UserError
from sentiment_rnn.studies.answer import verdicts_of
from sentiment_rnn.studies.page import LATER, RELATED, build_page, sections_of, verdict_table

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"
TEXTS = [
    {
        "tokens": ["good", "</script>", "<b>film</b>"],
        "unknown": [False, True, False],
        "lstm": [0.9, 0.8, 0.7],
        "rnn": [0.6, 0.5, 0.4],
        "gates": {name: [[0.1, 0.9], [0.5, 0.5], [1.0, 0.0]] for name in ("forget", "input", "output", "cell")},
    },
    {
        "tokens": ["bad", "film"],
        "unknown": [False, False],
        "lstm": [0.1, 0.05],
        "rnn": [0.2, 0.93],
        "gates": {name: [[0.1, 0.9], [0.5, -1.5]] for name in ("forget", "input", "output", "cell")},
    },
]


@pytest.fixture
def experiments(tmp_path: Path) -> Path:
    """Two studies that have run, one of them with texts to explore."""
    for name, verdict in (("unseen", "holds"), ("gates", "does not hold")):
        folder = tmp_path / name
        folder.mkdir()
        figure = Figure(figsize=(9, 4))
        figure.subplots().plot([0, 1])
        figure.savefig(folder / "drawn.png")
        (folder / "README.md").write_text(f"# What of {name} & more?\n\n![A figure of {name}](drawn.png)\n")
        claim = {"claim": f"A claim <of> {name}.", "verdict": verdict, "evidence": "99 % (98 to 100)."}
        (folder / "verdicts.json").write_text(json.dumps([claim]))
    (tmp_path / "gates" / "explorer.json").write_text(json.dumps(TEXTS))
    return tmp_path


def test_the_page_holds_every_study_that_has_run_and_names_the_others(experiments: Path) -> None:
    page = build_page(experiments)
    assert "What of unseen &amp; more?" in page
    assert "A claim &lt;of&gt; gates." in page
    assert (
        "Not run yet: learnability, mid_range, long_range, own_rate, budget, causes, bfloat16, replication, textbook, "
        in page
    )
    assert page.count("data:image/png;base64,") == 2


@pytest.mark.parametrize(("places", "how"), [(LATER, "asked again in"), (RELATED, "a related claim, in")])
def test_a_verdict_is_followed_by_that_of_a_later_study_that_asked_again_or_something_related(
    experiments: Path, places: dict[tuple[str, str], tuple[str, str]], how: str
) -> None:
    ((first, claim), (later, asked)), *_ = places.items()
    for name, said, verdict in ((first, claim, "holds"), (later, asked, "inconclusive")):
        assert all(study.name != name for study in sections_of(experiments))
        (experiments / name).mkdir()
        (experiments / name / "README.md").write_text(f"# {name}\n")
        found = [{"claim": said, "verdict": verdict, "evidence": "20/20."}]
        (experiments / name / "verdicts.json").write_text(json.dumps(found))
        if name == first:
            assert how.capitalize() not in build_page(experiments)
    page = build_page(experiments)
    assert f"20/20. {how.capitalize()} {later}: {asked} Inconclusive." in page
    again = f'({how} <a href="#{later}">{later}</a>: “{asked}” Inconclusive.)'
    assert f'{claim}</a> <span class="soft">{again}' in page


def test_the_claims_that_lead_to_another_study_are_claims_of_both() -> None:
    assert not LATER.keys() & RELATED.keys()
    for place in (*LATER, *LATER.values(), *RELATED, *RELATED.values()):
        study, claim = place
        assert claim in verdicts_of(EXPERIMENTS / study)


def test_the_page_asks_nothing_of_a_network(experiments: Path) -> None:
    addresses = re.findall(r"""(?:src|href)=["']([^"']*)|url\(([^)]*)\)|@import|fetch\(""", build_page(experiments))
    assert all(address.startswith(("data:", "#")) for address, _ in addresses)


def test_no_text_ends_the_script(experiments: Path) -> None:
    page = build_page(experiments)
    assert page.count("</script>") == 2


def test_without_the_gates_study_there_is_no_explorer(experiments: Path) -> None:
    shutil.rmtree(experiments / "gates")
    assert 'id="explorer"' not in build_page(experiments)


def test_the_verdicts_make_a_table_for_a_document(experiments: Path) -> None:
    table = verdict_table(sections_of(experiments), experiments.parent)
    assert table.rows[1] == (
        "A claim <of> gates.",
        "**does not hold**",
        "99 % (98 to 100).",
        f"[gates]({experiments.name}/gates)",
    )


def test_a_study_without_a_readme_is_shown_by_its_name(experiments: Path) -> None:
    (experiments / "unseen" / "README.md").unlink()
    titles = {section.name: (section.title, len(section.pictures)) for section in sections_of(experiments)}
    assert titles == {"unseen": ("unseen", 0), "gates": ("What of gates & more?", 1)}


def test_a_damaged_file_of_verdicts_is_one_line(experiments: Path) -> None:
    (experiments / "gates" / "verdicts.json").write_text("<<<<<<< HEAD")
    with pytest.raises(UserError, match=r"gates: a file is damaged .*; put it back, or run sentiment-rnn study"):
        build_page(experiments)


def test_without_any_study_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no study has run there; run sentiment-rnn study name=learnability first"):
        build_page(tmp_path)


@pytest.fixture
def opened(open_page: Callable[[str, int], webdriver.Chrome], experiments: Path) -> Callable[[int], webdriver.Chrome]:
    """Open the page from disk in a window of a width."""

    def open_at(width: int) -> webdriver.Chrome:
        path = experiments / "report.html"
        path.write_text(build_page(experiments), encoding="utf-8")
        return open_page(path.as_uri(), width)

    return open_at


def row_of(page: webdriver.Chrome, encoder: str) -> list[str]:
    cells: list[Any] = page.find_elements(By.CSS_SELECTOR, f"#reading tr[data-encoder={encoder}] td")
    return [cell.text for cell in cells]


@pytest.mark.parametrize("width", [1280, 390])
def test_a_click_shows_what_both_encoders_say_of_the_text(
    opened: Callable[[int], webdriver.Chrome], width: int
) -> None:
    page = opened(width)
    first, second = page.find_elements(By.CSS_SELECTOR, "#texts button")
    first.click()
    assert row_of(page, "lstm") == ["0.90", "0.80", "0.70"]
    assert [cell.text for cell in page.find_elements(By.CSS_SELECTOR, "#reading th.word")] == [
        "good",
        "</script>",
        "<b>film</b>",
    ]
    second.click()
    assert row_of(page, "rnn") == ["0.20", "0.93"]
    assert page.find_element(By.ID, "said").text == "At the end: LSTM 5 % positive, RNN 93 %."
    assert [button.get_attribute("aria-pressed") for button in (first, second)] == ["false", "true"]
    assert page.get_log("browser") == []


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_is_no_wider_than_its_window(opened: Callable[[int], webdriver.Chrome], width: int) -> None:
    page = opened(width)
    assert page.execute_script("return document.documentElement.scrollWidth") <= width
    for image in page.find_elements(By.TAG_NAME, "img"):
        assert page.execute_script("return arguments[0].complete && arguments[0].naturalWidth > 0", image)
        assert image.get_attribute("alt")
