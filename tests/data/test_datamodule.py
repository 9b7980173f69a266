"""Lightning gets loaders of three parts; a run that resumes within an epoch sees the batches that are left."""

from collections.abc import Callable
from itertools import islice
from types import SimpleNamespace

import pytest
import torch

from sentiment_rnn.config.sections import DataConfig
from sentiment_rnn.data.datamodule import ResumableLoader, ReviewData, TextData

Config = Callable[..., DataConfig]


@pytest.fixture
def data(generated_config: Config) -> ReviewData:
    """128 training reviews in 8 batches; `ReviewData(data.config, seed)` is another one on the same cache."""
    return ReviewData(generated_config(), seed=7)


def test_all_three_loaders_work_without_a_trainer(data: ReviewData) -> None:
    for loader, size, batch_size in (
        (data.train_dataloader(), 128, 16),
        (data.val_dataloader(), 32, 32),
        (data.test_dataloader(), 64, 32),
    ):
        indices = [batch.indices for batch in loader]
        assert torch.cat(indices).sort().values.tolist() == list(range(size))
        assert set(map(len, indices)) == {batch_size}


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_memory_is_pinned_for_a_run_on_a_gpu_alone(
    data: ReviewData, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    strategy = SimpleNamespace(root_device=torch.device(device))
    monkeypatch.setattr(data, "trainer", SimpleNamespace(strategy=strategy, global_rank=0, world_size=1))
    assert data.val_dataloader().pin_memory == (device == "cuda")


def test_a_lag_that_no_encoder_can_see_is_said(generated_config: Config) -> None:
    (note,) = ReviewData(generated_config(test_lags=[2, 60], max_tokens=50)).notes
    assert note.startswith("data.max_tokens=50: ")
    assert note.endswith("give data.max_tokens=80")
    for enough in ({"max_tokens": 70}, {"max_tokens": 50, "keep": "head"}):
        assert ReviewData(generated_config(test_lags=[2, 60], **enough)).notes == ()
    assert TextData(generated_config(test_lags=[2, 60], max_tokens=5)).notes == ()


def test_every_split_is_shuffled_where_that_is_asked_for(generated_config: Config) -> None:
    kept, mixed = ReviewData(generated_config()), ReviewData(generated_config(shuffle_span=100))
    for loader in ("train_dataloader", "val_dataloader", "test_dataloader"):
        for batch, other in zip(getattr(kept, loader)(), getattr(mixed, loader)(), strict=True):
            assert torch.equal(batch.indices, other.indices)
            assert torch.equal(batch.tokens.sort().values, other.tokens.sort().values)
            assert not torch.equal(batch.tokens, other.tokens)


@pytest.mark.parametrize("epoch", [0, 2])
@pytest.mark.parametrize("given_out", [0, 3, 8])
def test_a_loader_goes_on_after_the_batches_that_were_given_out(data: ReviewData, epoch: int, given_out: int) -> None:
    def order(loader: ResumableLoader, batches: int = 8) -> list[list[int]]:
        return [batch.indices.tolist() for batch in islice(loader, batches)]

    whole, begun, resumed = (data.train_dataloader() for _ in range(3))
    for loader in (whole, begun, resumed):
        loader.sampler.set_epoch(epoch)  # as Lightning does
    expected = order(whole)
    assert order(begun, given_out) == expected[:given_out]
    resumed.load_state_dict(begun.state_dict())
    assert order(resumed) == expected[given_out:]
    assert order(resumed) == expected, "the next time there is nothing to skip"
    later = data.train_dataloader()
    later.sampler.set_epoch(epoch + 1)
    later.load_state_dict(begun.state_dict())
    assert len(order(later)) == 8, "another epoch is read from its beginning"
