"""The packaged model of a run that recorded results alone (`tracking.record=results`), made when it is asked for."""

import tempfile
from pathlib import Path

from sentiment_rnn.errors import UserError
from sentiment_rnn.tracking.models import PACKAGE, log_model, without_model
from sentiment_rnn.tracking.names import TEMPERATURE
from sentiment_rnn.tracking.results import RunResult, data_digest_of, result_of
from sentiment_rnn.tracking.store import Store
from sentiment_rnn.tracking.store_errors import store_errors


def make_missing_model(store: Store, run_id: str) -> None:
    """Pack the best checkpoint of a run that finished and recorded results alone, and log it as the run's model; do
    nothing for any other run.

    Raises:
        UserError: its checkpoint or its reviews are gone, changed, or not to be trusted; or the store refuses.
    """
    if run := without_model(store, run_id):
        result = result_of(store, run)
        with tempfile.TemporaryDirectory() as folder:
            write_package_of(result, data_digest_of(run), Path(folder, PACKAGE))
            with store_errors(store.uri, store.experiment, "EDIT"):
                log_model(store, run, Path(folder, PACKAGE), result.config.tags)


def write_package_of(result: RunResult, digest: str, folder: Path) -> None:
    """Write the files that the run would have written at its end; `digest` is that of the reviews that it read."""
    from sentiment_rnn.runs.packaging import pack, write_whole_package  # seconds, which only such a run costs
    from sentiment_rnn.runs.restored import data_of, load_tested, start_of

    data = data_of(result)
    if not digest or not data.corpus.digest.startswith(digest):
        raise UserError(  # their vocabulary would give the words other ids than the weights know
            f"run={result.run_id}: the reviews are not those that it read, so no model can be made of it; "
            "train again with tracking.repeat=true"
        )
    package = pack(load_tested(result), data, result.config.precision, result.run_id, result.label, start_of(result))
    write_whole_package(package, result.metrics[TEMPERATURE], data, folder)
