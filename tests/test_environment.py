"""Importing the package promises to change nothing; a command sets how its own threads wait."""

import pytest

from processes import run_python

COMMAND = """
import os, sys
from sentiment_rnn.cli.main import main
sys.argv = ["sentiment-rnn", "--version"]
main()
"""
SHOW = COMMAND + "print(os.environ.get('GOMP_SPINCOUNT'))"


@pytest.mark.parametrize(
    ("variables", "shown"),
    [({}, "1000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "active"}, "None")],
)
def test_waiting_threads_of_a_command_spin_briefly_unless_the_user_has_said_how(
    variables: dict[str, str], shown: str
) -> None:
    assert run_python(SHOW, **variables).stdout.split()[1:] == [shown]


def test_openmp_reads_the_setting() -> None:
    # OpenMP prints what it read when it loads, which must be after the command has set it.
    done = run_python(COMMAND + "import torch", OMP_DISPLAY_ENV="verbose")
    if "GOMP_SPINCOUNT" not in done.stderr:
        pytest.skip("this torch brings another OpenMP than GNU's")
    assert "GOMP_SPINCOUNT = '1000'" in done.stderr


IMPORTS = """
import gc, logging, os, pkgutil, signal, sys, warnings
# Libraries first, which set things themselves.
import hydra, lightning.pytorch, matplotlib.figure, mlflow.pyfunc, optuna, torch, torchtext

def state():
    return {
        "environment": dict(os.environ), "finders": [*map(repr, sys.meta_path)], "path": [*sys.path],
        "hidden": {name for name, module in sys.modules.items() if module is None},
        "garbage": (gc.isenabled(), gc.get_threshold(), gc.get_freeze_count()), "hook": sys.excepthook,
        "records": logging.getLogRecordFactory(), "warnings": [*warnings.filters], "threads": torch.get_num_threads(),
        "denormals": float(torch.full((), 1e-30) * 1e-10) > 0, "random": torch.initial_seed(),
        "signals": [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)],
    }

before = state()
import sentiment_rnn
names = [module.name for module in pkgutil.walk_packages(sentiment_rnn.__path__, "sentiment_rnn.")]
for name in names:
    if not name.endswith("__main__"):
        __import__(name)
after = state()
print(len(names), [key for key in before if before[key] != after[key]])
"""


def test_importing_the_package_changes_nothing_outside_it() -> None:
    count, changed = run_python(IMPORTS).stdout.strip().split(" ", 1)
    assert int(count) > 50
    assert changed == "[]"
