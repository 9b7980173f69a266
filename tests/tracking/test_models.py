"""Packaged models in the registry of a real SQLite store."""

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
    register(store, name, {"champion": run})
    found = [fetch_run_model(store, run, tmp_path / "run")]
    for asked in (f"{name}@champion", f"models:/{name}/1", name):
        found.append(fetch_model(store, asked, tmp_path / str(len(found))))
    assert [read_package(folder / DATA).reading.run for folder in found] == [run] * 4


def test_a_run_without_a_model_is_passed_over_and_asked_for_is_one_line(
    store: Store, name: str, tmp_path: Path
) -> None:
    run = store.client.create_run(store.experiment_id, tags={"encoder": "rnn"}).info.run_id
    assert register(store, name, {"champion": run}) == {}
    with pytest.raises(UserError, match="it has no packaged model"):
        fetch_run_model(store, run, tmp_path)


def test_a_model_whose_files_are_gone_is_one_line(store: Store, name: str, trained: Train, tmp_path: Path) -> None:
    register(store, name, {"champion": trained("rnn")})
    source = Path(store.client.get_model_version(name, "1").source.removeprefix("file://"))
    source.rename(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="the model is gone"):
        fetch_model(store, f"{name}@champion", tmp_path / "a")


def test_a_name_that_is_not_registered_is_one_line(store: Store, name: str, trained: Train, tmp_path: Path) -> None:
    register(store, name, {"champion": trained("bag")})
    for asked in (f"{name}@none", f"{name}/9", "other", "other@champion", "", "models:/"):
        with pytest.raises(UserError, match="compare --register registers a sweep's best"):
            fetch_model(store, asked, tmp_path)


def test_a_model_of_another_name_is_registered_beside_the_first(
    store: Store, name: str, trained: Train, tmp_path: Path
) -> None:
    for registered, encoder in ((name, "rnn"), ("my model 2", "bag")):
        run = trained(encoder)
        register(store, registered, {"champion": run})
        assert str(store.client.get_registered_model(registered).aliases["champion"]) == "1"
    folder = fetch_model(store, "my model 2@champion", tmp_path / "a")
    assert read_package(folder / DATA).reading.run == run


LOADED = "flavors: {python_function: {loader_module: sentiment_rnn.inference.pyfunc, data: data/package}"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (f"{LOADED}}}", None),
        (f"{LOADED}, sklearn: {{}}}}", "2 flavors"),
        (f"{LOADED}, 1: {{}}}}", "2 flavors"),
        ("flavors: {python_function: {loader_module: os}}", "its loader_module is os, and"),
        ("flavors: {python_function: {loader_module: [os]}}", "its loader_module is list, and"),
        ('flavors: {python_function: {loader_module: "\\e[2J"}}', r"its loader_module is \\x1b\[2J, and"),
        ("flavors: {python_function: 1}", "no MLflow model of this project"),
        (20_000 * "[", "no MLflow model of this project"),
    ],
)
def test_a_folder_is_a_model_of_this_project_or_one_line(content: str, said: str | None, tmp_path: Path) -> None:
    (tmp_path / "MLmodel").write_text(content)
    if said is None:
        assert checked_model(tmp_path) == tmp_path
        return
    with pytest.raises(UserError, match=said) as refused:
        checked_model(tmp_path)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("name", ["", " ", "a/b", "a:b", "a@b", "a.b", "50%", "it's", 'a"b'])
def test_a_name_that_no_model_can_have_is_one_line(name: str) -> None:
    with pytest.raises(UserError, match=r"no name for a registered model; use letters") as refused:
        check_name(name)
    assert "\n" not in str(refused.value)


def test_nothing_is_registered_under_a_name_that_no_model_can_have(store: Store, trained: Train) -> None:
    before = store.client.search_registered_models()
    with pytest.raises(UserError, match="no name for a registered model"):
        register(store, "a/b", {"champion": trained("bag")})
    assert store.client.search_registered_models() == before
