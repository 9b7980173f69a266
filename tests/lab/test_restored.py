"""Whoever measures runs of somebody else is promised that names in them are not imported, and that only a source of
reviews is called."""

import sys

import pytest

from experiments.gradient.models import data_of
from made_results import make_result
from sentiment_rnn.errors import UserError


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
