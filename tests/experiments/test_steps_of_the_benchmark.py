"""The steps that the benchmark times: the same model twice, its floor, and what is asked for on the command line."""

import pytest
import torch
from torch import nn

import pairs
from pairs import Pair
from sentiment_rnn.errors import UserError
from steps import GATES, MODULES, VOCABULARY_SIZE, Plain, Size, operations, project_model, random_batch

SMALL = Size(H=6, E=5)


@pytest.mark.parametrize("encoder", GATES)
def test_both_classifiers_are_the_same_model(encoder: str) -> None:
    project, plain = (
        sorted(tuple(parameter.shape) for parameter in build(encoder, SMALL).parameters())
        for build in (project_model, Plain)
    )
    assert project == plain


def test_both_classifiers_give_the_same_logits_for_the_same_weights() -> None:
    project, plain = project_model("lstm", SMALL), Plain("lstm", SMALL)
    assert isinstance(plain.net, nn.LSTM)
    plain.embedding.load_state_dict(project.backbone.embedding.state_dict())
    plain.net.load_state_dict(project.backbone.encoder.forwards[0].state_dict())
    plain.output.load_state_dict(project.output.state_dict())
    tokens, lengths, _ = random_batch(3, 7)
    torch.testing.assert_close(plain(tokens, lengths), project(tokens, lengths))


@pytest.mark.parametrize("encoder", MODULES)
def test_the_floor_counts_every_weight_once_forward_and_twice_backward(encoder: str) -> None:
    net = MODULES[encoder](SMALL.E, SMALL.H)
    weights = sum(weight.numel() for name, weight in net.named_parameters() if name.startswith("weight"))
    # A weight is a multiplication and an addition, in three products.
    assert operations(encoder, SMALL) == 3 * 2 * weights


def test_a_batch_reads_a_few_thousand_words_as_one_of_real_reviews_does() -> None:
    torch.manual_seed(0)
    words, _, _ = random_batch(64, 250)
    assert words.shape == (64, 250)
    assert words.min() >= 2
    assert words.max() < VOCABULARY_SIZE
    assert 2000 < len(words.unique()) < 6000


@pytest.mark.parametrize(("ratio", "fails"), [(1.29, False), (1.31, True)])
def test_the_quick_benchmark_fails_above_its_limit(
    ratio: float, fails: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pairs, "measured_pair", lambda *_: Pair(ratio, 1.0, ratio))
    options = ["--encoders", "gru", "--products", "8", "--limit", "1.3"]
    monkeypatch.setattr("sys.argv", ["pairs.py", *options])
    if fails:
        with pytest.raises(UserError, match=f"above 1.3 times .*: gru, H 64, float32: {ratio}"):
            pairs.main()
    else:
        pairs.main()
    assert f"{ratio}" in capsys.readouterr().out
