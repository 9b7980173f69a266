"""A classifier that starts from a trained model is promised its weights and words, or one line on what does not fit."""

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
import torch

from experiments.gradient.models import data_of, load_tested, rebuild_initial
from processes import Ask
from sentiment_rnn.config.run import ReviewConfig
from sentiment_rnn.config.store import run_config
from sentiment_rnn.engine.train import train
from sentiment_rnn.errors import UserError
from sentiment_rnn.inference.package import read_backbone
from sentiment_rnn.tasks.job import job_of
from sentiment_rnn.tasks.pretrained import _in_store
from sentiment_rnn.tracking.models import DATA, fetch_run_model, register
from sentiment_rnn.tracking.results import RecordedRun
from sentiment_rnn.tracking.store import open_store
from sentiment_rnn.tracking.sweeps import find_sweep, results_of
from short_runs import SMALL
from stored_runs import last_run

REVIEWS = (
    "data=generated", "data.train_reviews=200", "data.test_reviews=60", "data.max_lag=10", "data.batch_size=20",
    "embedding.size=8", "encoder.hidden_size=12",
)  # fmt: skip
WORDS = ("data.generator_seed=9", "data.vocabulary_size=60")
"""Of the language model, whose vocabulary is another than the classifier's own would be."""


@pytest.fixture(autouse=True)
def nothing_read_before() -> Iterator[None]:
    """Each test has models of its own."""
    _in_store.cache_clear()
    return iter([None])


def config_of(folder: Path, *overrides: str) -> ReviewConfig:
    """A run of a second that keeps everything in `folder`."""
    where = (f"data.directory={folder}/data", f"tracking.directory={folder}/runs")
    return run_config(*REVIEWS, *SMALL, *where, "trainer.limit_batches=0", "tracking.record=results", *overrides)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder with a store, and the id of the language model in it."""
    folder = tmp_path_factory.mktemp("language_model")
    train(config_of(folder, "task=language_model", "task.samples=20", *WORDS), [])
    return folder, last_run(folder)[1].info.run_id


def package_of(trained: tuple[Path, str], folder: Path) -> Path:
    """The MLflow model of the language model, in a folder."""
    return fetch_run_model(open_store(config_of(trained[0]).tracking), trained[1], folder)


@pytest.mark.parametrize("named", ["beginning", "registered", "folder"])
def test_a_classifier_starts_from_weights_and_vocabulary_whatever_names_them(
    named: str, trained: tuple[Path, str], tmp_path: Path
) -> None:
    folder, run_id = trained
    model = package_of(trained, tmp_path / "model")
    register(open_store(config_of(folder).tracking), "words", "champion", run_id)
    names = {
        "beginning": run_id[:8],
        "registered": "words@champion",
        "folder": str(model),
    }
    config = config_of(folder, f"pretrained='{names[named]}'")
    job, backbone = job_of(config), read_backbone(model / DATA)
    started = job.model()
    assert started.backbone.state_dict().keys() == backbone.weights.keys()
    for name, weight in started.backbone.state_dict().items():
        assert torch.equal(weight, backbone.weights[name])
    assert job.data.corpus.tokenizer.vocabulary.itos == backbone.tokenizer.vocabulary.itos
    assert len(backbone.tokenizer) == 60 < len(job_of(config_of(folder)).data.corpus.tokenizer)
    assert config.pretrained_digest == backbone.digest
    assert config.pretrained == (run_id if named in ("beginning", "registered") else names[named])
    assert job_of(config_of(folder, f"pretrained='{names[named]}'", "tracking.experiment=brand_new")).model()
    plain, by_id = config_of(folder), config_of(folder, f"pretrained={run_id}")
    job_of(by_id)
    assert config.identity("", "") == by_id.identity("", "") != plain.identity("", "")


def test_a_head_is_drawn_as_without_it(trained: tuple[Path, str]) -> None:
    folder, run_id = trained
    heads = []
    for overrides in ([], [f"pretrained={run_id}"]):
        torch.manual_seed(0)
        job = job_of(config_of(folder, "data.vocabulary_size=60", *overrides))
        heads.append(job.model().output.weight)
    assert torch.equal(*heads)


def test_a_classifier_starts_from_another_one_too_and_has_read_what_that_one_read(
    trained: tuple[Path, str], tmp_path: Path
) -> None:
    folder, run_id = trained
    train(config_of(folder, f"pretrained={run_id}", "tracking.record=full"), [])
    first = last_run(folder)[1].info.run_id
    train(config_of(folder, f"pretrained={first}", "pooling=mean", "encoder.dropout=0.3"), [])
    result = RecordedRun(open_store(config_of(folder).tracking), last_run(folder)[1])
    assert result.config.pretrained == first
    store = open_store(config_of(folder).tracking)
    words, one = (read_backbone(fetch_run_model(store, of, tmp_path / of) / DATA) for of in (run_id, first))
    assert set(words.training_texts) < set(one.training_texts), "and its own texts"
    assert result.config.pretrained_digest not in (None, config_of(folder).pretrained_digest)


def test_the_models_of_a_finished_run_are_rebuilt_from_the_store_in_which_it_was_found(
    trained: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, run_id = trained
    backbone = read_backbone(package_of(trained, tmp_path / "model") / DATA)
    train(config_of(folder, f"pretrained={run_id}", "seed=5", "encoder.forget_bias=2", "tracking.record=full"), [])
    result = RecordedRun(open_store(config_of(folder).tracking), last_run(folder)[1])
    result.config.tracking.directory = "runs"  # as it is by default, seen from the folder of the command
    monkeypatch.chdir(tmp_path)
    _in_store.cache_clear()
    data = data_of(result)
    assert len(data.corpus.tokenizer) == 60
    initial, tested = rebuild_initial(result, data).state_dict(), load_tested(result).state_dict()
    for name, weight in backbone.weights.items():
        assert torch.equal(initial[f"backbone.{name}"], weight)
    assert tested["backbone.embedding.weight"].shape == (60, 8)
    assert not torch.equal(tested["output.weight"], initial["output.weight"])


def test_each_run_starts_from_the_run_of_a_sweep_with_its_encoder_and_seed_or_the_only_one(
    tmp_path: Path, ask: Ask
) -> None:
    small = [
        "-m", *REVIEWS, *SMALL, "trainer.limit_batches=0", "tracking.system_metrics=false", "tracking.record=results",
    ]  # fmt: skip
    ask("train", tmp_path, *small, "study=words", "task=language_model", "encoder=rnn", "seed=0,1")
    store = open_store(config_of(tmp_path).tracking)
    first, second = results_of(store, find_sweep(store, "words"))
    for trained in (first, second):
        config = config_of(tmp_path, "pretrained=words", "encoder=rnn", f"seed={trained.seed}")
        job_of(config)
        assert config.pretrained == trained.run_id
    for seed, given, there in ((1, "lstm", 0), (7, "rnn", 2)):
        with pytest.raises(UserError, match=f"of its {there} runs with encoder={given} none has seed={seed}"):
            job_of(config_of(tmp_path, "pretrained=words", f"encoder={given}", f"seed={seed}"))
    store.client.delete_run(second.run_id)
    config = config_of(tmp_path, "pretrained=words", "encoder=rnn", "seed=7")
    job_of(config)
    assert config.pretrained == first.run_id


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["encoder=rnn"], "encoder=rnn: pretrained={run} was trained with lstm; give encoder=lstm"),
        (
            ["encoder._target_=sentiment_rnn.model.encoders.gru.Gru"],
            "encoder._target_=sentiment_rnn.model.encoders.gru.Gru: pretrained={run} was trained with senti",
        ),
        (["encoder.hidden_size=13"], "encoder.hidden_size=13: pretrained={run} was trained with 12; give enc"),
        (["data.tokenizer=toktok"], "data.tokenizer=toktok: pretrained={run} was trained with basic_english; give"),
        (["pretrained_digest=abc"], "pretrained={run}: it is another model by now; its digest is "),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_one_line(overrides: list[str], message: str, trained: tuple[Path, str]) -> None:
    folder, run_id = trained
    with pytest.raises(UserError) as refused:
        job_of(config_of(folder, f"pretrained={run_id}", *overrides))
    assert str(refused.value).startswith(message.format(run=run_id))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("nobody", "pretrained=nobody: no such run, registered model, folder or finished sweep"),
        ("{empty}", "no MLflow model of this project"),
    ],
)
def test_a_model_that_is_not_there_is_one_line(
    given: str, message: str, trained: tuple[Path, str], tmp_path: Path
) -> None:
    config = config_of(trained[0], f"pretrained={given.format(empty=tmp_path)}")
    with pytest.raises(UserError, match=message):
        job_of(config)


def test_a_folder_without_runs_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no runs there; train first"):
        job_of(config_of(tmp_path, "pretrained=words"))


def test_a_model_that_has_read_test_texts_in_another_split_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    words = product(
        ("slow", "long", "loud", "mild"), ("french", "old", "new", "short"), ("film", "plot", "cast", "end")
    )
    texts = ["text,label", *(f"{' '.join(of)} {('good', 'bad')[n % 2]},{n % 2}" for n, of in enumerate(words))]
    (tmp_path / "texts.csv").write_text("\n".join(texts))
    given = (
        "data=files", f"data.train={tmp_path}/texts.csv", "data.batch_size=20", "embedding.size=8",
        "encoder.hidden_size=12", *SMALL, f"data.directory={tmp_path}/data", f"tracking.directory={tmp_path}/runs",
        "trainer.limit_batches=0",
    )  # fmt: skip
    train(run_config(*given), [])
    started = (*given, f"pretrained={last_run(tmp_path)[1].info.run_id}", "tracking.record=results")
    train(run_config(*started, "pooling=mean"), [])
    assert "test texts" not in caplog.text, "the same split"
    train(run_config(*started, "data.split_seed=7"), [])
    assert re.search(r"has read [1-9]\d* of \d+ test texts", caplog.text)
