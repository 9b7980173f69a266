"""The command lines that stand in the documents, and the targets of the Makefile."""

import re
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted(
    path for pattern in ("*.md", "docs/*.md", "experiments/**/*.md") for path in REPOSITORY.glob(pattern)
)


def commands() -> list[str]:
    """Every command line in a shell block, and every `sentiment-rnn …` and `make …` in running text, once.

    A name in running text, such as `make compare`, is left out where another line says more.
    """
    found = []
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        for block in re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
            lines = block.replace("\\\n", " ").splitlines()
            found += [re.sub(" +", " ", line.split("  #")[0].split(" # ")[0]) for line in lines]
        found += re.findall(r"`((?:sentiment-rnn|make) [a-z][a-z-]*(?: [^`…]*)?)`", text)
    lines = {re.sub(r" IMDB_ARCHIVE=…|^[A-Z_]+=\S+ ", "", line).strip() for line in found} - {""}
    return sorted(line for line in lines if not any(other.startswith(f"{line} ") for other in lines))


def targets() -> set[str]:
    """Every target that `make` prints."""
    return set(re.findall(r"^([a-z-]+):.*##", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
