"""The study of network and n-grams measures each part of a run alone, and judges over language models and films."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from experiments.best import together
from experiments.best.together import COMPARED, LABELS, LINEAR, NETWORK, NGRAMS, PUBLISHED, SWEEP, TOGETHER
from experiments.lab.results import Correct, correct_file, rows_of
from experiments.lab.rules import FAILS, HOLDS, UNDECIDED, Evidence
from experiments.lab.study import find_study
from sentiment_rnn.engine.train import train
from sentiment_rnn.inference.package import read_package
from sentiment_rnn.tasks.job import job_of
from sentiment_rnn.tasks.reviews import ReviewJob
from sentiment_rnn.tracking.models import DATA, fetch_run_model
from sentiment_rnn.tracking.results import RecordedRun
from sentiment_rnn.tracking.store import open_store
from short_runs import BAG, config_of
from stored_runs import last_run

STUDY = find_study("best")


def test_each_part_of_a_run_is_tested_alone(tmp_path: Path) -> None:
    config = config_of(tmp_path, BAG, "task.ngrams=2", "trainer.limit_batches=0", "data.train_reviews=400")
    train(config, [])
    store = open_store(config.tracking)
    run = RecordedRun(store, last_run(tmp_path)[1])
    right = {(part, split): found for part, split, found in together.answers_of_parts(run, store)}
    assert right.keys() == {(part, split) for part in ("network", "ngrams") for split in ("validation", "test")}
    package = read_package(fetch_run_model(store, run.run_id, tmp_path / "model") / DATA)
    assert package.model.ngrams is not None
    factors, tested = package.model.ngrams.mix.tolist(), run.predictions
    job = job_of(config)
    assert isinstance(job, ReviewJob)
    logits = {
        part: together.logits_with(package, alone).logits_of(job.data.corpus.splits["test"]).numpy()
        for part, alone in together.FACTORS.items()
    }
    assert factors[0] * logits["network"] + factors[1] * logits["ngrams"] == pytest.approx(tested.logits, abs=1e-4)
    for part, alone in logits.items():
        assert (right[part, "test"] == ((alone > 0) == (tested.labels == 1))).all()


@pytest.mark.parametrize(
    ("shares", "judged"),
    [
        ({TOGETHER: (0.94, 0.94, 0.941), NETWORK: (0.92, 0.921, 0.92)}, HOLDS),
        ({TOGETHER: (0.94, 0.90, 0.95), NETWORK: (0.92, 0.921, 0.92)}, UNDECIDED),
        ({TOGETHER: (0.90, 0.90, 0.901), NETWORK: (0.92, 0.921, 0.92)}, FAILS),
    ],
)
def test_a_difference_must_exceed_the_spread_of_language_models(
    shares: dict[str, tuple[float, ...]], judged: str
) -> None:
    right = {of: np.array([np.arange(1000) < 1000 * share for share in every]) for of, every in shares.items()}
    right = {of: values.astype(float) for of, values in right.items()}
    found = together.verdict(COMPARED["network"], right, np.arange(1000))
    assert found.verdict == judged
    assert (found.rows[0].arm, found.rows[0].against) == (LABELS[TOGETHER], LABELS[NETWORK])


def test_nothing_is_judged_before_all_runs_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / together.FILMS, np.arange(100))
    np.save(tmp_path / together.IN_TRAIN, np.array([3]))
    study = replace(STUDY, folder=tmp_path, output=tmp_path)
    monkeypatch.setattr(together, "find_study", lambda _: replace(STUDY, folder=tmp_path))
    evidence = Evidence(study, study.protocol("together"), rows_of("best", []), {}, {}, {})
    runs = {PUBLISHED: Correct(np.arange(100) < 91, "digest")}
    rows: list[tuple[object, ...]] = []
    for seed, share in enumerate((93, 94, 95)):
        rows.append(("together_words", "together", "gru_words", "", seed, None, "validation", "perplexity", 70.0))
        rows += [
            (sweep, "together", arm, "", seed, None, "train", "minutes", 3.0)
            for sweep, arm in (("together_words", "gru_words"), (SWEEP, TOGETHER))
        ]
        for part, less in ((TOGETHER, 0), (NETWORK, 1), (NGRAMS, 5)):
            name = "best_accuracy" if part == TOGETHER else "accuracy"
            rows.append((SWEEP, "together", part, "", seed, None, "validation", name, share / 100))
            assert not together.findings(evidence, rows_of("best", rows)).verdicts
            runs[SWEEP, part, "", seed] = Correct(np.arange(100) < share - less, "digest")
            (tmp_path / "correct.npz").write_bytes(correct_file(runs))
    found = together.findings(evidence, rows_of("best", rows))
    assert list(found.verdicts) == [claim.id for claim in study.protocol("together").claims] == list(COMPARED)
    accuracy, by_run = found.tables["accuracy"], found.tables["runs"]
    assert [row[0] for row in accuracy.rows] == [LABELS[of] for of in (NETWORK, NGRAMS, TOGETHER, LINEAR)]
    assert accuracy.rows[2][1:3] == ("94.0 ± 1.0", together.percent(together.repeated(
        np.array([np.arange(100) < share for share in (93, 94, 95)], float), np.arange(100)), unit=""))  # fmt: skip
    assert by_run.rows[1][:4] == ("1", "70.0", "3.0", "3.0")
    assert by_run.rows[1][-3:] == ("93.00", "89.00", "94.00")
