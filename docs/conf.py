"""How Sphinx makes the site: `make docs` writes it to build/site.

Its source folder is the repository, so a link between two Markdown files means the same here and on GitHub.
"""

import json
import os
import posixpath
import sys
from importlib.metadata import version as installed_version
from pathlib import Path

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # where the lab and the tools are
from experiments.lab.page import build_page
from tools.lesson import as_page, write_for_students

REPORT = "report.html"
"""The page of `make report`, beside the site's own."""
LESSON = "notebooks/lesson"
"""The lesson's page. LESSON in the environment names the executed notebook; without it the page has no outputs."""
SHORT = 20
"""Characters of a cell that is kept in one line."""

project = "sentiment_rnn"
author = "The sentiment_rnn developers"
version = release = installed_version("sentiment_rnn")
root_doc = "docs/index"
include_patterns = [
    "*.md", "docs/*.md", "experiments/*.md", "experiments/*/*.md", "experiments/*/*/*.md", f"{LESSON}.ipynb",
]  # fmt: skip
# They only take time to look through.
exclude_patterns = [".*", "build", "conf", "data", "outputs", "runs", "src", "tests"]
extensions = ["myst_parser"]
source_suffix = {".md": "markdown", ".ipynb": "markdown"}
myst_heading_anchors = 4  # GitHub makes one for every heading
# GitHub shows a link with this scheme as plain text, since the page that it names is on the site alone.
myst_url_schemes = {"http": None, "https": None, "mailto": None, "site": {"url": "../{{path}}"}}
suppress_warnings = ["toc.not_included"]  # a protocol is reached from its study's page, not from the sidebar
smartquotes = False  # they would make –file of --file

html_theme = "furo"
html_title = project
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_extra_path = ["_extra"]
html_show_copyright = False
html_show_sourcelink = False
html_copy_source = False
html_use_index = False
# A page opened from disk may not fetch others, which a summary of each result would need.
html_show_search_summary = False


def show_the_lesson(app: Sphinx, docname: str, source: list[str]) -> None:
    """Have the lesson's page made of the notebook, with its outputs where it was executed."""
    if docname == LESSON:
        executed = os.environ.get("LESSON")
        notebook = Path(executed).read_text(encoding="utf-8") if executed else source[0]
        source[0] = as_page(json.loads(notebook))


def write_the_lesson_for_students(app: Sphinx, failed: Exception | None) -> None:
    """Write the notebook with cells to fill beside the lesson's page."""
    if failed is None:
        write_for_students(Path(app.srcdir, f"{LESSON}.ipynb"), Path(app.outdir, f"{LESSON}_students.ipynb"))


def read_folders_as_their_readme(app: Sphinx, doctree: nodes.document) -> None:
    """Let a link to a folder lead to its README.md, as on GitHub; where it has none, keep the link's text alone."""
    here = posixpath.dirname(app.env.docname)
    for link in list(doctree.findall(pending_xref)):
        folder = posixpath.normpath(posixpath.join(here, link["reftarget"]))
        if link["reftype"] != "myst" or link["refdomain"] or not Path(app.srcdir, folder).is_dir():
            continue
        if Path(app.srcdir, folder, "README.md").exists():
            link["refdomain"], link["reftarget"], link["reftargetid"] = "doc", f"{folder}/README", None
        else:
            link.replace_self(link.children)


def follow_moves_from_protocols(app: Sphinx, doctree: nodes.document) -> None:
    """Let a protocol's links, whose text is frozen, lead to where protocols are today; what is gone is text alone."""
    if "/protocols/" not in app.env.docname:
        return
    for link in list(doctree.findall(pending_xref)):
        parts = link["reftarget"].removesuffix(".md").split("/")
        name = parts[-2] if parts[-1] in ("protocol", "README") else parts[-1]
        found = sorted(Path(app.srcdir, "experiments").glob(f"*/protocols/*-??_{name}.md"))
        if found:
            target = found[0].relative_to(app.srcdir).with_suffix("").as_posix()
            link["refdomain"], link["reftarget"], link["reftargetid"] = "doc", target, None
        else:
            link.replace_self(link.children)


def link_figures_to_their_files(app: Sphinx, doctree: nodes.document) -> None:
    """Give every figure its own size: Sphinx then makes it a link to its file, to be read at full size on a phone."""
    for image in doctree.findall(nodes.image):
        image["scale"] = 100


def keep_short_cells_in_one_line(app: Sphinx, doctree: nodes.document) -> None:
    """Mark the cells of tables that site.css does not break: `88.5 ± 0.1 %`, and none without a number."""
    for cell in doctree.findall(nodes.entry):
        if len(cell.astext()) <= SHORT and any(map(str.isdigit, cell.astext())):
            cell["classes"].append("short")


def write_report(app: Sphinx, failed: Exception | None) -> None:
    """Write the report of the studies, from the committed results alone."""
    if failed is None:
        Path(app.outdir, REPORT).write_text(build_page(Path(app.srcdir)), encoding="utf-8")


def setup(app: Sphinx) -> None:
    """Connect what is above to Sphinx's events."""
    app.connect("source-read", show_the_lesson)
    app.connect("doctree-read", follow_moves_from_protocols)
    app.connect("doctree-read", read_folders_as_their_readme)
    app.connect("doctree-read", link_figures_to_their_files)
    app.connect("doctree-read", keep_short_cells_in_one_line)
    app.connect("build-finished", write_report)
    app.connect("build-finished", write_the_lesson_for_students)
