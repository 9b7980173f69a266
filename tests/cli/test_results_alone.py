"""Who records results alone, for many small runs, gets the same numbers on less disk, and no model."""

from pathlib import Path

import pytest

from processes import Ask, run_command
from sentiment_rnn.tracking.models import model_of
from stored_runs import rows, runs_in

pytestmark = pytest.mark.slow

RUN = (
    "study=mine", "encoder=rnn", "data=generated", "data.train_reviews=200", "data.test_reviews=60", "data.max_lag=10",
    "data.batch_size=20", "encoder.hidden_size=8", "embedding.size=8", "trainer.epochs=2", "trainer.threads=1",
    "trainer=cpu", "tracking.system_metrics=false",
)  # fmt: skip


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder with one run for each kind of record."""
    made = {record: tmp_path_factory.mktemp(record) for record in ("full", "results")}
    for record, folder in made.items():
        run_command("train", folder, *RUN, f"tracking.record={record}", status=0)
    return made


def test_results_are_those_of_a_run_that_records_all(folders: dict[str, Path]) -> None:
    (full, theirs), (small, ours) = (
        (client, run) for client, (run,) in map(runs_in, (folders["full"], folders["results"]))
    )
    assert rows(full, theirs) == rows(small, ours)
    names = ("predictions/test.npz", "gradients.csv")
    kept, whole = (
        {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        for folder in (Path(run.info.artifact_uri.removeprefix("file://")) for run in (ours, theirs))
    )
    assert kept.keys() == {"config.yaml", "overrides.yaml", *names} < whole.keys()
    assert [kept[name] for name in names] == [whole[name] for name in names]


def test_a_run_of_results_alone_has_no_model_and_says_so(folders: dict[str, Path], ask: Ask) -> None:
    _, (run,) = runs_in(folders["results"])
    assert model_of(run) is None
    refused = ask("predict", folders["results"], "--run", run.info.run_id, "good", status=1).stderr
    assert "it has no packaged model; " in refused
