"""Names in a finished run are never imported, and only an object of the right kind is called."""

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from experiments.gradient.models import rebuild_initial
from made_results import make_result
from sentiment_rnn.config.components import named_by_file
from sentiment_rnn.config.store import run_config
from sentiment_rnn.engine.train import train
from sentiment_rnn.errors import UserError
from sentiment_rnn.tasks.reviews import OUR_SOURCES, ReviewJob, data_of, load_tested
from sentiment_rnn.tracking.results import RecordedRun
from sentiment_rnn.tracking.store import existing_store
from stored_runs import last_run


@pytest.mark.parametrize(
    ("target", "tokenizer", "message"),
    [
        ("this.Source", "basic_english", "data: this.Source is of another package; import this first"),
        ("os.system", "basic_english", "no source of reviews"),
        ("subprocess.Popen", "basic_english", "no source of reviews"),
        ("sentiment_rnn.data.sources.imdb.Path", "basic_english", "no source of reviews"),
        ("sentiment_rnn.data.sources.generated.Generated", "this.split", "tokenizer: this.split is of another package"),
    ],
)
def test_a_source_or_tokenizer_of_a_stranger_is_refused(target: str, tokenizer: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        data_of(make_result(_target_=target, tokenizer=tokenizer))
    assert "this" not in sys.modules


def test_the_sources_of_this_package_are_trusted() -> None:
    for target in ("sentiment_rnn.data.sources.files.Files", "sentiment_rnn.data.sources.imdb:Imdb"):
        named = named_by_file("data", target, OUR_SOURCES)
        assert hasattr(named, "fingerprint")


def test_the_untrained_model_has_the_weights_with_which_the_run_began(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began: list[dict[str, torch.Tensor]] = []

    def before_training(_: ReviewJob, model: Any, __: object) -> None:
        began.append({name: weight.clone() for name, weight in model.state_dict().items()})

    monkeypatch.setattr(ReviewJob, "before_training", before_training)
    monkeypatch.setattr(ReviewJob, "after_training", lambda *_: None)
    config = run_config(
        "data=generated", "data.train_reviews=120", "data.test_reviews=40", "data.max_lag=10", "encoder=lstm",
        "encoder.hidden_size=8", "embedding.size=8", "trainer.epochs=2", "trainer.threads=1", "trainer.accelerator=cpu",
        "tracking.system_metrics=false", f"data.directory={tmp_path}/data", f"tracking.directory={tmp_path}/runs",
        "seed=5", "data.batch_size=20",
    )  # fmt: skip
    train(config, [])
    result = RecordedRun(existing_store(config.tracking), last_run(tmp_path)[1])
    restored, (first,) = rebuild_initial(result, data_of(result)).state_dict(), began
    assert restored.keys() == first.keys()
    assert all(torch.equal(restored[name], first[name]) for name in first)
    assert not torch.equal(load_tested(result).state_dict()["output.weight"], first["output.weight"])
