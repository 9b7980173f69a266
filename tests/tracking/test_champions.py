"""An alias of a registered model moves only to a better run on the same validation texts, or when it is told to. What
is no model of this project is refused in one line."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from types import SimpleNamespace

import pytest
from mlflow.entities import Dataset, DatasetInput, LoggedModelOutput, Metric, Param

from sentiment_rnn.errors import UserError
from sentiment_rnn.inference.package import Package, write_package
from sentiment_rnn.tracking.champions import check_entrants, register_best
from sentiment_rnn.tracking.inventory import best_of
from sentiment_rnn.tracking.models import (
    LOGGED_NAME,
    PACKAGE,
    check_name,
    checked_model,
    fetch_model,
    fetch_run_model,
    log_model,
    register,
)
from sentiment_rnn.tracking.names import BEST_ACCURACY, BEST_LOSS, PARAMETERS
from sentiment_rnn.tracking.results import RecordedRun
from sentiment_rnn.tracking.store import Store

Train = Callable[..., RecordedRun]
Enter = Callable[..., list[str]]


@pytest.fixture
def train(store: Store) -> Train:
    """A finished run with a model, as far as the registry looks at it."""

    def trained(
        encoder: str,
        accuracy: float,
        seed: int = 0,
        texts: str = "imdb",
        parameters: int = 9,
        metric: str = BEST_ACCURACY,
        validation: int = 2500,
    ) -> RecordedRun:
        client = store.client
        run_id = client.create_run(store.experiment_id, tags={"encoder": encoder}).info.run_id
        scores = [Metric(metric, accuracy, 0, 0), Metric(PARAMETERS, parameters, 0, 0)]
        client.log_batch(run_id, scores, [Param("seed", str(seed))])
        if texts:
            source = json.dumps({"tags": {"name": texts, "validation": str(validation)}})
            client.log_inputs(run_id, [DatasetInput(Dataset(texts, f"digest of {texts}", "code", source))])
        model = client.create_logged_model(store.experiment_id, LOGGED_NAME, run_id)
        client.log_outputs(run_id, [LoggedModelOutput(model.model_id, 0)])
        client.set_terminated(run_id)
        return RecordedRun(store, client.get_run(run_id))

    return trained


@pytest.fixture
def enter(store: Store, name: str) -> Enter:
    """Register the best of some runs; the lines."""

    def registered(*runs: RecordedRun, replace: bool = False) -> list[str]:
        return register_best(store, name, runs, {}, replace)

    return registered


def holders(store: Store, name: str) -> dict[str, str]:
    """Ids of the runs to which a model's aliases point."""
    aliases = store.client.get_registered_model(name).aliases
    return {alias: store.client.get_model_version(name, version).run_id for alias, version in aliases.items()}


def test_the_best_run_and_the_best_of_each_encoder_are_registered(
    store: Store, name: str, train: Train, enter: Enter
) -> None:
    rnn, lstm, worse = train("rnn", 0.85), train("lstm", 0.8812), train("lstm", 0.87, seed=1)
    lines = enter(rnn, worse, lstm)
    ids = {alias: run.run_id for alias, run in {"champion": lstm, "rnn": rnn, "lstm": lstm}.items()}
    assert holders(store, name) == ids
    assert f"{name}@champion, version 1: lstm, seed 0, 88.1 % on 2,500 validation texts" in lines[0]


def test_an_alias_moves_to_a_better_run_on_the_same_validation_texts_and_a_line_says_what_it_replaces(
    store: Store, name: str, train: Train, enter: Enter
) -> None:
    first, better = train("lstm", 0.88), train("lstm", 0.89, seed=3)
    enter(first)
    line, _ = enter(better)
    assert holders(store, name)["champion"] == better.run_id
    assert "version 2: lstm, seed 3, 89.0 %" in line
    assert "it replaces version 1 (lstm, seed 0, 88.0 % on 2,500 validation texts" in line


@pytest.mark.parametrize(
    ("accuracy", "texts", "why"),
    [
        (0.87, "imdb", "is not better"),
        (0.88, "imdb", "is not better"),
        (1.0, "generated", "was not scored on the same texts"),
        (1.0, "", "was not scored on the same texts"),
    ],
)
def test_an_alias_stays_unless_it_is_told_to_move(
    store: Store, name: str, train: Train, enter: Enter, accuracy: float, texts: str, why: str
) -> None:
    first, other = train("lstm", 0.88), train("lstm", accuracy, texts=texts)
    enter(first)
    for line, alias in zip(enter(other), ("champion", "lstm"), strict=True):
        assert line.startswith(f"{name}@{alias} stays version 1 (lstm, seed 0, 88.0 % on 2,500 validation texts, ")
        assert line.endswith(f", {why}; --replace replaces it")
    assert set(holders(store, name).values()) == {first.run_id}
    assert len(store.client.search_model_versions(f"name = '{name}'")) == 1
    enter(other, replace=True)
    assert set(holders(store, name).values()) == {other.run_id}


def test_a_sweep_that_is_registered_again_keeps_its_versions_and_says_so(
    store: Store, name: str, train: Train, enter: Enter
) -> None:
    run = train("bag", 0.7)
    enter(run)
    for replace in (False, True):
        assert all("registered already" in line for line in enter(run, replace=replace))
    assert len(store.client.search_model_versions(f"name = '{name}'")) == 1


def test_of_two_registrations_at_once_the_better_run_has_the_alias(store: Store, name: str, train: Train) -> None:
    worse, better = train("lstm", 0.5), train("lstm", 0.55, seed=1)
    met = Barrier(2)

    def register_at_once(run: RecordedRun) -> None:
        met.wait(60)
        register_best(store, name, [run], {})

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(register_at_once, (worse, better)))
    assert set(holders(store, name).values()) == {better.run_id}


def test_runs_without_a_name_for_their_model_or_on_different_texts_are_refused(store: Store, train: Train) -> None:
    imdb, generated = train("lstm", 0.9), train("lstm", 0.9, texts="generated")
    vars(imdb)["config"] = SimpleNamespace(data=SimpleNamespace(name="files"))  # as if it had been read
    check_entrants("products", [imdb, imdb])
    with pytest.raises(UserError, match=r"^--register: the model of runs on data=files has no .* give --model NAME$"):
        check_entrants(None, [imdb])
    with pytest.raises(UserError, match=r"^--register: these runs read different data, so they cannot share one"):
        check_entrants("products", [imdb, generated])


def test_of_equal_runs_the_smaller_is_the_best_then_the_smaller_seed(train: Train) -> None:
    large, later, small = train("lstm", 0.9), train("rnn", 0.9, 2, parameters=5), train("rnn", 0.9, 1, parameters=5)
    assert getattr(best_of([large, later, small]), "run", None) == small
    by_loss, better = train("lstm", 0.3, metric=BEST_LOSS), train("lstm", 0.2, metric=BEST_LOSS)
    assert getattr(best_of([by_loss, better]), "run", None) == better


def test_a_champion_that_validation_hardly_chose_is_said(train: Train, enter: Enter) -> None:
    few = {"texts": "few", "validation": 32}
    lines = enter(train("rnn", 0.75, **few), train("lstm", 1.0, **few), train("gru", 1.0, **few))
    assert [line.partition(" ")[0] for line in lines[4:]] == ["a", "32"], "a tie, and too few texts"
    assert len(enter(train("rnn", 0.76), train("lstm", 0.77))) == len(["champion", "rnn", "lstm"])


def test_a_run_without_a_model_is_not_registered_and_by_its_id_it_is_refused_in_one_line(
    store: Store, name: str, tmp_path: Path
) -> None:
    run = store.client.create_run(store.experiment_id, tags={"encoder": "rnn"}).info.run_id
    assert register(store, name, "champion", run) is None
    with pytest.raises(UserError, match="it has no packaged model"):
        fetch_run_model(store, run, tmp_path)


def test_a_model_whose_files_are_gone_is_one_line(
    store: Store, name: str, build_package: Callable[..., Package], tmp_path: Path
) -> None:
    run = store.client.create_run(store.experiment_id, tags={"encoder": "rnn"})
    write_package(build_package("rnn", run=run.info.run_id), tmp_path / PACKAGE)
    log_model(store, run, tmp_path / PACKAGE, {"encoder": "rnn"})
    register(store, name, "champion", run.info.run_id)
    source = Path(store.client.get_model_version(name, "1").source.removeprefix("file://"))
    source.rename(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="the model is gone"):
        fetch_model(store, f"{name}@champion", tmp_path / "a")


@pytest.mark.parametrize("name", ["", "a/b", "a@b", "it's"])
def test_a_name_that_no_model_can_have_is_one_line(name: str) -> None:
    with pytest.raises(UserError, match="no name for a registered model"):
        check_name(name)


@pytest.mark.parametrize(
    "flavors",
    [
        "{python_function: {loader_module: os, data: data/package}}",
        "{python_function: {loader_module: sentiment_rnn.inference.pyfunc, data: data/package}, sklearn: {}}",
        "{python_function: 1}",
        20_000 * "[",
    ],
)
def test_a_model_folder_that_is_not_of_this_project_is_refused_in_one_line(flavors: str, tmp_path: Path) -> None:
    (tmp_path / "MLmodel").write_text(f"flavors: {flavors}")
    with pytest.raises(UserError, match=r"no MLflow model of this project|names code or data that .* not loaded"):
        checked_model(tmp_path)
