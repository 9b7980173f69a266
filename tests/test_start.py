"""Commands promise to start without the libraries that they do not need: those are most of the wait."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from processes import run_python, training_that
from sentiment_rnn.config.sections import TrackingConfig
from sentiment_rnn.inference.package import Package, write_package
from sentiment_rnn.tracking.models import PACKAGE, log_model, register
from sentiment_rnn.tracking.store import open_store

FOR_THE_END = ("mlflow.pyfunc", "jinja2")
"""Libraries that a run loads when it records its end, at the earliest."""
FOR_A_RECORD = ("matplotlib", "PIL.Image", "scipy.stats", "scipy.optimize", "scipy.signal", *FOR_THE_END)
"""Libraries that a run needs, or that its libraries bring along, and a prediction does not."""
FOR_OTHERS = ("optuna",)
FOR_TRAINING = ("lightning", "torchmetrics", "torch._dynamo")
SHOWN = "json.dumps(sorted(sys.modules))"
COMMAND = f"""
import json, sys
from sentiment_rnn.cli.main import main
sys.argv = ["sentiment-rnn", *sys.argv[1:]]
main()
print({SHOWN})
"""
TINY = (
    "data=generated data.train_reviews=60 data.test_reviews=20 data.max_lag=20 encoder.hidden_size=4 "
    "embedding.size=4 trainer.epochs=1 tracking.system_metrics=false"
).split()


def loaded(code: str, folder: Path, *arguments: str) -> set[str]:
    """Modules that are loaded where `code` prints `SHOWN`."""
    return set(json.loads(run_python(code, *arguments, folder=folder).stdout.splitlines()[-1]))


@pytest.fixture
def store(tmp_path: Path, build_package: Callable[..., Package]) -> Path:
    """A store with a registered model."""
    opened = open_store(TrackingConfig(uri=None, directory=str(tmp_path / "runs"), experiment="sentiment_rnn"))
    run = opened.client.create_run(opened.experiment_id, tags={"encoder": "lstm"})
    run_id = run.info.run_id
    write_package(build_package(run=run_id), tmp_path / PACKAGE)
    log_model(opened, run, tmp_path / PACKAGE, {"encoder": "lstm"})
    register(opened, "sentiment", "champion", run_id)
    return tmp_path / "runs"


def test_a_trained_model_is_used_without_what_trains_one(store: Path) -> None:
    modules = loaded(COMMAND, store.parent, "predict", "the film was good", "--store", str(store))
    assert "torch" in modules
    assert {*FOR_TRAINING, *FOR_OTHERS, *FOR_A_RECORD} & modules == set()


def test_runs_are_listed_without_torch(store: Path) -> None:
    assert "torch" not in loaded(COMMAND, store.parent, "runs", "--store", str(store))


def test_a_run_loads_what_records_its_end_after_its_training(tmp_path: Path) -> None:
    program = "import json\n" + training_that(f"os._exit(print({SHOWN}, flush=True) or 0)", epoch=0)
    modules = loaded(program, tmp_path, *TINY)
    assert {"lightning", "mlflow"} <= modules
    assert {*FOR_THE_END, *FOR_OTHERS} & modules == set()
    assert not any(name.startswith("sentiment_rnn.report") for name in modules)


@pytest.mark.parametrize(
    "arguments",
    [["data.keep=middle"], ["data=files", "data.train=nowhere.csv"], ["-m", "seed=0,1", "trainer.epochs=0"],
     ["hydra.run.dir=/proc/x"], ["task._target_=os.getcwd"]],
)  # fmt: skip
def test_a_wrong_setting_is_said_before_torch_and_mlflow_are_loaded(arguments: list[str], tmp_path: Path) -> None:
    refused = f"import contextlib, json\nwith contextlib.suppress(SystemExit):\n    exec({COMMAND!r})\nprint({SHOWN})"
    assert {"torch", "mlflow"} & loaded(refused, tmp_path, "train", *arguments) == set()
    assert list(tmp_path.iterdir()) == []
