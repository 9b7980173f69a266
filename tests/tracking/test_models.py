"""The registry on a real SQLite store: aliases that move with a comparison, and those that are a user's own."""

from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow.entities import Run

from sentiment_rnn.checks import UserError
from sentiment_rnn.config import TrackingConfig
from sentiment_rnn.inference.package import Package, read_package, write_package
from sentiment_rnn.tracking.models import DATA, PACKAGE, fetch_model, fetch_run_model, log_model, register
from sentiment_rnn.tracking.store import Store, open_store

Train = Callable[[str], Run]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(TrackingConfig(None, str(tmp_path / "runs"), "sentiment_rnn", False, True))


@pytest.fixture
def trained(store: Store, tmp_path: Path, build_package: Callable[..., Package]) -> Train:
    """A finished run of an encoder, with its model."""

    def train(encoder: str) -> Run:
        run_id = store.client.create_run(store.experiment_id, tags={"encoder": encoder}).info.run_id
        folder = tmp_path / run_id / PACKAGE
        write_package(build_package(encoder, run=run_id), folder)
        log_model(store, run_id, folder, {"encoder": encoder})
        return store.client.get_run(run_id)

    return train


def aliases(store: Store) -> dict[str, str]:
    return {alias: str(version) for alias, version in store.client.get_registered_model("sentiment").aliases.items()}


def test_a_comparison_moves_the_aliases_and_leaves_those_of_a_user(store: Store, trained: Train) -> None:
    first = {"rnn": trained("rnn"), "lstm": trained("lstm")}
    assert set(register(store, {"champion": first["lstm"], **first})) == {"champion", "rnn", "lstm"}
    rnn = aliases(store)["rnn"]
    store.client.set_registered_model_alias("sentiment", "production", rnn)
    bag = trained("bag")
    versions = register(store, {"champion": bag, "bag": bag})
    assert aliases(store) == {"champion": versions["bag"], "bag": versions["bag"], "production": rnn}
    assert register(store, {"champion": bag, "bag": bag}) == versions
    assert len(store.client.search_model_versions("name = 'sentiment'")) == 3


def test_what_is_fetched_is_the_model_of_the_run(store: Store, trained: Train, tmp_path: Path) -> None:
    run = trained("rnn")
    register(store, {"champion": run})
    for number, folder in enumerate(
        (
            fetch_model(store, "sentiment@champion", tmp_path / "a"),
            fetch_model(store, "models:/sentiment/1", tmp_path / "b"),
            fetch_run_model(store, run.info.run_id, tmp_path / "c"),
        )
    ):
        assert read_package(folder / DATA).reading.run == run.info.run_id, number


def test_a_run_without_a_model_is_passed_over_and_asked_for_is_one_line(store: Store, tmp_path: Path) -> None:
    run = store.client.create_run(store.experiment_id, tags={"encoder": "rnn"})
    assert register(store, {"champion": run}) == {}
    with pytest.raises(UserError, match="it has no packaged model"):
        fetch_run_model(store, run.info.run_id, tmp_path)


def test_a_model_whose_files_are_gone_is_one_line(store: Store, trained: Train, tmp_path: Path) -> None:
    run = trained("rnn")
    register(store, {"champion": run})
    source = Path(store.client.get_model_version("sentiment", "1").source.removeprefix("file://"))
    source.rename(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="the model is gone"):
        fetch_model(store, "sentiment@champion", tmp_path / "a")


@pytest.mark.parametrize("name", ["sentiment@none", "sentiment/9", "sentiment", "other@champion", "", "models:/"])
def test_a_name_that_is_not_registered_is_one_line(store: Store, trained: Train, tmp_path: Path, name: str) -> None:
    register(store, {"champion": trained("bag")})
    with pytest.raises(UserError, match="compare registers a sweep's best"):
        fetch_model(store, name, tmp_path)
