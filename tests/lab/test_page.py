"""Whoever opens the report has every claim with its numbers, without a network, in any window."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from made_studies import learners, make_study, table_of
from selenium import webdriver
from selenium.webdriver.common.by import By

from experiments.lab import page as page_module
from experiments.lab.page import build_page, pictures_of
from experiments.lab.results import RESULTS, results_csv
from experiments.lab.run import freeze
from experiments.lab.study import read_study
from experiments.lab.summary import CHOSEN
from experiments.lab.write import findings_by_protocol, write_figures
from sentiment_rnn.report.tables import Table

CLAIMS = [
    {"id": "near", "text": "An RNN <b>succeeds</b> at lag 20.", "rule": "most_learn", "arms": ["rnn"], "at": [20]},
    {"id": "far", "text": "An RNN succeeds at lag 50.", "rule": "most_learn", "arms": ["rnn"], "at": [50]},
]  # fmt: skip
ANSWER = Table("What <encoders> remember", ["encoder", "lag"], [["RNN", "50"], ["LSTM", "100"]])


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study of which one protocol has run and another has not."""
    monkeypatch.setattr(page_module, "learned_table", lambda *_: ANSWER)
    first = {"date": make_study(tmp_path).protocols["first"].path.name[:10], "claims": CLAIMS, "figures": ["shares"]}
    sweep = {"name": "learn_{at}", "at": [20, 50], "arms": ["rnn"], "seeds": "0-19", "rates": ["search"]}
    later = {"date": "2026-02-01", "reads": ["first"], "claims": [CLAIMS[0] | {"id": "later"}]}
    protocols = {"first": first | {"sweeps": [sweep]}, "later": later}
    study = make_study(tmp_path, title="What of <far> & near?", protocols=protocols)
    freeze(study, study.protocols["first"])
    table = table_of(study, {("rnn", "20"): learners(20), ("rnn", "50"): learners(0)})
    (study.folder / RESULTS).write_text(results_csv(table[table.metric == "accuracy"]))
    write_figures(study, findings_by_protocol(study))
    (study.folder / "README.md").write_text("# Made\n\n![Shares of <RNNs>](figures/first_shares.png)\n")
    (study.folder / "first.md").write_text(
        "![Shares of <RNNs>](figures/first_shares.png)\n\n![Not drawn](figures/first_none.png)\n"
    )
    (tmp_path / "experiments" / CHOSEN).write_text('near: {question: "How near?", claims: [made/first.near]}\n')
    return tmp_path


def test_the_page_holds_every_claim_with_its_numbers(root: Path) -> None:
    page = build_page(root)
    assert "What of &lt;far&gt; &amp; near?" in page
    near = (
        '<tr class="holds"><th scope="row">An RNN &lt;b&gt;succeeds&lt;/b&gt; at lag 20.</th><td>holds</td><td>20</td>'
    )
    assert page.count(near) == 2, "among the main claims, and in its study"
    assert "<td>20/20 (83–100)</td>" in page
    assert "Not run yet: later." in page
    assert 'To run it again: <code>make study NAME=made ARGS="--output runs/again/made"</code>' in page


def test_each_figure_is_shown_once_with_its_description(root: Path) -> None:
    page = build_page(root)
    assert page.count('<img src="data:image/png;base64,') == 1
    assert re.findall(r'<img [^>]*alt="([^"]*)"', page) == ["Shares of &lt;RNNs&gt;"]
    shown = pictures_of(read_study(root / "experiments" / "made"))
    assert [picture.path.name for picture in shown] == ["first_shares.png"]


def test_the_page_asks_nothing_of_a_network(root: Path) -> None:
    page = build_page(root)
    addresses = re.findall(r"""(?:src|href)=["']([^"']*)|url\(([^)]*)\)|@import|fetch\(""", page)
    assert all(address.startswith(("data:", "#")) for address, _ in addresses)


@pytest.fixture
def opened(open_page: Callable[[str, int], webdriver.Chrome], root: Path) -> Callable[[int], webdriver.Chrome]:
    """Open the page from disk in a window of a width."""

    def open_at(width: int) -> webdriver.Chrome:
        path = root / "report.html"
        path.write_text(build_page(root), encoding="utf-8")
        return open_page(path.as_uri(), width)

    return open_at


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_is_no_wider_than_its_window(opened: Callable[[int], webdriver.Chrome], width: int) -> None:
    page = opened(width)
    assert page.execute_script("return document.documentElement.scrollWidth") <= width
    for image in page.find_elements(By.TAG_NAME, "img"):
        assert page.execute_script("return arguments[0].complete && arguments[0].naturalWidth > 0", image)
        assert image.get_attribute("alt")
