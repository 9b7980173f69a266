"""What a finished run names is never imported, and called only where it is what it should be."""

import sys

import pytest
from made_results import make_result

from sentiment_rnn.errors import UserError
from sentiment_rnn.studies.kit.restored import OUR_SOURCES, data_of, refusing_other_encoders


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
    assert {"sentiment_rnn.data.sources.generated", "sentiment_rnn.data.sources.imdb"} <= set(OUR_SOURCES)


def test_an_encoder_that_cannot_be_unrolled_is_refused_by_name() -> None:
    with (
        pytest.raises(UserError, match=r"run of gru: Gru: expected .*; leave encoder=gru out"),
        refusing_other_encoders(make_result("gru")),
    ):
        raise ValueError("Gru: expected one layer of Rnn or Lstm")
