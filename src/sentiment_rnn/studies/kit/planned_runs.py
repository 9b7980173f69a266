"""The runs of a sweep that a study reads with a probe: those that its protocol names."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from sentiment_rnn.errors import UserError
from sentiment_rnn.tracking.results import RunResult

GENERATED, IMDB = "generated", "IMDb"
"""What studies call the reviews that restored models read."""


def planned_runs(results: Iterable[RunResult], encoders: Sequence[str], seeds: Sequence[int]) -> list[RunResult]:
    """The runs of some encoders with seeds of a protocol, in the order of these encoders and by seed.

    Raises:
        UserError: of one of them there is none.
    """
    found = [run for run in results if run.encoder in encoders and run.seed in seeds]
    for encoder in encoders:
        if not any(run.encoder == encoder for run in found):
            raise UserError(
                f"no run of encoder={encoder} has a seed of the protocol ({min(seeds)} to {max(seeds)}); "
                "run the study that is needed without overrides"
            )
    return sorted(found, key=lambda run: (encoders.index(run.encoder), run.seed))


@contextmanager
def refusing_other_encoders(result: RunResult) -> Iterator[None]:
    """Around a probe: a model that `probes.unrolled` has no equations for becomes a `UserError` that names the run."""
    try:
        yield
    except ValueError as error:
        raise UserError(
            f"run {result.run_id}: {error}; leave encoder={result.encoder} out of this study's sweep"
        ) from error
