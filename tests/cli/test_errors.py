"""Whoever gives a command a wrong input gets one line, a status that is not 0, and nothing half-written."""

import json
import re
import sqlite3
from contextlib import closing
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import sqlalchemy.sql
from hydra.errors import ConfigCompositionException
from submitit.core.utils import FailedJobError

from processes import Refused, run_command
from proxies import reply, serving
from sentiment_rnn.cli.errors import one_line_errors
from sentiment_rnn.config.messages import describe
from sentiment_rnn.config.sections import TrackingConfig
from sentiment_rnn.tracking.store import open_store

EXAMPLES = {
    "encoder.hiden_size=8": "error: encoder.hiden_size: no such key; did you mean hidden_size?",
    "epochs=3": "error: epochs: no such key; did you mean trainer.epochs?",
    "encodr=lstm": "error: encodr: no such key; did you mean encoder?",
    "encoder.hidden_size=wide": "error: encoder.hidden_size=wide: expected a whole number from 1 to 65,536, or null",
    "data.keep=middle": "error: data.keep=middle: expected one of head, tail, both",
    "data.train=reviews.csv": "error: data.train: not a key of this choice of data; files has it (data=files)",
    "data=files": "error: data.train: not given; give data.train=…",
    "seed=0,1": "error: Ambiguous value for argument 'seed=0,1': -m runs each in turn; a text with commas is put into "
    "quotes",
    "encoder._target_=math.sqrt": "error: encoder._target_=math.sqrt: no torch module, since it has no forward",
    "+optimizer.options.amsgrd=true": "error: optimizer.options.amsgrd: no such key; did you mean amsgrad? "
    "(~optimizer.options.amsgrd leaves it out where a file gives it)",
    "hydra/launcher=joblib": "error: hydra/launcher=joblib: only a sweep has it; give -m",
    "-m encoder=glob([rnn,b*]) seed=-1": "error: seed=-1: expected a whole number from 0 to 4,294,967,295",
    "study=übung": "error: study=übung: expected KEY=VALUE; a text with signs is in two quotes: \"study='übung'\"",
}


def words_of(line: str) -> list[str]:
    """The arguments of a line, in which values may hold spaces."""
    return re.split(r" (?=\S*=)", line)


@pytest.mark.parametrize("override", EXAMPLES)
def test_a_line_says_what_was_given_what_was_expected_and_what_to_do(
    override: str, tmp_path: Path, refused: Refused
) -> None:
    assert refused(tmp_path, *words_of(override)) == EXAMPLES[override]
    assert list(tmp_path.iterdir()) == []


WRONG = """
=1
+sead=1
++foo.bar=1
optimizer.lr=0.01
+trainer.nonsense=true
+optimizer.options.lr=0.1
+optimizer.options.betas=[0.9,2]
+optimizer.embedding_options.lr=-1
+optimizer.encoder_options.lrr=1
optimizer.options.fused=true
+optimizer.learning_rates.lstmm=0.01
+optimizer.draws.lstmm=1
optimizer.learning_rate=${optimizer.learning_rates.mlp}
optimizer.learning_rate=1e308
optimizer.draw_learning_rate=[1,2000]
optimizer._target_=torch.nn.Linear
optimizer._target_=torch.add
encoder=mlp
encoder=null
encoder=rnn,lstm
encoder=[rnn,lstm]
encoder._target_=math
encoder._target_=torch.nn.ReLU
encoder.layers=1000000
encoder.bidirectional=true
pooling._target_=torch.nn.ReLU
pooling=last_mean_max encoder.bidirectional=true
data=[imdb]
data=imdb data.archive=nowhere.tar.gz
data._target_=math.pi
data._target_=pathlib.Path
data.train_reviews=999999999999
data.max_lag=1000000000
seed=1.5
seed=true
seed=99999999999999999999999
optimizer.learning_rate=nan
optimizer.learning_rate=''
embedding.dropout={a: 1}
embedding.dropout=[0.5]
trainer.progress_bar=maybe
trainer.progress_bar=2
study=[a]
+encoder.hidden_qsize=1
++trainer.epqochs=1
data.qlags=1
trainer=
trainer.strategy=foo
trainer.strategy=ddp_fork
trainer.strategy=ddp_spawn
trainer.strategy=fsdp
pretrained_digest=abc
pretrained=nobody
hydra/lancher=joblib
hydra/sweeper=search
hydra.run.dir=/proc/x
study=''
tracking.directory=''
tracking.directory='a%20b'
tracking.uri=nonsense
task=sorting
task._target_=os.getcwd
task=adding data=imdb
task=adding pooling=mean
task=adding encoder=bag
task=adding +task.step=1
task=adding +data.name=imdb
task=adding trainer.devices=2
task=adding trainer.nodes=2
task=adding encoder.bidirectional=true
task=copying task.test_steps=40
-m encoder.hidden_size=8,-1
-m encoder=rnn,mlp
-m encoder=rnn,null
-m trainer=cpu trainer.devices=2 trainer.strategy=ddp seed=0,1
-m encoder=lstm,[gru]
-m +foo=1,2
-m encoder=lstm,min_gru encoder.recurrent_gain=2
-m hydra.sweeper.max_batch_size=-1 seed=0,1
-m optimizer.learning_rate=interval(1e-4,1e-2)
-m hydra/sweeper=search encoder.hidden_size=interval(16,128)
-m hydra/sweeper=search experiment=demo optimizer.learning_rate=interval(0.1,1)
""".strip().splitlines()
"""Lines of `train`."""


@pytest.mark.parametrize("line", WRONG)
def test_a_wrong_line_is_one_line_of_error_and_leaves_nothing(line: str, tmp_path: Path, refused: Refused) -> None:
    assert refused(tmp_path, *words_of(line))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("command", "options"), [("predict", ["good", "--model"]), ("compare", [])])
def test_five_thousand_letters_are_a_line_of_a_thousand(
    command: str, options: list[str], tmp_path: Path, refused: Refused
) -> None:
    assert len(refused(tmp_path, *options, 5000 * "x", command=command)) < 1100


@pytest.mark.parametrize("flags", [[], ["-m"]])
def test_a_damaged_file_of_ones_own_is_one_line(flags: list[str], tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "encoder").mkdir()
    (tmp_path / "encoder" / "mine.yaml").write_text("_target_: x.Y\nlabel: RNN: mine\n")
    line = refused(tmp_path, *flags, "--config-dir", str(tmp_path), "encoder=mine")
    assert "mapping values are not allowed" in line
    assert 'mine.yaml", line 2' in line


def test_a_group_is_no_list_among_the_values_of_a_sweep_either(tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "experiment").mkdir()
    sweep = "hydra:\n  sweeper:\n    params:\n      encoder: [rnn, lstm]\n"
    (tmp_path / "experiment" / "mine.yaml").write_text(f"# @package _global_\n{sweep}")
    line = refused(tmp_path, "-m", "--config-dir", str(tmp_path), "experiment=mine")
    assert "encoder=['rnn','lstm']: expected one of bag, gru" in line


@pytest.mark.parametrize("key", ["data.directory", "tracking.directory"])
def test_a_folder_that_cannot_be_written_is_one_line(key: str, tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "file").write_text("in the way")
    line = refused(tmp_path, f"{key}={tmp_path}/file/folder", "data.train_reviews=20")
    assert f"{tmp_path}/file" in line
    assert (tmp_path / "file").read_text() == "in the way"


@pytest.mark.parametrize(
    ("command", "arguments"), [("train", ["-m", "seed=0,1", "hydra/launcher=joblib"]), ("predict", ["good"])]
)
@pytest.mark.parametrize("uri", ["http://user:hunter22@127.0.0.1:9", "http://127.0.0.1:9/?token=hunter22"])
def test_an_address_with_a_password_in_it_is_one_line_and_written_nowhere(
    command: str, arguments: list[str], uri: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, refused: Refused
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    line = refused(tmp_path, *arguments, command=command)
    assert "an address with a password in it" in line
    assert "hunter22" not in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [(403, "PERMISSION_DENIED", "refuses this user (403)"), (500, "INTERNAL_ERROR", "500 error responses")],
)
@pytest.mark.parametrize(
    ("command", "arguments"), [("compare", ["mine"]), ("predict", ["--run", 32 * "a", "good"])], ids=["sweep", "run"]
)
def test_what_a_server_refuses_is_neither_a_traceback_nor_gone(
    command: str, arguments: list[str], status: int, code: str, said: str, tmp_path: Path, refused: Refused,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    known = {"experiment_id": "1", "name": "sentiment_rnn", "artifact_location": "mlflow-artifacts:/1",
             "lifecycle_stage": "active", "last_update_time": 0, "creation_time": 0}  # fmt: skip
    experiments = json.dumps({"experiment": known, "experiments": [known]}).encode()
    refusal = json.dumps({"error_code": code, "message": "no"}).encode()

    def answer(asked: BaseHTTPRequestHandler, _: bytes) -> None:
        of_experiments = "/experiments/" in asked.path
        reply(asked, 200 if of_experiments else status, experiments if of_experiments else refusal, "application/json")

    with serving(answer) as uri:
        line = refused(tmp_path, "--tracking-uri", uri, *arguments, command=command)
    assert line.startswith("error: the store of runs: ")
    assert said in line
    assert "train again" not in line


def test_a_damaged_database_is_one_line(tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "mlflow.db").write_text("hello")
    line = refused(tmp_path, command="runs")
    assert line == "error: --store=runs: file is not a database"


def test_a_locked_database_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, refused: Refused) -> None:
    # MLflow lets SQLite wait twenty seconds for a lock.
    monkeypatch.setattr(sqlalchemy.sql, "text", lambda said: sqlalchemy.text(said.replace("= 20000", "= 20")))
    open_store(TrackingConfig(uri=None, directory=str(tmp_path / "runs"), experiment="sentiment_rnn"))
    with closing(sqlite3.connect(tmp_path / "runs" / "mlflow.db")) as database:
        database.execute("BEGIN EXCLUSIVE")
        line = refused(tmp_path, command="runs")
    assert "its database is locked by another process; wait until that is done, and try again" in line


@pytest.mark.parametrize(("made", "said"), [(True, "none: no such sweep"), (False, "no runs there")])
def test_a_sweep_that_is_not_there_is_one_line_and_makes_no_store(
    made: bool, said: str, tmp_path: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))  # a shell leaves the ~ of --store=~ as it is
    if made:
        open_store(TrackingConfig(uri=None, directory=str(tmp_path / "runs"), experiment="sentiment_rnn"))
    assert said in refused(tmp_path, "none", "--store=~/runs", command="compare")
    assert (tmp_path / "runs").exists() == made


@pytest.mark.parametrize("uri", ["nonsense", "sqlite:///.", "postgresql://me:secret@host/db"])
def test_an_address_that_is_no_store_is_one_line(uri: str, tmp_path: Path, refused: Refused) -> None:
    line = refused(tmp_path, "--tracking-uri", uri, command="compare")
    assert line == "error: --tracking-uri: expected a server, http://HOST:PORT (make server), or a file, sqlite:///FILE"
    assert list(tmp_path.iterdir()) == []


def test_a_whole_process_says_one_line_and_exits_1(tmp_path: Path) -> None:
    done = run_command("train", tmp_path, "encoder.hidden_size=-1", status=1)
    assert done.stderr == "error: encoder.hidden_size=-1: expected a whole number from 1 to 65,536, or null\n"
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ("sbatch: error: Invalid partition\nsbatch: fatal: no job", "error: hydra/launcher: sbatch: fatal: no job\n"),
        (
            "Job (task=0) failed during processing with trace:\n-----\nTraceback:\n  File x\nValueError: no\n\n-----\n"
            "You can check full logs with …\nor at paths:\n  - runs/1_0_0_log.err\n  - runs/1_0_0_log.out",
            "error: a job failed: ValueError: no; its output is in runs/1_0_0_log.out\n",
        ),
    ],
)
def test_what_slurm_refuses_or_a_job_raises_is_one_line(
    said: str, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit), one_line_errors():
        raise FailedJobError(said)
    assert capsys.readouterr().err == line


@pytest.mark.parametrize(
    ("command", "rest"),
    [("train -m", "; the same command resumes"), ("predict", "")],
)
def test_who_interrupts_training_is_told_that_it_resumes(
    command: str, rest: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SENTIMENT_RNN_COMMAND", f"sentiment-rnn {command}")
    with pytest.raises(SystemExit) as left, one_line_errors():
        raise KeyboardInterrupt
    assert (left.value.code, capsys.readouterr().err) == (130, f"error: interrupted{rest}\n")


def test_without_submitit_the_slurm_launcher_says_what_to_install() -> None:
    error = ConfigCompositionException("Could not load 'hydra/launcher/submitit_slurm'.\n\nConfig search path: …")
    assert "pip install '.[slurm]'" in describe(error)
