"""A run is promised an early end once it has learnt its task, and one line once its loss is no number."""

from contextlib import nullcontext
from functools import partial
from math import inf, nan
from types import SimpleNamespace

import pytest
import torch

from sentiment_rnn.engine.callbacks import FiniteLoss, StopAtTargetScore
from sentiment_rnn.tasks.job import Objective
from sentiment_rnn.tracking.run import DivergedError


@pytest.mark.parametrize(("mode", "miss"), [("max", 0.4), ("min", 0.6)])
def test_two_epochs_in_a_row_at_the_target_score_end_a_run_also_one_that_resumes_between_them(
    mode: str, miss: float
) -> None:
    def stops(*scores: float, resumed: StopAtTargetScore | None = None) -> tuple[bool, StopAtTargetScore]:
        trainer, stop = SimpleNamespace(should_stop=False), StopAtTargetScore(Objective("val/score", mode, ""), 0.5)
        if resumed:
            stop.load_state_dict(resumed.state_dict())
        for score in scores:
            trainer.callback_metrics = {"val/score": torch.tensor(score)}
            stop.on_validation_end(trainer, None)  # type: ignore[arg-type]
        return trainer.should_stop, stop

    assert not stops(0.5, miss, 0.5)[0]
    assert stops(miss, 0.5, 0.5)[0]
    _, begun = stops(0.5)
    assert [stops(score, resumed=begun)[0] for score in (0.5, miss)] == [True, False]


@pytest.mark.parametrize(
    ("device", "step", "is_last", "looks"),
    [("cpu", 9, False, True), ("cuda", 9, False, False), ("cuda", 10, False, True), ("cuda", 9, True, True)],
)
def test_a_loss_that_is_no_number_ends_a_run_on_a_gpu_where_it_is_logged(
    device: str, step: int, is_last: bool, looks: bool
) -> None:
    optimizer = SimpleNamespace(param_groups=[{"lr": 0.25}])
    elsewhere = [0.5]
    trainer = SimpleNamespace(
        log_every_n_steps=10, global_step=step, is_last_batch=is_last, current_epoch=2, optimizers=[optimizer],
        strategy=SimpleNamespace(reduce=lambda loss: (loss + elsewhere[0]) / 2),
    )  # fmt: skip
    look = partial(FiniteLoss().on_train_batch_end, trainer, SimpleNamespace(device=torch.device(device)))
    look({"loss": torch.tensor(0.5)}, None, 3)
    for loss in (nan, inf):
        said = f"the loss is {loss} in batch 4 of epoch 3, at learning rate 0.25"
        with pytest.raises(DivergedError, match=said) if looks else nullcontext():
            look({"loss": torch.tensor(loss)}, None, 3)
    elsewhere[0] = nan
    with pytest.raises(DivergedError, match="the loss is nan") if looks else nullcontext():
        look({"loss": torch.tensor(0.5)}, None, 3)
