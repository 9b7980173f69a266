"""A run that one machine begins and another finishes, with one MLflow server between them."""

import signal
from pathlib import Path

import pytest
from mlflow import MlflowClient
from short_runs import LSTM, assert_equal_states, config_of, last_state, signal_after

from sentiment_rnn.config.tracking import TrackingConfig
from sentiment_rnn.errors import UserError
from sentiment_rnn.runs.engine import train
from sentiment_rnn.tracking.checkpoints import checkpoint_of
from sentiment_rnn.tracking.results import result_of
from sentiment_rnn.tracking.store import open_store
from servers import Server
from stored_runs import last_run, rows

pytestmark = pytest.mark.slow


def test_a_run_that_another_machine_finishes_from_a_shared_folder_ends_as_an_undisturbed_one(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = [f"tracking.uri={server.uri}", f"tracking.checkpoints={tmp_path}/shared"]
    with monkeypatch.context() as patched:
        signal_after(patched, 11, signal.SIGUSR1)  # in the second epoch; the best so far is that of the first
        with pytest.raises(KeyboardInterrupt):
            train(config_of(tmp_path / "first", LSTM, *place), [])
    client = MlflowClient(server.uri)
    run_id = client.search_runs(["1"])[0].info.run_id
    (tmp_path / "first").rename(tmp_path / "gone")
    with pytest.raises(UserError, match=f"^tracking.resume={run_id}: its folder is not here; give tracking.checkpoin"):
        train(config_of(tmp_path / "second", LSTM, place[0], f"tracking.resume={run_id}"), [])
    train(config_of(tmp_path / "second", LSTM, *place, f"tracking.resume={run_id}"), [])
    resumed = client.get_run(run_id)
    assert resumed.info.status == "FINISHED"
    train(config_of(tmp_path, LSTM), [])
    alone, undisturbed = last_run(tmp_path)
    states = (last_state(tmp_path / "shared", resumed), last_state(tmp_path / "runs" / "checkpoints", undisturbed))
    assert_equal_states(*states)
    assert rows(client, resumed) == rows(alone, undisturbed)

    third = TrackingConfig(
        uri=server.uri, directory=str(tmp_path / "third"), experiment="sentiment_rnn", checkpoints=f"{tmp_path}/shared"
    )
    assert checkpoint_of(result_of(open_store(third, create=False), resumed)).exists()
