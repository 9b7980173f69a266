"""A run that a signal interrupts within an epoch, and its resumption: nothing of the result tells of it."""

import signal
from pathlib import Path

import pytest
from short_runs import ADDING, BAG, LSTM, assert_equal_states, config_of, last_state, signal_after

from sentiment_rnn.runs.engine import train
from stored_runs import last_run, rows


@pytest.mark.parametrize(
    ("task", "steps", "number"),
    [
        pytest.param(LSTM, 3, signal.SIGTERM, id="lstm"),
        pytest.param((*LSTM, "optimizer.unfreeze_epochs=1"), 12, signal.SIGTERM, id="unfreezing"),
        pytest.param(BAG, 10, signal.SIGUSR2, id="bag", marks=pytest.mark.slow),
        pytest.param(ADDING, 7, signal.SIGINT, id="adding", marks=pytest.mark.slow),
    ],
)
def test_a_run_that_was_interrupted_within_an_epoch_ends_as_an_undisturbed_one(
    task: tuple[str, ...], steps: int, number: int, tmp_path: Path
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        signal_after(patched, steps, number)
        with pytest.raises(KeyboardInterrupt):
            train(config_of(tmp_path, task), [])
    client, interrupted = last_run(tmp_path)
    assert interrupted.info.status == "KILLED"
    logged = [point.step for point in client.get_metric_history(interrupted.info.run_id, "train/loss")]
    assert logged == list(range(steps))
    train(config_of(tmp_path, task, f"tracking.resume={interrupted.info.run_id}"), [])
    resumed = client.get_run(interrupted.info.run_id)
    assert resumed.info.status == "FINISHED"
    train(config_of(tmp_path, task), [])
    undisturbed = last_run(tmp_path)[1]
    assert undisturbed.info.run_id != resumed.info.run_id
    checkpoints = tmp_path / "runs" / "checkpoints"
    assert_equal_states(last_state(checkpoints, resumed), last_state(checkpoints, undisturbed))
    assert rows(client, resumed) == rows(client, undisturbed)
    assert len(client.get_metric_history(resumed.info.run_id, "train/epoch_seconds")) == 2
