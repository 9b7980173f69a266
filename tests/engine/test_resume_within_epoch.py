"""Whoever interrupts a run within an epoch is promised that nothing of the result tells of it."""

import signal
from pathlib import Path

import pytest
import torch

from sentiment_rnn.engine.train import train
from short_runs import ADDING, BAG, LSTM, REVIEWS, assert_equal_states, config_of, signal_after
from stored_runs import last_run, rows, runs_in

LANGUAGE_MODEL = (*REVIEWS, "task=language_model", "task.samples=20", "encoder=lstm", "encoder.hidden_size=12")
KEPT = "trainer.keep_epochs=true"
"""Every epoch's checkpoint stays."""


@pytest.mark.parametrize(
    ("task", "steps", "number"),
    [
        pytest.param(LSTM, 3, signal.SIGTERM, id="lstm"),
        pytest.param(LANGUAGE_MODEL, 3, signal.SIGINT, id="language model"),
        pytest.param(BAG, 10, signal.SIGUSR2, id="bag", marks=pytest.mark.slow),
        pytest.param(ADDING, 7, signal.SIGINT, id="adding", marks=pytest.mark.slow),
    ],
)
def test_a_run_that_was_interrupted_within_an_epoch_ends_as_an_undisturbed_one(
    task: tuple[str, ...], steps: int, number: int, tmp_path: Path
) -> None:
    disturbed, undisturbed = tmp_path / "disturbed", tmp_path / "undisturbed"
    with pytest.MonkeyPatch.context() as patched:
        signal_after(patched, steps, number)
        with pytest.raises(KeyboardInterrupt):
            train(config_of(disturbed, task, KEPT), [])
    client, interrupted = last_run(disturbed)
    assert interrupted.info.status == "KILLED"
    logged = [point.step for point in client.get_metric_history(interrupted.info.run_id, "train/loss")]
    assert logged == list(range(steps))
    train(config_of(disturbed, task, KEPT), [])
    train(config_of(undisturbed, task, KEPT), [])
    (resumed,), (expected,) = (runs_in(folder)[1] for folder in (disturbed, undisturbed))
    assert (resumed.info.run_id, resumed.info.status) == (interrupted.info.run_id, "FINISHED")
    assert rows(client, resumed) == rows(runs_in(undisturbed)[0], expected)
    assert len(client.get_metric_history(resumed.info.run_id, "train/epoch_seconds")) == 2
    states = [torch.load(next(folder.rglob("epoch1.ckpt")), weights_only=True) for folder in (disturbed, undisturbed)]
    assert_equal_states(*(state["state_dict"] for state in states))
    assert not [*tmp_path.rglob("last.ckpt")], "a finished run does not resume"
