"""The site promises a reader that every link leads somewhere (to an anchor, Sphinx looks), that nothing comes from
another host, and that its pages read well in a browser."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup
from selenium import webdriver
from selenium.webdriver.common.by import By

REPOSITORY = Path(__file__).resolve().parents[1]
KEY_PAGES = (
    "docs/index.html",
    "docs/findings.html",
    "notebooks/lesson.html",
    "docs/configuration.html",
    "experiments/gradient/gates.html",
    "experiments/benchmarks/README.html",
    "report.html",
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` builds it, of a lesson with a wide figure and a wide table for outputs."""
    folder = tmp_path_factory.mktemp("site")
    lesson = json.loads((REPOSITORY / "notebooks" / "lesson.ipynb").read_text(encoding="utf-8"))
    code = next(cell for cell in lesson["cells"] if cell["cell_type"] == "code")
    image = base64.b64encode((REPOSITORY / "docs" / "images" / "mlflow_compare.png").read_bytes()).decode()
    table = f"<table id=1><tr>{'<td>0.123456</td>' * 40}</tr></table>"
    code["outputs"] = [{"output_type": "display_data", "data": {"image/png": image}},
                       {"output_type": "display_data", "data": {"text/html": table}}]  # fmt: skip
    (folder / "lesson.ipynb").write_text(json.dumps(lesson), encoding="utf-8")
    options = ["--quiet", "--fail-on-warning", "--keep-going", "--fresh-env", "-c", "docs"]
    folders = ["--doctree-dir", str(folder / "doctrees"), ".", str(folder / "html")]
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *options, *folders],
        cwd=REPOSITORY, env=os.environ | {"LESSON": str(folder / "lesson.ipynb")},
        capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert 'src="data:image/png' in (folder / "html" / "notebooks" / "lesson.html").read_text(encoding="utf-8")
    return folder / "html"


@pytest.mark.slow
def test_every_document_is_a_page_and_every_link_leads_to_a_file(site: Path) -> None:
    documents = [path.relative_to(REPOSITORY) for pattern in ("*.md", "docs/*.md", "experiments/**/README.md")
                 for path in REPOSITORY.glob(pattern)]  # fmt: skip
    assert [path for path in documents if not (site / path.with_suffix(".html")).exists()] == []
    pages = {page: BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser") for page in site.rglob("*.html")}
    links = [(page, str(link["href"])) for page, parsed in pages.items() for link in parsed.find_all("a", href=True)]
    within = [(page, urlsplit(link).path) for page, link in links if not urlsplit(link).scheme]
    assert [(page.name, path) for page, path in within if not (page.parent / unquote(path)).exists()] == []


@pytest.fixture
def opened(site: Path, open_page: Callable[[str, int], webdriver.Chrome]) -> Callable[..., webdriver.Chrome]:
    """Open a page from disk in a window of a width, light or dark."""

    def open_at(page: str, width: int = 1280, scheme: str = "light") -> webdriver.Chrome:
        path, _, query = page.partition("?")
        browser = open_page(f"{(site / path).as_uri()}?{query}", width)
        dark = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", dark)
        return browser

    return open_at


@pytest.mark.slow
@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
@pytest.mark.parametrize("page", KEY_PAGES)
def test_a_page_fits_its_window_and_its_figures_can_be_read(
    opened: Callable[..., webdriver.Chrome], page: str, width: int, scheme: str
) -> None:
    browser = opened(page, width, scheme)
    for shown in browser.find_elements(By.CSS_SELECTOR, "html, .content"):
        assert browser.execute_script("return arguments[0].scrollWidth", shown) <= width
    ground = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, ground.strip("rgb()").split(","))) < 200) == (scheme == "dark")
    for figure in browser.find_elements(By.CSS_SELECTOR, "article img, figure img"):
        drawn = browser.execute_script("return arguments[0].naturalWidth", figure)
        assert drawn > 0
        assert figure.get_attribute("alt")
        assert figure.size["width"] >= min(drawn, 500)  # shrunk further, its labels are too small
        behind = browser.execute_script("return getComputedStyle(arguments[0].parentElement).backgroundColor", figure)
        assert behind == "rgb(255, 255, 255)"
    loaded = browser.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)")
    assert [address for address in loaded if not address.startswith(("file:", "data:"))] == []
    assert browser.get_log("browser") == []
