"""The runs of some sweeps of a study: those that it compares, and those that chose its learning rates."""

from collections.abc import Sequence

from sentiment_rnn.studies.kit.study import Sweep
from sentiment_rnn.tracking.results import RunResult, results_of_sweeps
from sentiment_rnn.tracking.store import Store


def compared_and_searched(store: Store, sweeps: Sequence[Sweep]) -> tuple[list[RunResult], list[RunResult]]:
    """The runs of sweeps that choose no rates, and of those that do, where a draw may have diverged.

    Raises:
        UserError: a sweep has not finished, or the sweeps of either kind do not compare; see `check_epochs`.
    """
    compared = results_of_sweeps(store, *(sweep.experiment for sweep in sweeps if not sweep.chooses_rates))
    searches = [sweep.experiment for sweep in sweeps if sweep.chooses_rates]
    searched = results_of_sweeps(store, *searches, diverged=True)
    return compared, searched
