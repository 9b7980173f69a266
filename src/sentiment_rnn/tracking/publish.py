"""Copies a sweep to another store or server. Runs are found there by their identity, so publishing is idempotent."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from mlflow.artifacts import download_artifacts
from mlflow.entities import DatasetInput, Run

from sentiment_rnn.tracking.delivery import Delivery, Point
from sentiment_rnn.tracking.models import DATA, fetch_run_model, model_of, send_files
from sentiment_rnn.tracking.names import FOLDER_TAG, NOTE_TAG, PARENT_TAG, STUDY_TAG
from sentiment_rnn.tracking.results import FINISHED, KILLED, RecordedRun, runs_of
from sentiment_rnn.tracking.store import Store
from sentiment_rnn.tracking.store_errors import store_errors
from sentiment_rnn.tracking.sweeps import OpenSweep, jobs_of

ORIGIN_TAG = "sentiment_rnn.published_from"
"""Tag of a published run: the id of the original run."""


class Published(NamedTuple):
    """What became of one run."""

    name: str
    run_id: str
    """Id in the other store."""
    sent: bool
    """Whether it was sent; False if it was already there."""
    refused: dict[str, str]
    """Why the other store refuses a part of it, by the name of the part."""


def publish(source: Store, parent: Run, runs: list[RecordedRun], target: Store) -> Iterator[Published]:
    """Copy the finished runs of a sweep, then its parent. After an interruption, the same call resumes.

    Raises:
        UserError: the other store refuses, or does not answer.
    """
    with store_errors(target.uri, target.experiment, "EDIT", "--to"):
        copies = {copy.identity: copy for copy in reversed(runs_of(target, [run.identity for run in runs]))}
        sweep = OpenSweep(target, parent.data.tags[STUDY_TAG], [*jobs_of(parent).values()])
        for run in runs:
            copy = copies.get(run.identity)
            if copy and copy.finished:
                yield Published(run.name, copy.run_id, False, {})
            else:
                yield _copy(run, target, copy, sweep.run_id)
        with tempfile.TemporaryDirectory() as folder:
            _download_artifacts(source, parent, Path(folder))
            for fault in filter(None, send_files(sweep.run.info.artifact_uri, target.uri, Path(folder)).values()):
                raise fault
        sweep.close(FINISHED if parent.info.status == FINISHED else KILLED, parent.data.tags.get(NOTE_TAG, ""))


def _copy(original: RecordedRun, target: Store, earlier: RecordedRun | None, parent: str) -> Published:
    """Copy one run with its metrics (whole curves), parameters, tags, artifacts, dataset and model.

    Args:
        earlier: the run with the same identity in the other store, which may be an incomplete copy.
    """
    source, run = original.store, original.run
    tags = {key: value for key, value in original.tags.items() if key != FOLDER_TAG}
    tags |= {ORIGIN_TAG: original.run_id, PARENT_TAG: parent}
    if earlier is not None and earlier.tags.get(ORIGIN_TAG) == original.run_id:
        copy = earlier.run
    else:
        copy = target.client.create_run(
            target.experiment_id, start_time=run.info.start_time, run_name=original.name, tags=tags
        )
    with tempfile.TemporaryDirectory() as folder:
        delivery = Delivery(target, copy, Path(folder), run.data.params)
        delivery.tags, delivery.model_tags = tags, tags
        delivery.points += _points(source, run)
        if inputs := run.inputs.dataset_inputs if run.inputs else []:
            delivery.dataset = DatasetInput(inputs[0].dataset, inputs[0].tags)
        _download_artifacts(source, run, delivery.files)
        if model_of(run):
            delivery.package = fetch_run_model(source, original.run_id, Path(folder)) / DATA
        delivery.finish()
    target.client.set_terminated(copy.info.run_id, FINISHED, end_time=run.info.end_time)
    return Published(original.name, str(copy.info.run_id), True, delivery.refused)


def _points(store: Store, run: Run) -> list[Point]:
    """Every point of every metric."""
    client, run_id = store.client, run.info.run_id
    return [
        (point.key, point.value, point.timestamp, point.step)
        for name in run.data.metrics for point in client.get_metric_history(run_id, name)
    ]  # fmt: skip


def _download_artifacts(store: Store, run: Run, folder: Path) -> None:
    """Download the files of a run."""
    folder.mkdir(exist_ok=True)
    for file in store.client.list_artifacts(run.info.run_id):
        download_artifacts(f"{run.info.artifact_uri}/{file.path}", dst_path=str(folder), tracking_uri=store.uri)
