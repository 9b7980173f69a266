"""A store for the tests of this folder."""

from pathlib import Path

import pytest

from sentiment_rnn.config.sections import TrackingConfig
from sentiment_rnn.tracking.store import Store, open_store


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """One database for all: making it takes longer than most tests here."""
    return open_store(TrackingConfig(None, str(tmp_path_factory.mktemp("store")), "sentiment_rnn"))


@pytest.fixture
def name(tmp_path: Path) -> str:
    """A name of the test's own."""
    return tmp_path.name


@pytest.fixture
def store(shared: Store, name: str, tmp_path: Path) -> Store:
    """An experiment of the test's own, its artifacts and checkpoints in a folder of its own."""
    experiment = shared.client.create_experiment(name, (tmp_path / "artifacts").as_uri())
    return Store(shared.client, shared.uri, experiment, tmp_path)
