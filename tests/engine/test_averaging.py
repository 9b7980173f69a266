"""The moving average of a run's weights: its numbers, and who sees it."""

from pathlib import Path
from typing import Any

import pytest
import torch

from sentiment_rnn.data.datamodule import ReviewData
from sentiment_rnn.engine import train as engine
from sentiment_rnn.engine.train import train
from sentiment_rnn.model.classifier import SentimentClassifier
from sentiment_rnn.tasks.reviews import ReviewJob
from sentiment_rnn.tracking.checkpoints import checkpoint_of
from sentiment_rnn.tracking.results import result_of
from sentiment_rnn.tracking.store import open_store
from short_runs import ADDING, LSTM, config_of
from stored_runs import last_run

DECAY = 0.9
Weights = dict[str, torch.Tensor]


def note_averages(monkeypatch: pytest.MonkeyPatch) -> list[Weights]:
    """The average after each epoch, computed here step by step in float64."""
    found: list[Weights] = []
    average: Weights = {}
    end_of_batch = engine.EpochTimer.on_train_batch_end

    def on_train_batch_end(timer: Any, trainer: Any, model: Any, *rest: Any) -> None:
        end_of_batch(timer, trainer, model, *rest)
        for name, weight in model.named_parameters():
            now = weight.detach().double().clone()
            average[name] = DECAY * average[name] + (1 - DECAY) * now if name in average else now
        if trainer.is_last_batch:
            found.append(dict(average))

    monkeypatch.setattr(engine.EpochTimer, "on_train_batch_end", on_train_batch_end)
    return found


def assert_average(weights: Weights, average: Weights) -> None:
    """But for rounding."""
    for name, expected in average.items():
        torch.testing.assert_close(weights[name].double(), expected, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("tested", ["best", "last"])
def test_validation_choice_test_and_package_see_the_average(
    tested: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    averages, packaged = note_averages(monkeypatch), []
    after_training = ReviewJob.after_training

    def note_and_go_on(job: ReviewJob, model: Any, run: Any) -> None:
        packaged.append({name: weight.clone() for name, weight in model.state_dict().items()})
        after_training(job, model, run)

    monkeypatch.setattr(ReviewJob, "after_training", note_and_go_on)
    more = ("trainer.keep_epochs=true", "trainer.limit_batches=0", "tracking.record=results")
    config = config_of(tmp_path, LSTM, *more, f"optimizer.average_decay={DECAY}", f"trainer.tested_epoch={tested}")
    train(config, [])
    client, run = last_run(tmp_path)
    checkpoint = checkpoint_of(result_of(open_store(config.tracking), run))
    scores = [point.value for point in client.get_metric_history(run.info.run_id, "val/accuracy")]
    losses = [point.value for point in client.get_metric_history(run.info.run_id, "val/loss")]
    assert len(averages) == len(scores) == 2
    data = ReviewData(config.data, config.seed)
    for epoch, (average, loss) in enumerate(zip(averages, losses, strict=True)):
        path = checkpoint.with_name(f"epoch{epoch}.ckpt")
        assert_average(torch.load(path, weights_only=True)["state_dict"], average)
        model = SentimentClassifier.load_from_checkpoint(path, map_location="cpu").eval()
        total = count = 0.0
        for batch in data.val_dataloader():
            with torch.no_grad():
                logits = model(batch.tokens, batch.lengths)
            total += torch.nn.functional.binary_cross_entropy_with_logits(logits, batch.labels, reduction="sum").item()
            count += len(logits)
        assert total / count == pytest.approx(loss, abs=1e-3)
    chosen = averages[-1] if tested == "last" else averages[scores.index(max(scores))]
    assert_average(packaged[0], chosen)
    assert_average(torch.load(checkpoint, weights_only=True)["state_dict"], chosen)
    last = torch.load(checkpoint.with_name("epoch1.ckpt"), weights_only=True)
    assert not torch.equal(last["current_model_state"]["output.weight"], last["state_dict"]["output.weight"])


def test_a_task_on_sequences_is_averaged_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    averages = note_averages(monkeypatch)
    train(config_of(tmp_path, ADDING, f"optimizer.average_decay={DECAY}", "trainer.keep_epochs=true"), [])
    last = torch.load(next(tmp_path.rglob("epoch1.ckpt")), weights_only=True)
    assert_average(last["state_dict"], averages[-1])
