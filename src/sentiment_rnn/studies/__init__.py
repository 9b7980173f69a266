"""The studies: each puts claims to the test with one or several sweeps, in tables, figures and verdicts.

A new study is a module (or package) here with a `STUDY`, its sweeps in `conf/experiment/`, and a folder of
`experiments/`. This has a README and a `protocol.md`, without which the study does not start.
"""

import pkgutil
from functools import cache
from importlib import import_module

from sentiment_rnn.errors import UserError
from sentiment_rnn.studies.kit.study import Study

NOT_STUDIES = ("kit", "answer", "page")
"""Modules that serve all of them."""


@cache
def all_studies() -> tuple[Study, ...]:
    """Every study, in the order in which they build on each other."""
    modules = [module.name for module in pkgutil.iter_modules(__path__) if module.name not in NOT_STUDIES]
    studies: list[Study] = [import_module(f"{__name__}.{module}").STUDY for module in modules]
    return tuple(sorted(studies, key=lambda study: study.order))


def find_study(name: str) -> Study:
    """The study of this name; raises `UserError` where there is none."""
    studies = {study.name: study for study in all_studies()}
    if name not in studies:
        raise UserError(f"name={name}: expected one of {', '.join(studies)}")
    return studies[name]
