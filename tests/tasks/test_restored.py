"""Names in a finished run are never imported, and only an object of the right kind is called."""

import sys

import pytest

from made_results import make_result
from sentiment_rnn.config.components import named_by_file
from sentiment_rnn.errors import UserError
from sentiment_rnn.tasks.reviews import OUR_SOURCES, data_of


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
