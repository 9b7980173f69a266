"""A language model is promised every word of its own texts and none of test; commands that judge texts refuse it."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from made_imdb import write_imdb, write_unlabelled
from processes import Refused
from sentiment_rnn.config.loading import source_of
from sentiment_rnn.config.store import run_config
from sentiment_rnn.engine.train import train
from sentiment_rnn.errors import UserError
from sentiment_rnn.inference.package import read_backbone
from sentiment_rnn.model.encoders.lstm import Lstm
from sentiment_rnn.tasks.job import job_of
from sentiment_rnn.tracking.checkpoints import checkpoint_of, load_checkpoint
from sentiment_rnn.tracking.models import DATA, fetch_run_model
from sentiment_rnn.tracking.results import RecordedRun
from sentiment_rnn.tracking.store import open_store
from short_runs import config_of
from stored_runs import last_run

TEXTS = (
    "task=language_model", "task.samples=20", "data=generated", "data.train_reviews=200", "data.test_reviews=60",
    "data.max_lag=10", "data.batch_size=20", "embedding.size=8", "embedding.dropout=0.2", "embedding.word_dropout=0.1",
    "encoder.hidden_size=12",
)  # fmt: skip
WHOLE = ("trainer.limit_batches=0",)
"""No trial: the model is packaged."""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float | None]:
    """A folder with a run, and what `train` returned."""
    folder = tmp_path_factory.mktemp("trained")
    return folder, train(config_of(folder, TEXTS, *WHOLE), [])


def test_a_run_records_loss_and_perplexity_over_all_words_and_its_weights(
    trained: tuple[Path, float | None], tmp_path: Path
) -> None:
    folder, found = trained
    config = config_of(folder, TEXTS, *WHOLE)
    client, run = last_run(folder)
    assert (run.info.status, run.info.run_name) == ("FINISHED", "generated lstm language_model seed=0")
    metrics = run.data.metrics
    losses, perplexities = (
        [point.value for point in client.get_metric_history(run.info.run_id, name)]
        for name in ("val/loss", "val/perplexity")
    )
    assert perplexities == pytest.approx([math.exp(loss) for loss in losses], rel=1e-4)
    assert metrics["val/best_loss"] == pytest.approx(min(losses)) == pytest.approx(found)
    assert not [name for name in metrics if name.startswith("test/")]
    store = open_store(config.tracking)
    backbone = read_backbone(fetch_run_model(store, run.info.run_id, tmp_path / "model") / DATA)
    best = load_checkpoint(checkpoint_of(RecordedRun(store, run)))["state_dict"]
    expected = {name.removeprefix("backbone."): best[name] for name in best if name.startswith("backbone.")}
    torch.testing.assert_close(backbone.weights, expected, rtol=0, atol=0)


def test_the_loss_of_validation_counts_each_token_once_and_no_padding(tmp_path: Path) -> None:
    config = config_of(tmp_path, TEXTS, "data.eval_batch_size=7", "embedding.dropout=0", "embedding.word_dropout=0")
    found = train(config, [])
    job = job_of(config)
    model = job.model().eval()
    result = RecordedRun(open_store(config.tracking), last_run(tmp_path)[1])
    model.load_state_dict(load_checkpoint(checkpoint_of(result))["state_dict"])
    batch = job.data.reviews("validation")[list(range(20))]
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=config.precision != "float32"):
        alone = model.loss(*model(batch.tokens, batch.lengths), sampled=False)
    assert len(job.data.reviews("validation")) == 20
    assert found == pytest.approx(float(alone), rel=5e-3)


def test_it_reads_train_and_no_test(tmp_path: Path) -> None:
    config = config_of(tmp_path, TEXTS)
    corpus = job_of(config).data.corpus
    assert {split: len(reviews) for split, reviews in corpus.splits.items()} == {"train": 180, "validation": 20}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("encoder.bidirectional=true", "task=language_model reads from the left alone"),
        ("encoder.gradient_steps=70", "only the last tokens of a text"),
    ],
)
def test_an_encoder_that_cannot_learn_each_next_word_is_refused(override: str, message: str) -> None:
    with pytest.raises(UserError, match=f"^{override}: {message}"):
        job_of(run_config("task=language_model", override))


def test_a_command_that_judges_texts_refuses_it_in_one_line(
    trained: tuple[Path, float | None], refused: Refused
) -> None:
    folder, _ = trained
    line = refused(folder, "a film", "--run", last_run(folder)[1].info.run_id, "--store", "runs", command="predict")
    assert "a language model, which judges no text; a classifier starts from it with" in line


def test_of_imdb_it_reads_texts_without_a_label_too_none_of_validation_or_test(tmp_path: Path) -> None:
    overrides = (
        "data=imdb",
        f"data.archive={write_unlabelled(write_imdb(tmp_path))}",
        "data.verify=false",
        f"data.directory={tmp_path}/data",
    )
    config = run_config("task=language_model", *overrides)
    corpus = job_of(config).data.corpus
    train_part = corpus.splits["train"]
    new = [name for name in train_part.names if name.startswith("train/unsup/")]
    validated = {int(name.split("/")[2].split("_")[0]) // 4 for name in corpus.splits["validation"].names}
    assert new == [f"train/unsup/{n}_0" for n in range(36) if n // 4 == 5 or n // 4 not in validated]
    assert len(train_part) == 80 - len(corpus.splits["validation"]) + len(new)
    assert [f"data=imdb: {len(new)} of 40 texts of train/unsup are read" in note for note in corpus.notes] == [True]
    classifier = job_of(run_config(*overrides)).data.corpus
    assert corpus.tokenizer.vocabulary.itos == classifier.tokenizer.vocabulary.itos
    assert "nobody" not in corpus.tokenizer.vocabulary.stoi


@pytest.mark.slow
def test_of_the_real_texts_without_a_label_291_are_in_test_or_validation(imdb_archive: Path, tmp_path: Path) -> None:
    source = source_of(run_config("data=imdb", f"data.archive={imdb_archive}", f"data.directory={tmp_path}").data)
    texts, _ = source.unlabelled(source.read())
    assert len(texts) == 49_709


class BothWays(Lstm):
    """An encoder of somebody's own that does not say that it reads from both ends."""

    def __init__(self, input_size: int, **shared: Any) -> None:
        super().__init__(input_size, **{**shared, "bidirectional": True})


def test_an_encoder_that_sees_the_words_behind_is_refused(tmp_path: Path) -> None:
    job = job_of(config_of(tmp_path, TEXTS, f"encoder._target_={__name__}.BothWays"))
    job.data.prepare_data()
    with pytest.raises(UserError, match="a state changes with the tokens behind it"):
        job.model()
