"""`make bench` compares like with like: one model twice, beside a floor that counts each of its weights."""

import pytest
import torch
from torch import nn

import speed
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


@pytest.mark.parametrize("packed", [False, True])
def test_both_classifiers_give_the_same_logits_for_the_same_weights(packed: bool) -> None:
    project, plain = project_model("lstm", SMALL), Plain("lstm", SMALL, packed)
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
    assert 2 <= words.min() <= words.max() < VOCABULARY_SIZE
    assert 2000 < len(words.unique()) < 6000


@pytest.mark.parametrize(("ratio", "fails"), [(1.29, False), (1.31, True)])
def test_the_benchmark_fails_above_its_limit(ratio: float, fails: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def seconds(*_: object) -> dict[str, float]:
        return {speed.OURS: ratio, speed.PADDED: 1.0}

    monkeypatch.setattr(speed, "seconds_of_steps", seconds)
    monkeypatch.setattr("sys.argv", ["speed.py", "--encoders", "gru", "--product", "8", "--limit", "1.3"])
    if not fails:
        return speed.main()
    with pytest.raises(UserError, match=f"above 1.3 times .*: gru, H 64: {ratio}"):
        speed.main()
    return None
