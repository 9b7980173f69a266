"""A model's file names modules of this package, or others that were imported already."""

import sys

import pytest

from sentiment_rnn.errors import UserError
from sentiment_rnn.model.network import check_target


def test_this_packages_modules_may_be_named() -> None:
    check_target("encoder", "sentiment_rnn.model.encoders.lstm.Lstm")
    check_target("encoder", "sentiment_rnn.model.encoders.Lstm")  # in models and runs of an earlier version
    check_target("pooling", "sentiment_rnn.model.pooling:Last")


@pytest.mark.parametrize(
    "target",
    ["unittest.__main__", "unittest.main", "os.system", "nowhere.Net", "torch.nn.Linear", "torchmetrics.Accuracy", "",
     "sentiment_rnn.model.encoders.recurrent.recurrent_matrices", "sentiment_rnn.model.encoders.LeakyRnn"],
)  # fmt: skip
def test_anything_else_is_refused_and_imports_nothing(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "unittest.__main__", raising=False)
    before = set(sys.modules)
    with pytest.raises(UserError):
        check_target("encoder", target)
    assert set(sys.modules) == before


@pytest.mark.parametrize(
    "target", ["sentiment_rnn.model.ablations.LstmCoupled", "sentiment_rnn.model.encoders.no.Lstm"]
)
def test_a_class_that_this_version_has_not_is_said_to_be_elsewhere(target: str) -> None:
    with pytest.raises(UserError, match=r"is not in this version of sentiment_rnn; .* in experiments/lab"):
        check_target("encoder", target)
