"""Whoever trains a run is promised the record of the checkpoint that validation chose, and the same one twice."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch

from experiments.gradient.models import data_of, load_tested, rebuild_initial
from sentiment_rnn.config import CONFIGURATION
from sentiment_rnn.config.run import RunConfig
from sentiment_rnn.config.store import run_config
from sentiment_rnn.data.datamodule import ReviewData
from sentiment_rnn.engine import callbacks
from sentiment_rnn.engine import train as engine
from sentiment_rnn.engine.train import set_up, train
from sentiment_rnn.inference.package import read_package
from sentiment_rnn.inference.predictor import Predictor
from sentiment_rnn.inference.probes import gradient_by_step_back
from sentiment_rnn.model.classifier import SentimentClassifier
from sentiment_rnn.report.evaluation import fit_temperature
from sentiment_rnn.tracking.checkpoints import checkpoint_of
from sentiment_rnn.tracking.models import DATA, fetch_run_model, model_of
from sentiment_rnn.tracking.results import RecordedRun
from sentiment_rnn.tracking.store import existing_store
from stored_runs import last_run, rows, runs_in

SMALL = (
    "data=generated", "data.train_reviews=200", "data.test_reviews=60", "data.max_lag=10", "data.batch_size=20",
    "encoder.hidden_size=8", "embedding.size=8", "trainer.epochs=2", "trainer.threads=1", "trainer.accelerator=cpu",
    "tracking.system_metrics=false", "tracking.record=results",
)  # fmt: skip
FULL = "tracking.record=full"
TRAINED = ("encoder=lstm", "precision=float32", "data.shuffle_span=5", FULL)


def small_config(folder: Path, *overrides: str) -> RunConfig:
    """A run of a few seconds that keeps everything in `folder`."""
    places = (f"data.directory={folder}/data", f"tracking.directory={folder}/runs")
    return run_config(*SMALL, *places, *overrides)


def test_the_same_seed_gives_the_same_metrics_twice_and_another_seed_others(tmp_path: Path) -> None:
    found = []
    for number, seed in enumerate((3, 3, 4)):
        folder = tmp_path / str(number)  # where no finished run stands in for it
        train(small_config(folder, f"seed={seed}", "embedding.dropout=0.2", "embedding.word_dropout=0.1"), [])
        found.append(rows(*last_run(folder)))
    assert found[0] == found[1]
    assert found[0] != found[2]


def test_a_trial_takes_so_many_steps_and_is_marked_since_its_scores_mean_nothing(tmp_path: Path) -> None:
    train(small_config(tmp_path, "encoder=bag", "trainer.limit_batches=3", "trainer.log_every_n_steps=1", FULL), [])
    client, run = last_run(tmp_path)
    assert (run.info.status, run.data.tags["sentiment_rnn.trial"]) == ("FINISHED", "limit_batches")
    assert len(client.get_metric_history(run.info.run_id, "train/gradient_norm")) == 2 * 3
    assert "test/accuracy" in run.data.metrics
    assert not run.outputs.model_outputs, "no model of a trial is logged"


def logits_of(config: RunConfig, checkpoint: Path, split: str = "test") -> np.ndarray:
    """float32 [N], what the weights of a checkpoint say of the reviews of a split."""
    model = SentimentClassifier.load_from_checkpoint(checkpoint, map_location="cpu").eval()
    data = ReviewData(config.data)
    logits = np.full(len(data.corpus.splits[split]), np.nan, dtype=np.float32)
    with torch.no_grad():
        for batch in data.test_dataloader() if split == "test" else data.val_dataloader():
            logits[batch.indices] = model(batch.tokens, batch.lengths)
    return logits


def result_in(folder: Path) -> RecordedRun:
    """The last run of a folder, with its configuration and its predictions on the test reviews."""
    return RecordedRun(existing_store(small_config(folder).tracking), last_run(folder)[1])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float | None]:
    """A folder with the run of an LSTM, and what `train` returned."""
    folder = tmp_path_factory.mktemp("trained")
    return folder, train(small_config(folder, *TRAINED), [])


def test_the_recorded_predictions_are_those_of_the_checkpoint_that_validation_chose(
    trained: tuple[Path, float | None],
) -> None:
    folder, value = trained
    config, result = small_config(folder, *TRAINED), result_in(folder)
    recorded, tested = result.predictions, checkpoint_of(result)
    np.testing.assert_array_equal(recorded.logits, logits_of(config, tested))
    np.testing.assert_array_equal(recorded.uncalibrated > 0.5, recorded.probabilities > 0.5)
    validation = ReviewData(config.data).corpus.splits["validation"]
    of_validation = logits_of(config, tested, "validation")
    assert recorded.temperature == pytest.approx(fit_temperature(of_validation, validation.labels), rel=1e-6)
    assert recorded.correct.mean() == pytest.approx(result.metrics["test/accuracy"])
    best = max(result.curve("val/accuracy")[1])
    assert result.metrics["val/best_accuracy"] == pytest.approx(best) == pytest.approx(value), "a search's target"


def test_the_recorded_gradients_are_those_of_validation_reviews_before_and_after_training(
    trained: tuple[Path, float | None],
) -> None:
    result = result_in(trained[0])
    data = data_of(result)
    reviews = data.reviews("validation")
    sample = reviews[np.random.default_rng(0).permutation(len(reviews))[:128].tolist()]
    _, before, after = result.gradients
    for recorded, model in ((before, rebuild_initial(result, data)), (after, load_tested(result))):
        np.testing.assert_allclose(recorded, gradient_by_step_back(model, sample), rtol=1e-4)
    assert not np.allclose(before, after, rtol=1e-2)


def test_a_finished_run_is_not_trained_again_and_gives_its_score(
    trained: tuple[Path, float | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, value = trained
    monkeypatch.setattr(engine, "fit_and_test", lambda *_: pytest.fail("nothing is left to train"))
    assert train(small_config(folder, *TRAINED, "study=another"), []) == value
    assert len(runs_in(folder)[1]) == 1


def test_a_packaged_model_reads_as_its_run_did_and_only_the_best_weights_are_kept(
    trained: tuple[Path, float | None], tmp_path: Path
) -> None:
    folder, _ = trained
    result = result_in(folder)
    package = read_package(fetch_run_model(result.store, result.run_id, tmp_path / "model") / DATA)
    test, recorded = ReviewData(result.config.data).corpus.splits["test"], result.predictions.logits
    np.testing.assert_array_equal(Predictor(package).logits_of(test), recorded)
    in_order = replace(package, reading=replace(package.reading, shuffle_span=0))
    assert not np.array_equal(Predictor(in_order).logits_of(test), recorded)
    (checkpoint,) = folder.rglob("*.ckpt")
    assert checkpoint == checkpoint_of(result)
    assert "optimizer_states" not in torch.load(checkpoint, weights_only=True)


def test_mistakes_have_the_text_that_was_misread(trained: tuple[Path, float | None], tmp_path: Path) -> None:
    result = result_in(trained[0])
    path = result.store.client.download_artifacts(result.run_id, "mistakes.json", str(tmp_path))
    table = json.loads(Path(path).read_text())
    data = ReviewData(result.config.data)
    split = data.corpus.splits["test"]
    assert table["data"], "four steps cannot be right about every review"
    for row in table["data"]:
        mistake = dict(zip(table["columns"], row, strict=True))
        place = list(split.names).index(mistake["review"])
        text = " ".join(data.corpus.tokenizer.decode(data.reviews("test").tokens_of(place)))
        assert (mistake["label"], mistake["text"]) == (split.labels[place], text)
        assert (mistake["probability"] > 0.5) != (mistake["label"] == 1)


def test_a_run_that_records_results_alone_has_the_same_ones_and_no_model(
    trained: tuple[Path, float | None], tmp_path: Path
) -> None:
    train(small_config(tmp_path, *TRAINED[:-1]), [])
    (full, theirs), (small, ours) = last_run(trained[0]), last_run(tmp_path)
    assert rows(full, theirs) == rows(small, ours)
    names = {file.path for file in small.list_artifacts(ours.info.run_id)}
    assert names == {"config.yaml", "overrides.yaml", "predictions", "gradients.csv"}
    assert model_of(ours) is None
    np.testing.assert_array_equal(result_in(tmp_path).predictions.logits, result_in(trained[0]).predictions.logits)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_float32_is_float32_on_a_gpu_too(precision: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", precision == "float32")
    set_up(small_config(tmp_path, f"precision={precision}"))
    assert torch.backends.cudnn.allow_tf32 == (precision == "bfloat16")


LAST_EPOCH = (
    "encoder=rnn", "precision=float32", "trainer.tested_epoch=last", "trainer.keep_epochs=true",
    "optimizer.learning_rate=1.0", "optimizer.gradient_clip_norm=0",  # so that the last epoch is not the best
)  # fmt: skip


def test_the_last_epoch_is_tested_where_that_is_asked_for(tmp_path: Path) -> None:
    config = small_config(tmp_path, *LAST_EPOCH, FULL)
    train(config, [])
    result = result_in(tmp_path)
    tested = checkpoint_of(result)
    assert {path.name for path in tested.parent.glob("*.ckpt")} == {"epoch0.ckpt", "epoch1.ckpt", "final.ckpt"}
    assert "optimizer_states" not in torch.load(tested, weights_only=True)
    first, final = (logits_of(config, tested.with_name(name)) for name in ("epoch0.ckpt", "epoch1.ckpt"))
    np.testing.assert_array_equal(result.predictions.logits, final)
    assert not np.array_equal(first, final)
    scores = result.curve("val/accuracy")[1]
    assert result.metrics["val/best_accuracy"] == pytest.approx(max(scores)) == pytest.approx(scores[0])


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose store and token cache many runs share."""
    return tmp_path_factory.mktemp("encoders")


@pytest.mark.slow
@pytest.mark.parametrize("encoder", sorted(path.stem for path in Path(CONFIGURATION, "encoder").glob("*.yaml")))
def test_every_encoder_file_trains_and_its_packaged_model_predicts(shared: Path, tmp_path: Path, encoder: str) -> None:
    train(small_config(shared, f"encoder={encoder}", FULL), [])
    result = result_in(shared)
    package = read_package(fetch_run_model(result.store, result.run_id, tmp_path / "model") / DATA)
    assert package.name == encoder
    (probability,) = Predictor(package).predict(["a good film ."]).probabilities
    assert 0 < probability < 1


def test_seconds_and_tokens_of_an_epoch_are_those_of_training_before_and_after_an_interruption(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "sentiment_rnn")
    clock, logger = iter([10, 20, 23, 100, 102, 110, 114]), Mock()
    monkeypatch.setattr(callbacks, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    trainer = SimpleNamespace(
        is_last_batch=True, global_step=7, loggers=[logger], max_epochs=13, current_epoch=0, is_global_zero=True
    )
    given: Any = (trainer, SimpleNamespace(device=torch.device("cpu")))
    interrupted, resumed = engine.EpochTimer(600), engine.EpochTimer(600)
    interrupted.on_train_start(*given)
    interrupted.on_train_epoch_start(*given)
    interrupted.on_train_batch_end(*given)
    resumed.load_state_dict(interrupted.state_dict())
    for step in ("start", "batch_end", "epoch_end", "epoch_start", "batch_end", "epoch_end"):
        getattr(resumed, f"on_train_{step}")(*given)
    assert [call.args for call in logger.log_metrics.call_args_list] == [
        ({"train/epoch_seconds": seconds, "train/tokens_per_second": 600 / seconds}, 6) for seconds in (3 + 2, 4)
    ]
    assert caplog.messages == ["the first of 13 epochs took 5.0 s: training takes up to 2 min"]


def test_a_line_for_each_epoch_or_every_tenth_of_many_says_how_good_it_is(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="sentiment_rnn")
    seen = {"train/loss": torch.tensor(0.5), "val/accuracy": torch.tensor(0.75), "val/loss": torch.tensor(0.6)}
    for epochs in (2, 105):
        for epoch in range(epochs):
            trainer = SimpleNamespace(current_epoch=epoch, max_epochs=epochs, callback_metrics=seen)
            engine.EpochLines("val/accuracy").on_train_epoch_end(trainer, None)  # type: ignore[arg-type]
    told = ["1 of 2", "2 of 2", *(f"{epoch} of 105" for epoch in (*range(10, 101, 10), 105))]
    assert caplog.messages == [f"epoch {epoch}: train/loss 0.5000, val/accuracy 0.7500" for epoch in told]
