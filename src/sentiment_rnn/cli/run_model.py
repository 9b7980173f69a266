"""The packaged model of a run that recorded results alone (`tracking.record=results`), made when it is asked for."""

import tempfile
from pathlib import Path

from sentiment_rnn.errors import UserError
from sentiment_rnn.tracking.models import PACKAGE, log_model, model_of
from sentiment_rnn.tracking.names import TEMPERATURE, TRIAL_TAG
from sentiment_rnn.tracking.results import is_finished, result_of, run_or_none
from sentiment_rnn.tracking.store import Store
from sentiment_rnn.tracking.store_errors import store_errors


def make_missing_model(store: Store, run_id: str) -> None:
    """Pack the best checkpoint of a run on reviews that finished and recorded results alone, as the run would have done
    at its end, and log it as the run's model; do nothing for any other run.

    Raises:
        UserError: its checkpoint or its reviews are gone, changed, or not to be trusted; or the store refuses.
    """
    run = run_or_none(store, run_id)
    if run is None or not is_finished(run) or model_of(run):
        return
    if TEMPERATURE not in run.data.metrics or TRIAL_TAG in run.data.tags:
        return
    from sentiment_rnn.tasks.packaging import pack, write_whole_package  # seconds, which only such a run costs
    from sentiment_rnn.tasks.restored import data_of, load_tested, start_of

    result = result_of(store, run)
    data = data_of(result)
    if not result.data_digest or not data.corpus.digest.startswith(result.data_digest):
        raise UserError(  # their vocabulary would give the words other ids than the weights know
            f"run={run_id}: the reviews are not those that it read, so no model can be made of it; "
            "delete the run in MLflow and train it again"
        )
    package = pack(load_tested(result), data, result.config.precision, run_id, result.label, start_of(result))
    with tempfile.TemporaryDirectory() as folder:
        write_whole_package(package, result.metrics[TEMPERATURE], data, Path(folder, PACKAGE))
        with store_errors(store.uri, store.experiment, "EDIT"):
            log_model(store, run, Path(folder, PACKAGE), result.config.tags)
