"""Rules are fixed before the data: a study starts with its protocol, and its results are of no other."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from made_results import predictions_of
from processes import environment
from sentiment_rnn.cli.readme import NOT_RUN
from sentiment_rnn.errors import UserError
from sentiment_rnn.studies import all_studies, find_study
from sentiment_rnn.studies.kit.correctness import Correct, correct_file, reviews_digest
from sentiment_rnn.studies.kit.evidence import check_evidence, checked_findings
from sentiment_rnn.studies.kit.protocol import check_protocol, protocol_digest
from sentiment_rnn.studies.kit.study import Study
from stored_runs import runs_in

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"
RULES = "The LSTM learns at 400 tokens: holds where the lower bound of its share of seeds is above one half.\n"
DIGEST = hashlib.sha256(RULES.encode()).hexdigest()
STUDY = find_study("learnability")

COMMAND = """
import sys
from sentiment_rnn.cli.main import main
from sentiment_rnn.studies import textbook
from sentiment_rnn.studies.kit.encoder_groups import EncoderStyle
from sentiment_rnn.studies.kit.findings import Findings
from sentiment_rnn.studies.kit.measurements import Measurements
from sentiment_rnn.studies.kit.study import Study, Sweep

textbook.STUDY = Study(
    name="textbook", order=30, sweeps=(Sweep("textbook_adding_50"),),
    measure=lambda store, sweeps: Measurements.of_rows(("encoder",), [("rnn",)], {"rnn": EncoderStyle("RNN", "red")}),
    findings=lambda folder: Findings([], []),
)
main()
"""
"""A study through its command: a run of a few steps."""
SMALL = [
    "encoder.hidden_size=8", "trainer.epochs=1", "trainer.threads=1", "task.batches=2", "task.test_sequences=32",
    "tracking.system_metrics=false", "hydra.sweeper.params.encoder='rnn'", "hydra.sweeper.params.seed='0'",
    "optimizer.draw=0",
]  # fmt: skip


def study(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the study, small, or with `run=false`, which takes no overrides."""
    given = arguments or (f"overrides={json.dumps(SMALL)}",)
    return subprocess.run(
        [sys.executable, "-c", COMMAND, "study", "name=textbook", *given],
        cwd=folder, capture_output=True, text=True, timeout=280, env=environment(),
    )  # fmt: skip


@pytest.mark.slow
def test_a_study_is_bound_to_the_protocol_under_which_it_ran(tmp_path: Path) -> None:
    out = tmp_path / "experiments" / "textbook"
    protocol = out / "protocol.md"
    done = study(tmp_path)
    assert done.stderr.splitlines() == [
        "error: experiments/textbook/protocol.md: not there; write the rules of each verdict down before name=textbook "
        "runs"
    ]
    assert not (tmp_path / "runs").exists()
    out.mkdir(parents=True)
    protocol.write_text(RULES)
    done = study(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    provenance = json.loads((out / "provenance.json").read_text())
    (sweep,) = provenance["sweeps"]
    assert provenance["protocol"] == DIGEST
    assert {name: sweep[name] for name in ("sweep", "runs", "seeds", "protocols", "accelerators")} == {
        "sweep": "textbook_adding_50", "runs": 1, "seeds": [0], "protocols": [DIGEST], "accelerators": ["cpu"],
    }  # fmt: skip
    assert all(len(sweep[name]) == 1 for name in ("processors", "precisions", "torch", "lightning", "sentiment_rnn"))
    client, runs = runs_in(tmp_path)
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    assert "study/textbook/provenance.json" in {
        artifact.path for artifact in client.list_artifacts(parent.info.run_id, "study/textbook")
    }

    protocol.write_text(RULES.replace("one half", "one third"))
    done = study(tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        f"error: experiment=textbook_adding_50: runs of it began under another protocol.md ({DIGEST[:8]}; now "
        f"{hashlib.sha256(protocol.read_bytes()).hexdigest()[:8]}); put that one back, or train anew with "
        "overrides=[tracking.repeat=true]"
    )
    done = study(tmp_path, "run=false")
    assert done.stderr.startswith("error: experiments/textbook/protocol.md (")
    assert len(done.stderr.splitlines()) == done.returncode == 1

    protocol.write_text(RULES)
    done = study(tmp_path, "run=false")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def measured(tmp_path: Path) -> Path:
    """The folder of a study that was measured under its protocol."""
    (tmp_path / "protocol.md").write_text(RULES)
    (tmp_path / "provenance.json").write_text(json.dumps({"protocol": DIGEST, "sweeps": []}))
    return tmp_path


def test_results_measured_under_this_protocol_stand(measured: Path) -> None:
    check_protocol(STUDY, measured)
    assert protocol_digest(STUDY, measured) == DIGEST


def test_a_protocol_that_was_changed_after_the_results_is_refused(measured: Path) -> None:
    with (measured / "protocol.md").open("a") as file:
        file.write("Or where it nearly is.\n")
    with pytest.raises(UserError, match=rf"is not the protocol under which the results .* \({DIGEST[:8]}, provenance"):
        check_protocol(STUDY, measured)


@pytest.mark.parametrize("file", ["protocol.md", "provenance.json"])
def test_a_protocol_or_provenance_that_is_gone_is_refused(measured: Path, file: str) -> None:
    (measured / file).unlink()
    with pytest.raises(UserError, match=f"{file}: not there"):
        check_protocol(STUDY, measured)


@pytest.mark.parametrize("study", all_studies(), ids=lambda study: study.name)
def test_committed_results_are_of_their_protocol_and_of_the_reviews_read_rightly(study: Study) -> None:
    if NOT_RUN in (EXPERIMENTS / study.name / "README.md").read_text():
        assert not (EXPERIMENTS / study.name / "results.csv").exists()
        return
    check_evidence(study, EXPERIMENTS / study.name)


@pytest.mark.parametrize(
    ("file", "old", "new", "what"),
    [
        ("validation.csv", ",", ",x", "could not convert"),
        ("search_20.csv", "learning_rate", "rate", "no 'learning_rate'"),
    ],
)
def test_a_damaged_file_is_one_line(tmp_path: Path, file: str, old: str, new: str, what: str) -> None:
    folder = shutil.copytree(EXPERIMENTS / "causes", tmp_path / "causes")
    text = (folder / file).read_text()
    at = text.rindex(old)
    (folder / file).write_text(text[:at] + new + text[at + len(old) :])
    with pytest.raises(UserError, match=f"causes: a file is damaged .{what}") as refused:
        checked_findings(find_study("causes"), folder)
    assert "\n" not in str(refused.value)


def test_an_encoder_without_its_style_is_one_line(tmp_path: Path) -> None:
    folder = shutil.copytree(EXPERIMENTS / "filler", tmp_path / "filler")
    lines = (folder / "encoders.csv").read_text().splitlines(keepends=True)
    (folder / "encoders.csv").write_text("".join(line for line in lines if not line.startswith("rnn,")))
    with pytest.raises(UserError, match=r"encoders\.csv: no encoder rnn, which results\.csv has; put it back"):
        checked_findings(find_study("filler"), folder)


def test_a_mismatch_among_committed_files_is_found(measured: Path) -> None:
    said = predictions_of([1, 0, 1, 1], distance=50)
    digest = reviews_digest(said, said.labels == 1)
    (measured / "correct.npz").write_bytes(correct_file([Correct(("learn", "lstm", "50", "3"), said.correct, digest)]))
    (measured / "encoders.csv").write_text("encoder,label,color\nlstm,LSTM,#0072B2\n")
    results = measured / "results.csv"
    results.write_text("setting,encoder,distance,seed,test/accuracy\nlearn,lstm,50,3,0.75\n")
    check_evidence(STUDY, measured)
    results.write_text(results.read_text().replace("0.75", "0.95"))
    with pytest.raises(UserError, match=r"of learn, lstm, 50, 3, results\.csv says 0\.95 and correct\.npz 0\.75; run"):
        check_evidence(STUDY, measured)
    results.write_text(results.read_text().replace("0.95", "0.75"))
    (measured / "protocol.md").write_text("Whatever comes out holds.\n")
    with pytest.raises(UserError, match="is not the protocol"):
        check_evidence(STUDY, measured)
