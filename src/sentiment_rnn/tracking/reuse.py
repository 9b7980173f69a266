"""Finished runs that stand in for those of a sweep, so that they are not trained again."""

import os
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

from mlflow.entities import Run, RunTag

from sentiment_rnn.config.run import SHARED, RunConfig
from sentiment_rnn.masking import masked
from sentiment_rnn.tracking.inventory import PAGE, pages
from sentiment_rnn.tracking.names import (
    IDENTITY_TAG,
    PARENT_TAG,
    PROTOCOL_TAG,
    PROTOCOL_VARIABLE,
    REUSED_TAG,
    SEARCH_TRIAL_TAG,
    TRIAL_TAG,
)
from sentiment_rnn.tracking.results import IS_FINISHED, reused_by
from sentiment_rnn.tracking.store import Store

MOST_SEARCHES = 10
"""Beginnings of identities that are asked for one by one; a sweep of more reads all finished runs."""
TAGS_AT_ONCE = 100
"""As many as MLflow takes."""

Wanted = Mapping[str, tuple[RunConfig, list[str]]]
"""Configuration and overrides of jobs, by the identity of the run that each asks for."""


def finished_runs_for(store: Store, parent: Run, wanted: Wanted, runs: Iterable[Run] | None = None) -> dict[str, Run]:
    """Finished run of each identity that has one: the sweep's own, or the last of those that stand in for it.

    The sweep lists the latter from now on.

    Args:
        parent: of the sweep.
        runs: the finished runs of these identities, the last to have started first; None asks the store.
    """
    if runs is None:
        beginnings = {identity[:SHARED] for identity in wanted} if len(wanted) > 1 else set(wanted)
        if len(beginnings) > MOST_SEARCHES:
            beginnings = {""}
        runs = chain(*(_finished(store, beginning) for beginning in beginnings))
    own: dict[str, Run] = {}
    others: dict[str, Run] = {}
    listed = reused_by(parent)
    for run in runs:
        identity = run.data.tags[IDENTITY_TAG]
        if identity not in wanted:
            continue
        if run.data.tags.get(PARENT_TAG) == parent.info.run_id or run.info.run_id in listed:
            own[identity] = run
        elif _stands_in(run, wanted[identity][0]):
            others.setdefault(identity, run)
    reused = {identity: run for identity, run in others.items() if identity not in own}
    tags = [
        RunTag(f"{REUSED_TAG}.{run.info.run_id}", "\n".join(map(masked, wanted[identity][1])))
        for identity, run in reused.items()
    ]
    for first in range(0, len(tags), TAGS_AT_ONCE):
        store.client.log_batch(parent.info.run_id, tags=tags[first : first + TAGS_AT_ONCE])
    return own | reused


def _finished(store: Store, beginning: str) -> Iterator[Run]:
    """The finished runs whose identities begin so, the last to have started first."""
    query = f"{IS_FINISHED} and tags.`{IDENTITY_TAG}` LIKE '{beginning}%'"
    return pages(
        lambda token: store.client.search_runs(
            [store.experiment_id], query, max_results=PAGE, order_by=["start_time DESC"], page_token=token
        )
    )


def _stands_in(run: Run, config: RunConfig) -> bool:
    """Whether a run of another sweep, or of none, has all that a run of this configuration would leave.

    A trial is nobody else's. What a study measures was trained under its protocol. A draw of a random search is told by
    its number, which its result does not depend on.
    """
    if config.tracking.repeat or config.tracking.search_trial is not None:
        return False
    tags, protocol = run.data.tags, os.environ.get(PROTOCOL_VARIABLE)
    return (
        TRIAL_TAG not in tags
        and SEARCH_TRIAL_TAG not in tags
        and (not protocol or tags.get(PROTOCOL_TAG) == protocol)
        and run.data.params.get("optimizer.draw") == str(config.optimizer.draw)
        and config.keeps.items() <= run.data.params.items()
    )
