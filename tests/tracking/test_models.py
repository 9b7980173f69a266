"""A packaged model is found again by its run and by its registered name, and nothing else is taken for one."""

from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from sentiment_rnn.config.sections import TrackingConfig
from sentiment_rnn.errors import UserError
from sentiment_rnn.inference.package import Package, read_package, write_package
from sentiment_rnn.tracking.models import (
    DATA,
    PACKAGE,
    check_name,
    checked_model,
    fetch_model,
    fetch_run_model,
    log_model,
    register,
)
from sentiment_rnn.tracking.store import Store, open_store

Train = Callable[[str], str]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A local store: making one takes longer than any test here."""
    folder = tmp_path_factory.mktemp("store")
    return open_store(TrackingConfig(uri=None, directory=str(folder), experiment="sentiment_rnn"))


@pytest.fixture
def name() -> str:
    """Name of a registered model, another for each test."""
    return f"sentiment-{uuid4().hex}"


@pytest.fixture
def trained(store: Store, tmp_path: Path, build_package: Callable[..., Package]) -> Train:
    """Make a run of an encoder with its model; its id."""

    def train(encoder: str) -> str:
        run = store.client.create_run(store.experiment_id, tags={"encoder": encoder})
        run_id = str(run.info.run_id)
        folder = tmp_path / run_id / PACKAGE
        write_package(build_package(encoder, run=run_id), folder)
        log_model(store, run, folder, {"encoder": encoder})
        return run_id

    return train


def test_what_is_fetched_is_the_model_of_the_run(store: Store, name: str, trained: Train, tmp_path: Path) -> None:
    run = trained("rnn")
    register(store, name, "champion", run)
    found = [fetch_run_model(store, run, tmp_path / "run")]
    for asked in (f"{name}@champion", f"models:/{name}/1", name):
        found.append(fetch_model(store, asked, tmp_path / str(len(found))))
    assert [read_package(folder / DATA).reading.run for folder in found] == [run] * 4


def test_a_run_without_a_model_is_passed_over_and_asked_for_is_one_line(
    store: Store, name: str, tmp_path: Path
) -> None:
    run = store.client.create_run(store.experiment_id, tags={"encoder": "rnn"}).info.run_id
    assert register(store, name, "champion", run) is None
    with pytest.raises(UserError, match="it has no packaged model"):
        fetch_run_model(store, run, tmp_path)


def test_a_model_whose_files_are_gone_is_one_line(store: Store, name: str, trained: Train, tmp_path: Path) -> None:
    register(store, name, "champion", trained("rnn"))
    source = Path(store.client.get_model_version(name, "1").source.removeprefix("file://"))
    source.rename(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="the model is gone"):
        fetch_model(store, f"{name}@champion", tmp_path / "a")


def test_a_name_that_is_not_registered_is_one_line(store: Store, name: str, trained: Train, tmp_path: Path) -> None:
    register(store, name, "champion", trained("bag"))
    for asked in (f"{name}@none", f"{name}/9", "other", "other@champion", "", "models:/"):
        with pytest.raises(UserError, match="compare --register registers a sweep's best"):
            fetch_model(store, asked, tmp_path)


@pytest.mark.parametrize("name", ["", "a/b", "a@b", "it's"])
def test_a_name_that_no_model_can_have_is_one_line(name: str) -> None:
    with pytest.raises(UserError, match=r"no name for a registered model; use letters") as refused:
        check_name(name)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "flavors",
    [
        "{python_function: {loader_module: os, data: data/package}}",
        "{python_function: {loader_module: sentiment_rnn.inference.pyfunc, data: data/package}, sklearn: {}}",
        "{python_function: 1}",
        20_000 * "[",
    ],
)
def test_a_folder_whose_model_is_of_other_code_is_one_line(flavors: str, tmp_path: Path) -> None:
    (tmp_path / "MLmodel").write_text(f"flavors: {flavors}")
    with pytest.raises(UserError, match=r"no MLflow model of this project|names code or data that .* not loaded"):
        checked_model(tmp_path)
