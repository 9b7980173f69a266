"""Commands with wrong input: one line of error, a non-zero exit status, and nothing half-written."""

import errno
import json
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from unittest.mock import Mock

import pytest
import requests
import sqlalchemy.sql
from hydra.errors import ConfigCompositionException
from submitit.core.utils import FailedJobError

from processes import Refused, run_command
from proxies import reply, serving
from sentiment_rnn.cli import train
from sentiment_rnn.cli.errors import one_line_errors
from sentiment_rnn.config import CONFIGURATION
from sentiment_rnn.config.messages import describe
from sentiment_rnn.config.sections import TrackingConfig
from sentiment_rnn.config.store import run_config
from sentiment_rnn.sweeps.callback import exit_on_user_error
from sentiment_rnn.tracking.store import open_store

WRONG_OVERRIDES = {
    "encoder.hiden_size=8": "did you mean hidden_size?",
    "encoder.hidden-size=8": "encoder.hidden-size: no such key; did you mean hidden_size?",
    "encoder.hidden_size=-1": "encoder.hidden_size=-1: expected a whole number from 1 to 65,536",
    "encoder.dropout=1": "encoder.dropout=1: expected a number of at least 0 and below 1",
    "encoder.hidden_size=wide": "encoder.hidden_size=wide: expected a whole number",
    "encoder=mlp": "Available options in 'encoder': bag gru lru lstm",
    "pooling=median": "Available options in 'pooling': last last_mean_max max mean mean_max",
    "data.validation_fraction=1.5": "data.validation_fraction=1.5: expected a number above 0 and below 1",
    "data.keep=middle": "data.keep=middle: expected one of head, tail, both",
    "embedding.dropout=1": "embedding.dropout=1: expected a number of at least 0 and below 1",
    "optimizer.learning_rate=0": "optimizer.learning_rate=0: expected a number above 0",
    "optimizer.learning_rate=nan": "optimizer.learning_rate=nan: expected a number above 0",
    "optimizer.learning_rate=${optimizer.learning_rates.mlp}": "mlp",
    "precision=float64": "precision=float64: expected one of auto, float32, bfloat16",
    "trainer=tpu": "Available options in 'trainer': auto cpu gpu",
    "trainer.epochs=0": "trainer.epochs=0: expected a whole number from 1",
    "seed=-1": "seed=-1: expected a whole number",
    "sead=1": "did you mean seed?",
    "encodr=lstm": "encodr: no such key; did you mean encoder?",
    "optimiser=sgd": "optimiser: no such key; did you mean optimizer?",
    "experimnt=demo": "experimnt: no such key; did you mean experiment?",
    "hydra/launcher=joblib": "hydra/launcher=joblib: only a sweep has it; give -m",
    "hydra/sweeper=search": "hydra/sweeper=search: only a sweep has it; give -m",
    "hydra/lancher=joblib": "hydra/lancher: no such key; did you mean hydra/launcher?",
    "optimizer.lr=0.01": "optimizer.lr: no such key; known keys: ",
    "lr=0.01": "lr: no such key; known keys: ",
    "epochs=3": "epochs: no such key; did you mean trainer.epochs?",
    "seed=[": "seed=[: Hydra cannot read this (no viable alternative at input '['); a text with signs",
    "study=übung": "study=übung: Hydra cannot read this; a text with signs is put into two quotes: \"study='übung'",
    "data.archive=reviews (1).tar.gz": "put into two quotes: \"data.archive='reviews (1).tar.gz'\"",
    "+foo=1": "foo: no such key; known keys: study, seed",
    "++foo.bar=1": "foo: no such key",
    "+sead=1": "sead: no such key; did you mean seed?",
    "+trainer.nonsense=true": "trainer.nonsense: no such key",
    "++optimizer.lr=0.5": "optimizer.lr: no such key; known keys: ",
    "+data.hidden=1": "data.hidden: no such key",
    "data.train=reviews.csv": "data.train: not a key of this choice of data; files has it (data=files)",
    "encoder.color=purplish": "encoder.color=purplish: expected a colour such as #0072B2",
    "data.max_tokens=9999999999": "data.max_tokens=9999999999: expected a whole number from 1 to 2,147,483,647",
    "data.train_reviews=1": "data.train_reviews=1: expected a whole number from 2",
    "data.train_reviews=many": "data.train_reviews=many: expected a whole number",
    "data=files": "data.train: not given; give data.train=…",
    "task.adversarial=-1": "task.adversarial=-1: expected a number from 0",
    "task.virtual=nan": "task.virtual=nan: expected a number from 0",
    "task=sorting": "Available options in 'task': adding copying language_model parity recall reviews",
    "trainer.limit_batches=-1": "trainer.limit_batches=-1: expected a whole number from 0",
    "trainer.profiler=slow": "trainer.profiler=slow: expected simple, or null",
    "trainer.strategy=foo": "trainer.strategy=foo: no strategy of Lightning; expected auto, ddp",
    "trainer.strategy=fsdp": "trainer.strategy=fsdp: shards the weights, and gradients would be clipped by shard",
    "optimizer._target_=torch.nn.Linear": "optimizer._target_=torch.nn.Linear: no optimizer; expected the class of one",
    "optimizer._target_=torch.add": "optimizer._target_=torch.add: no optimizer; expected the class of one",
    "encoder._target_=math": "encoder._target_=math: expected a class, not module",
    "data._target_=math.pi": "data._target_=math.pi: expected a class, not float",
    "encoder._target_=math.sqrt": "encoder._target_=math.sqrt: no torch module",
    "encoder._target_=torch.nn.ReLU": "encoder._target_=torch.nn.ReLU: no encoder, since it has no output_size",
    "pooling._target_=math.sqrt": "pooling._target_=math.sqrt: no torch module",
    "pooling._target_=torch.nn.ReLU": "pooling._target_=torch.nn.ReLU: no pooling, since it has no width",
    "encoder.bidirectional=true": "pooling=last: expected mean, max or mean_max with encoder.bidirectional=true",
    "encoder=null": "encoder=null: expected one of bag, gru, lru, lstm",
    "data=null": "data=null: expected one of files, generated, imdb",
    "trainer=": "trainer=: expected one of auto, cpu, gpu",
    "encoder=[rnn,lstm]": "encoder=[rnn,lstm]: a run has one encoder; -m encoder=rnn,lstm runs each in turn",
    "+encoder=['rnn', lstm]": "a run has one encoder; -m encoder=rnn,lstm runs each in turn",
    "data=[imdb]": "data=[imdb]: a run has one data; write data=imdb",
    "pooling=[mean,max]": "-m pooling=mean,max runs",
    "encoder=rnn,lstm": "'encoder=rnn,lstm': -m runs each in turn",
    "seed=0,1": "'seed=0,1': -m runs each in turn; a text with commas is put into quotes",
    "optimizer.options.fused=true": "optimizer.options.fused: not given so far; write +optimizer.options.fused=…",
    "+optimizer.options.momentum=0.9": "optimizer.options.momentum: no such key; known keys: betas, eps",
    "+optimizer.options.amsgrd=true": "optimizer.options.amsgrd: no such key; did you mean amsgrad?",
    "+optimizer.options.lr=0.1": "optimizer.options.lr: no such key; did you mean optimizer.learning_rate?",
    "+optimizer.options.weight_decay=0.1": "weight_decay: no such key; did you mean optimizer.weight_decay?",
    "+optimizer.options.betas=[0.9,2]": "optimizer.options={'betas': [0.9, 2]}: Invalid beta parameter at index 1: 2",
    "+optimizer.embedding_options.momentum=0.9": "optimizer.embedding_options.momentum: no such key; known keys: lr",
    "+optimizer.embedding_options.lr=-1": "Invalid learning rate: -1",
    "+optimizer.encoder_options.lr=-1": "Invalid learning rate: -1",
    "pretrained_digest=abc": "pretrained_digest=abc: expected pretrained=… beside it",
    "pretrained=nobody": "no runs there; train first",
    "+optimizer.encoder_options.lrr=1": "optimizer.encoder_options.lrr: no such key; did you mean lr?",
    "optimizer.embedding_options.betas=0.5": "optimizer.embedding_options={'betas': 0.5}: ",
    "+optimizer.learning_rates.lstmm=0.01": "optimizer.learning_rates.lstmm: no such key; did you mean lstm?",
    "++optimizer.learning_rates={lstm: 0.1, gruu: 0.1}": "learning_rates.gruu: no such key; did you mean gru?",
    "+optimizer.draws.lstmm=1": "optimizer.draws.lstmm: no such key; did you mean lstm?",
    "optimizer.embedding_options.eps=1": "write +optimizer.embedding_options.eps=… to add it",
}


@pytest.mark.parametrize("override", WRONG_OVERRIDES)
def test_a_wrong_override_is_one_line_and_leaves_nothing(override: str, tmp_path: Path, refused: Refused) -> None:
    assert WRONG_OVERRIDES[override] in refused(tmp_path, override)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("encoder.hidden_size=8,-1", "encoder.hidden_size=-1: expected a whole number from 1 to 65,536"),
        ("data.validation_fraction=0.1,1.5", "data.validation_fraction=1.5: expected a number above 0 and below 1"),
        ("encoder=rnn,mlp", "Could not find 'encoder/mlp'"),
        ("encoder=rnn,null", "encoder=rnn,null: expected one of bag,"),
        ("+foo=1,2", "foo: no such key"),
        ("encoder=[rnn,lstm]", "encoder=[rnn,lstm]: a run has one encoder; -m encoder=rnn,lstm runs each in turn"),
        ("encoder=lstm,[gru]", "encoder=lstm,[gru]: a run has one encoder; -m encoder=lstm,gru runs each in turn"),
    ],
)
def test_a_sweep_with_one_wrong_job_starts_none(override: str, said: str, tmp_path: Path, refused: Refused) -> None:
    assert said in refused(tmp_path, "-m", override, f"data.directory={tmp_path}/data")
    assert not (tmp_path / "data").exists()
    assert not (tmp_path / "runs" / "mlflow.db").exists()


LONG = 5000 * "x"


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("predict", ["--model", LONG, "good"]),
        ("predict", ["--store", LONG, "good"]),
        ("predict", [f"--{LONG}"]),
        ("compare", [LONG]),
        ("serve", ["--host", LONG]),
    ],
)
def test_five_thousand_letters_are_a_line_of_a_thousand(command: str, arguments: list[str], tmp_path: Path) -> None:
    done = run_command(command, tmp_path, *arguments)
    assert done.returncode in (1, 2)
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert len(done.stderr) < 1100


def test_a_search_says_which_experiment_has_the_grid_that_it_refuses(tmp_path: Path, refused: Refused) -> None:
    line = refused(tmp_path, "experiment=demo", "hydra/sweeper=search", "optimizer.learning_rate=interval(0.1,1)")
    assert line.startswith("error: encoder=rnn,lstm,bag: a grid of experiment=demo, and a search takes no grid; write ")


def test_several_choices_of_a_group_are_no_list(tmp_path: Path, refused: Refused) -> None:
    assert "list" not in refused(tmp_path, "encoder=rnn,lstm")


@pytest.mark.parametrize("override", ["data=imdb", "pooling=mean"])
def test_a_group_that_the_task_does_not_have_is_refused(override: str, tmp_path: Path, refused: Refused) -> None:
    line = refused(tmp_path, "task=adding", override)
    assert line == f"error: Could not override '{override.partition('=')[0]}': this task has none"


@pytest.mark.parametrize("flags", [[], ["-m"]])
def test_a_damaged_file_of_ones_own_is_one_line(flags: list[str], tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "encoder").mkdir()
    (tmp_path / "encoder" / "mine.yaml").write_text("_target_: x.Y\nlabel: RNN: mine\n")
    line = refused(tmp_path, *flags, "--config-dir", str(tmp_path), "encoder=mine")
    assert "mapping values are not allowed" in line
    assert 'mine.yaml", line 2' in line


@pytest.mark.parametrize("override", ["encoder=glob([rnn,b*])", "encoder=choice(rnn,bag)"])
def test_hydras_functions_choose_from_a_group_in_a_sweep(override: str, tmp_path: Path, refused: Refused) -> None:
    line = refused(tmp_path, "-m", override, "seed=-1")
    assert line.startswith("error: seed=-1: ")


def test_a_group_is_no_list_among_the_values_of_a_sweep_either(tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "experiment").mkdir()
    sweep = "hydra:\n  sweeper:\n    params:\n      encoder: [rnn, lstm]\n"
    (tmp_path / "experiment" / "mine.yaml").write_text(f"# @package _global_\n{sweep}")
    line = refused(tmp_path, "-m", "--config-dir", str(tmp_path), "experiment=mine")
    assert "a run has one encoder; -m encoder=rnn,lstm runs each in turn" in line


@pytest.mark.parametrize("override", ["+task.step=1", "+data.name=imdb"])
def test_a_key_that_the_task_does_not_have_is_refused(override: str, tmp_path: Path, refused: Refused) -> None:
    line = refused(tmp_path, "task=adding", override)
    assert "no such key" in line
    assert list(tmp_path.iterdir()) == []


def test_a_further_argument_of_the_optimizer_can_be_added() -> None:
    config = run_config("+optimizer.options.fused=true")
    assert config.optimizer.options["fused"] is True


def test_a_missing_archive_is_one_line_and_leaves_no_run(tmp_path: Path, refused: Refused) -> None:
    line = refused(tmp_path, "data=imdb", "data.archive=nowhere.tar.gz")
    assert "data.archive=nowhere.tar.gz: no such file or folder" in line
    assert not (tmp_path / "runs").exists()


def test_a_corpus_without_reviews_is_one_line_and_leaves_no_run(tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "aclImdb" / "train").mkdir(parents=True)
    line = refused(tmp_path, "data=imdb", "data.archive=aclImdb")
    assert "no reviews in train/neg/; expected train/ and test/" in line
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("key", ["data.directory", "tracking.directory"])
def test_a_folder_that_cannot_be_written_is_one_line(key: str, tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "file").write_text("in the way")
    line = refused(tmp_path, f"{key}={tmp_path}/file/folder", "data.train_reviews=20")
    assert f"{tmp_path}/file" in line
    assert (tmp_path / "file").read_text() == "in the way"


def test_a_server_that_is_away_is_one_line_before_any_data_are_made(tmp_path: Path, refused: Refused) -> None:
    line = refused(tmp_path, "tracking.uri=http://127.0.0.1:9")
    assert "tracking.uri=http://127.0.0.1:9: no answer (connection refused); start the server" in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("train", []),
        ("train", ["-m", "seed=0,1", "hydra/launcher=joblib"]),
        ("train", ["-m", "hydra/sweeper=search", "optimizer.learning_rate=interval(0.1,1)"]),
        ("compare", []),
        ("runs", []),
        ("runs", ["prune"]),
        ("predict", ["good"]),
    ],
)
@pytest.mark.parametrize("uri", ["http://user:hunter22@127.0.0.1:9", "http://127.0.0.1:9/?token=hunter22"])
def test_an_address_with_a_password_in_it_is_one_line_and_written_nowhere(
    command: str, arguments: list[str], uri: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, refused: Refused
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    line = refused(tmp_path, *arguments, command=command)
    assert "an address with a password in it" in line
    assert "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD" in line
    assert "hunter22" not in line
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(params=[(403, "PERMISSION_DENIED"), (500, "INTERNAL_ERROR")])
def refusing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    """The address of a server that knows its experiment and refuses all else, and the status of its refusals."""
    status, code = request.param
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    known = {"experiment_id": "1", "name": "sentiment_rnn", "artifact_location": "mlflow-artifacts:/1",
             "lifecycle_stage": "active", "last_update_time": 0, "creation_time": 0}  # fmt: skip

    def answer(asked: BaseHTTPRequestHandler, _: bytes) -> None:
        of_experiments = "/experiments/" in asked.path
        said = (
            {"experiment": known, "experiments": [known]} if of_experiments else {"error_code": code, "message": "no"}
        )
        reply(asked, 200 if of_experiments else status, json.dumps(said).encode(), "application/json")

    with serving(answer) as uri:
        yield uri, status


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("runs", ["--tracking-uri", "{uri}"]),
        ("compare", ["--tracking-uri", "{uri}", "mine"]),
        ("predict", ["--tracking-uri", "{uri}", "good"]),
        ("predict", ["--tracking-uri", "{uri}", "--run", 32 * "a", "good"]),
    ],
)
def test_what_a_server_refuses_is_neither_a_traceback_nor_gone(
    command: str, arguments: list[str], refusing: tuple[str, int], tmp_path: Path, refused: Refused
) -> None:
    uri, status = refusing
    line = refused(tmp_path, *(argument.format(uri=uri) for argument in arguments), command=command)
    if command == "predict" and status == 403:  # as MLflow's own server answers for a run that is not there
        assert "or none that this user may read (403)" in line
    else:
        assert line.startswith("error: the store of runs: ")
        assert ("refuses this user (403)" if status == 403 else "server error") in line
    assert "train again" not in line


def test_a_server_that_does_not_know_its_name_says_what_to_set(tmp_path: Path, refused: Refused) -> None:
    from mlflow.server.security_utils import INVALID_HOST_MSG

    with serving(lambda asked, _: reply(asked, 403, INVALID_HOST_MSG.encode(), "text/plain")) as uri:
        line = refused(tmp_path, "--tracking-uri", uri, command="runs")
    assert "the server does not accept this host name (403); whoever runs it adds it to MLFLOW_SERVER_ALLOWED" in line


def test_a_damaged_database_is_one_line(tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "mlflow.db").write_text("hello")
    line = refused(tmp_path, command="runs")
    assert line == "error: --store=runs: its mlflow.db is no database; restore it, or give another folder"


def test_a_locked_database_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, refused: Refused) -> None:
    # MLflow lets SQLite wait twenty seconds for a lock.
    monkeypatch.setattr(sqlalchemy.sql, "text", lambda said: sqlalchemy.text(said.replace("= 20000", "= 20")))
    open_store(TrackingConfig(uri=None, directory=str(tmp_path / "runs"), experiment="sentiment_rnn"))
    with closing(sqlite3.connect(tmp_path / "runs" / "mlflow.db")) as database:
        database.execute("BEGIN EXCLUSIVE")
        line = refused(tmp_path, command="runs")
    assert "its database is locked by another process; wait until that is done, and try again" in line


def test_a_folder_that_cannot_be_in_an_address_is_one_line(tmp_path: Path, refused: Refused) -> None:
    line = refused(tmp_path, "tracking.directory='a%20b'", "data.train_reviews=20")
    assert f"tracking.directory=a%20b: %20, of {tmp_path}/a%20b, cannot be in the address of a database" in line


@pytest.mark.parametrize(("made", "said"), [(True, "none: no such sweep"), (False, "no runs there")])
def test_a_sweep_that_is_not_there_is_one_line_and_makes_no_store(
    made: bool, said: str, tmp_path: Path, refused: Refused
) -> None:
    if made:
        open_store(TrackingConfig(uri=None, directory=str(tmp_path / "runs"), experiment="sentiment_rnn"))
    line = refused(tmp_path, "none", "--store", f"{tmp_path}/runs", command="compare")
    assert said in line
    assert (tmp_path / "runs").exists() == made


def test_a_folder_below_home_that_the_shell_left_alone_is_found(
    tmp_path: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    open_store(TrackingConfig(uri=None, directory=str(tmp_path / "mine"), experiment="sentiment_rnn"))
    assert "none: no such sweep" in refused(tmp_path, "none", "--store=~/mine", command="compare")


def test_copying_is_not_tested_at_another_length_since_its_baseline_is_that_of_one_length(
    tmp_path: Path, refused: Refused
) -> None:
    line = refused(tmp_path, "task=copying", "task.test_steps=40")
    assert "task.test_steps=40: expected null for copying: its baseline holds for the length of training" in line


def test_a_net_that_reads_from_the_end_is_not_read_at_the_last_token(tmp_path: Path, refused: Refused) -> None:
    line = refused(tmp_path, "pooling=last_mean_max", "encoder.bidirectional=true")
    assert "pooling=last_mean_max: expected mean, max or mean_max with encoder.bidirectional=true" in line


def test_two_devices_are_refused_for_a_task_that_trains_on_one(tmp_path: Path, refused: Refused) -> None:
    line = refused(tmp_path, "task=adding", "trainer.devices=2")
    assert "trainer.devices=2: task=adding trains on one device; leave it out" in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["task=adding", "trainer.nodes=2"], "trainer.nodes=2: task=adding trains on one device; leave it out"),
        (["task=adding", "encoder.bidirectional=true"], "encoder.bidirectional=true: task=adding reads from the left"),
        (["task=adding", "encoder._target_=torch.nn.ReLU"], "torch.nn.ReLU: no encoder, since it has no output_size"),
        (["task=adding", "encoder=bag"], "In 'encoder/bag': Could not override 'pooling': this task has none"),
        (["-m", "encoder=lstm,min_gru", "encoder.recurrent_gain=2"], "recurrent_gain=2.0: expected 1, since it has no"),
        (["-m", "hydra.sweeper.max_batch_size=-1", "seed=0,1"], "hydra.sweeper.max_batch_size=-1: expected a number"),
        (
            ["-m", "optimizer.learning_rate=interval(1e-4,1e-2)"],
            "an interval(…) is searched: give hydra/sweeper=search",
        ),
        (
            ["-m", "hydra/sweeper=search", "encoder.hidden_size=interval(16,128)"],
            "; a search gives them with int(interval(LOW,HIGH))",
        ),
    ],
    ids=lambda given: " ".join(given)[:40] if isinstance(given, list) else "",
)
def test_what_cannot_go_together_is_one_line_and_leaves_nothing(
    arguments: list[str], said: str, tmp_path: Path, refused: Refused
) -> None:
    assert said in refused(tmp_path, *arguments)
    assert list(tmp_path.iterdir()) == []


def test_make_names_the_versions_that_fit_when_given_another_python(tmp_path: Path) -> None:
    unfit = tmp_path / "python3.9"
    unfit.write_text("#!/bin/sh\nexit 1\n")  # as any interpreter outside 3.10 to 3.14 answers
    unfit.chmod(0o755)
    made = subprocess.run(
        ["make", "setup", f"PYTHON={unfit}", f"VENV={tmp_path}/venv"],
        cwd=Path(CONFIGURATION).parent, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert made.returncode != 0
    assert "Python 3.10 to 3.14" in made.stderr.splitlines()[0]
    assert not (tmp_path / "venv").exists()


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
    ("error", "line"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "out/table.md"), "out/table.md: No space left on device; "),
        (OSError(errno.EROFS, "Read-only file system"), "Read-only file system; "),
    ],
)
def test_a_full_disk_is_one_line(error: OSError, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit), one_line_errors():
        raise error
    assert capsys.readouterr().err == f"error: {line}make room, or choose another folder\n"


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


@pytest.mark.parametrize(
    ("left", "interrupted"),
    [(KeyboardInterrupt(), True), (SystemExit(143), True), (SystemExit("error: it cannot be prepared"), False)],
)
def test_a_sweep_that_cannot_be_prepared_was_not_interrupted(
    left: BaseException, interrupted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[bool] = []
    monkeypatch.setattr(train, "close_sweeps", ended.append)
    monkeypatch.setattr(train, "job", Mock(side_effect=left))
    monkeypatch.setattr("sys.argv", ["sentiment-rnn train"])
    with pytest.raises(type(left)):
        train.main()
    assert ended == [interrupted]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (requests.HTTPError("500 Server Error: for url: http://x"), "error: the store of runs: 500 Server Error"),
        (RuntimeError("of our own"), "error: the run could not be prepared"),
    ],
)
def test_whatever_fails_before_a_run_begins_is_one_line(error: Exception, line: str) -> None:
    with pytest.raises(SystemExit, match=line), exit_on_user_error():
        raise error
