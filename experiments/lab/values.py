"""Numbers in the sentences of the documents, from the committed results.

    … succeeds in <!-- value: seeds / figure / rnn / 50 -->15 of 20<!-- end --> seeds at lag 50.

A value is one of

    seeds / PROTOCOL / ARM / CONDITION        seeds that succeed, of all
    accuracy / STUDY / ARM                    mean test accuracy over seeds [%]
    points / STUDY / ARM / STUDY / ARM        difference of two of those, first - second [percentage points]
    search / ARM / LAG                        S(4) of the study `reach`, with its 95 % interval [%]

`make readme` writes what stands between the two comments.
"""

import re
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from statistics import fmean

import pandas as pd

from experiments.lab.reach import SEARCH, success_interval
from experiments.lab.reach_findings import DrawnEvidence, share
from experiments.lab.rules import evidence_of
from experiments.lab.study import Study
from experiments.lab.table import read_results, values_of
from sentiment_rnn.errors import UserError

VALUE = re.compile(r"(<!-- value: (.+?) -->).*?(<!-- end -->)", re.DOTALL)


def pages_with_values(root: Path, studies: Sequence[Study]) -> dict[Path, str]:
    """The documents with a value in a sentence, as the committed results have them.

    Raises:
        UserError: a value is of no known kind, or the results do not have it.
    """
    texts = {path: path.read_text(encoding="utf-8") for pattern in ("*.md", "docs/*.md", "experiments/**/*.md")
             for path in root.glob(pattern)}  # fmt: skip
    value = _values(studies)
    return {
        path: VALUE.sub(lambda found, path=path: found[1] + value(path, found[2]) + found[3], text)  # type: ignore[misc]
        for path, text in texts.items()
        if VALUE.search(text)
    }


def _values(studies: Sequence[Study]) -> Callable[[Path, str], str]:
    by_name = {study.name: study for study in studies}

    @cache
    def results(study: str) -> pd.DataFrame:
        return read_results(by_name[study].output)

    def seeds(protocol: str, arm: str, condition: str) -> str:
        study = next(study for study in studies if protocol in study.protocols)
        evidence = evidence_of(study, study.protocols[protocol], results(study.name))
        return "{} of {}".format(*evidence.learn(arm, condition))

    def accuracy(study: str, arm: str) -> float:
        return 100 * fmean(values_of(results(study), "accuracy")[arm, ""].values())

    @cache
    def evidence_of_reach() -> DrawnEvidence:
        study = by_name["reach"]
        return DrawnEvidence(study, study.protocols["reach"], results("reach"))

    def search(arm: str, lag: str) -> str:
        runs = evidence_of_reach().runs(arm, lag)
        if runs is None:
            raise LookupError(f"not all runs of {arm} at {lag} are there")
        return share(success_interval(runs, SEARCH))

    kinds: dict[str, Callable[..., str]] = {
        "seeds": seeds,
        "accuracy": lambda study, arm: f"{accuracy(study, arm):.1f}",
        "search": search,
        "points": lambda study, arm, *other: f"{accuracy(study, arm) - accuracy(*other):.1f}",
    }

    def value(path: Path, description: str) -> str:
        kind, *names = description.split(" / ")
        try:
            return kinds[kind](*names)
        except (LookupError, StopIteration, TypeError) as error:
            raise UserError(f"{path}: no such value: {description} ({type(error).__name__}: {error})") from error

    return value
