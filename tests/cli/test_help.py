"""The command line around the commands: help, versions, typos, Hydra's flags and completion."""

import functools
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import NamedTuple

import pytest
import yaml
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from processes import environment, run_command
from sentiment_rnn import __version__
from sentiment_rnn.cli.help import COMMANDS, USUAL, all_keys, help_of_train, purpose_of
from sentiment_rnn.cli.main import is_train_completed, main
from sentiment_rnn.cli.options import FilePath, call_with
from sentiment_rnn.cli.train import as_hydra_reads_it, flags_first
from sentiment_rnn.config import CONFIGURATION
from sentiment_rnn.config.store import register_schema, run_config

FLAGGED = [name for name in COMMANDS if name != "train"]
"""Commands that take flags."""


LOADED = """
import resource, sys
from sentiment_rnn.cli.main import main
sys.argv = ["sentiment-rnn", *sys.argv[1:]]
try:
    main()
except SystemExit as left:
    assert not left.code, left.code
used = resource.getrusage(resource.RUSAGE_SELF)
print(sorted({"torch", "mlflow", "lightning", "matplotlib", "pandas", "scipy"} & set(sys.modules)))
print(used.ru_utime + used.ru_stime)
"""
"""Runs a command; says which large libraries it loaded, and its processor time, which other work does not lengthen."""


class Said(NamedTuple):
    """What a command prints, the large libraries that it loads, and its processor time [s]."""

    lines: list[str]
    loaded: str
    seconds: float


def said_by(*arguments: str, **variables: str) -> Said:
    """The command's output, in a process and an empty folder of its own; nothing may stay in that."""
    with TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-c", LOADED, *arguments],
            cwd=folder, env=environment() | variables, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        assert list(Path(folder).iterdir()) == []
    *lines, loaded, seconds = done.stdout.splitlines()
    return Said(lines, loaded, float(seconds))


@functools.cache
def help_of(command: str, columns: int) -> Said:
    """What `--help` says, behind a command or alone; read once for all tests."""
    return said_by(*command.split(), "--help", COLUMNS=str(columns))


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_is_there_within_a_second_and_loads_no_large_library(command: str) -> None:
    said = help_of(command, 80)
    assert any(line.lower().startswith("usage: sentiment-rnn") for line in said.lines)
    assert said.loaded == "[]"
    assert said.seconds < 1


def test_help_of_train_has_three_examples_and_the_meaning_of_each_key() -> None:
    whole = said_by("train", "--help", "all", COLUMNS="120")
    assert whole.seconds < 1
    said = "\n".join(whole.lines)
    examples = [line.strip() for line in said.splitlines() if line.startswith("  sentiment-rnn train")]
    assert len(examples) == 3
    words = " ".join(said.split())
    keys = all_keys()
    assert len(keys) > 80
    for name, declared in keys.items():
        assert f"{name} {declared['description']}" in words


@pytest.mark.parametrize(("command", "columns"), [("train", 100), *((command, 80) for command in COMMANDS)])
def test_help_fits_one_screen(command: str, columns: int) -> None:
    said = help_of(command, columns).lines
    assert len(said) <= 40
    if command == "train":
        assert max(map(len, said)) <= columns


def test_help_of_train_lists_the_groups_and_what_the_usual_keys_are_without_an_override() -> None:
    said = help_of("train", 80).lines
    listed = [line.split()[0] for line in said if line.startswith("  ") and line[2] != " "]
    groups = ["encoder", "data", "experiment", "task", "trainer", "optimizer", "pooling"]
    keys = [key.partition("=") for key in listed if "=" in key]
    assert [word for word in listed if word in groups] == groups
    assert [key for key, _, _ in keys] == list(USUAL)
    register_schema()
    with initialize_config_dir(version_base="1.3", config_dir=CONFIGURATION):
        config = compose("config")
    assert {key: yaml.safe_load(value) for key, _, value in keys} == {
        key: OmegaConf.select(config, key) for key, _, _ in keys
    }
    assert "train --help all" in said[-1]


def test_help_lists_ones_own_encoders_first(tmp_path: Path) -> None:
    (tmp_path / "mine" / "encoder").mkdir(parents=True)
    for name in ("convolution", "lstm"):  # which stands for the shipped one
        (tmp_path / "mine" / "encoder" / f"{name}.yaml").touch()
    for flag in (["--config-dir", "mine"], ["--config-dir=mine"], ["-cd", "mine"]):
        said = run_command("train", tmp_path, "--help", *flag, status=0).stdout
        assert "convolution, lstm, bag, gru, lru, lstm_chrono" in said


def test_names_that_do_not_fit_are_left_to_the_whole_help(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    (tmp_path / "encoder").mkdir()
    names = [f"an_encoder_with_a_long_name_{number}" for number in range(9)]
    for name in names:
        (tmp_path / "encoder" / f"{name}.yaml").touch()
    said = help_of_train(["--config-dir", str(tmp_path)])
    assert f"  encoder     {names[0]}, {names[1]},\n" in said
    assert "… (--help all)\n  data " in said
    assert len(said.splitlines()) <= 40
    assert all(name in help_of_train(["all", "--config-dir", str(tmp_path)]) for name in names)


@pytest.mark.parametrize("command", FLAGGED)
def test_help_of_the_other_commands_has_examples_and_the_shared_flags(command: str) -> None:
    said = "\n".join(help_of(command, 80).lines)
    assert f"\nsentiment-rnn {command}" in said
    words = " ".join(said.replace("│", " ").split())
    assert purpose_of(command) in words
    assert "--store STR where the runs are [default: runs]" in words
    assert "--tracking-uri STR an MLflow server instead [env var: MLFLOW_TRACKING_URI]" in words
    assert "--experiment STR the MLflow experiment of the runs" in words


def test_flags_may_stand_between_the_names_of_sweeps(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("sys.argv", ["sentiment-rnn", "compare", "mine", "--store", f"{tmp_path}/there", "more"])
    with pytest.raises(SystemExit):
        main()
    assert capsys.readouterr().err == (
        f"error: --store={tmp_path}/there: no runs there; train first, or give the folder of a store\n"
    )


def test_without_a_command_there_is_an_overview_of_all(tmp_path: Path) -> None:
    said = subprocess.run(
        [sys.executable, "-m", "sentiment_rnn"],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60, check=True,
    ).stdout  # fmt: skip
    for name in COMMANDS:
        assert f"{name:<10} {purpose_of(name)}" in said


def test_the_version_is_that_of_the_package(tmp_path: Path) -> None:
    assert run_command("--version", tmp_path, status=0).stdout == f"{__version__}\n"


def test_the_console_script_finds_a_module_of_the_current_folder(tmp_path: Path) -> None:
    script, here = tmp_path / "bin" / "sentiment-rnn", tmp_path / "here"
    script.parent.mkdir()
    here.mkdir()
    script.write_text("from sentiment_rnn.cli.main import main\nmain()\n")
    (here / "own_cell.py").write_text("print('own_cell is here')")
    done = subprocess.run(
        [sys.executable, str(script), "predict", "--import", "own_cell", "good"],
        cwd=here, env=environment(), capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.stdout == "own_cell is here\n"
    assert "no runs there" in done.stderr


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("trian", "error: trian: no such command; did you mean train?\n"),
        ("zzz", f"error: zzz: no such command; one of {', '.join(COMMANDS)}\n"),
        ("encoder=lstm", f"error: encoder=lstm: no such command; one of {', '.join(COMMANDS)}\n"),
    ],
)
def test_an_unknown_command_is_one_line(typed: str, said: str, tmp_path: Path) -> None:
    done = run_command(typed, tmp_path, status=1)
    assert done.stderr == said
    assert done.stdout == ""


def test_the_reader_of_the_help_may_leave_early(tmp_path: Path) -> None:
    done = subprocess.run(
        f"{sys.executable} -m sentiment_rnn train --help | head -1",
        cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60, shell=True,
    )  # fmt: skip
    assert done.stdout.strip() == purpose_of("train")
    assert done.stderr == ""


def test_the_configuration_is_shown_and_nothing_runs(tmp_path: Path) -> None:
    said = run_command("train", tmp_path, "encoder=gru", "--cfg", "job", status=0).stdout
    assert "sentiment_rnn.model.encoders.gru.Gru" in said
    assert "epochs: null" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("given", "ordered"),
    [
        (["encoder=rnn", "-m", "seed=0,1"], ["-m", "encoder=rnn", "seed=0,1"]),
        (["~experiment", "--cfg", "job"], ["--cfg", "job", "~experiment"]),
        (["+a=1", "--config-dir=there"], ["--config-dir=there", "+a=1"]),
    ],
)
def test_flags_may_stand_anywhere_among_the_overrides(given: list[str], ordered: list[str]) -> None:
    assert flags_first(given) == ordered


@pytest.mark.parametrize("run_id", ["816769e9", "1e234567", "12345678", "01234567", "run-7e5"])
def test_a_short_id_that_looks_like_a_number_names_its_run(run_id: str) -> None:
    assert run_config(as_hydra_reads_it(f"++pretrained={run_id}")).pretrained == run_id


def test_each_id_that_looks_like_a_number_is_in_quotes_and_nothing_else() -> None:
    assert as_hydra_reads_it("pretrained=ab34567c,816769e9,1e234567") == "pretrained=ab34567c,'816769e9','1e234567'"
    assert as_hydra_reads_it("optimizer.learning_rate=1e3") == "optimizer.learning_rate=1e3"


@pytest.mark.parametrize("given", ["~/my runs", "'~/my runs'"])
def test_the_folder_of_all_runs_may_begin_at_home(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert run_config(as_hydra_reads_it(f"++tracking.directory={given}")).tracking.directory == "/home/me/my runs"
    assert as_hydra_reads_it("tracking.directory=~nobody/runs") == "tracking.directory=~nobody/runs"


def probe(*texts: str, files: tuple[FilePath, ...] = (), loud: bool = False) -> None:
    """A command that prints what it gets.

    Args:
        texts: read
        loud: whether it shouts
    """
    print(texts, [str(file) for file in files], loud)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        # A shell leaves this ~ as it is.
        (["--files=~/a", "b", "--loud", "--files", "~nobody_here/c"], "('b',) ['/home/me/a', '~nobody_here/c'] True"),
        (["-", "--loud"], "('-',) [] True"),
        (["--", "-", "--loud"], "('-', '--loud') [] False"),
        (["", "-5"], "('', '-5') [] False"),
    ],
)
def test_words_become_arguments(
    words: list[str], expected: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    module = ModuleType("probe", "Probe.")
    module.main = probe  # type: ignore[attr-defined]
    call_with(words, "sentiment-rnn probe", module)
    assert capsys.readouterr().out.strip() == expected


@pytest.mark.parametrize(
    ("words", "option"),
    [("compare --registr", "--register"), ("compare --panel", "--panel"), ("serve --port many", "--port"),
     ("publish mine", "--to"), ("inspect", "TEXT"), ("evaluate", "FILE"), ("runs mine more", "more")],
)  # fmt: skip
def test_a_wrong_option_is_one_line_that_names_it(words: str, option: str, tmp_path: Path) -> None:
    command, *rest = words.split()
    done = run_command(command, tmp_path, *rest, status=2)
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert option in done.stderr
    assert done.stderr.endswith(f" sentiment-rnn {command} --help lists the options.\n")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("sentiment-rnn train encoder=l", {"encoder=lstm", "encoder=lstm_chrono"}),
        ("sentiment-rnn train task=", {"task=adding", "task=copying", "task=reviews"}),
    ],
)
def test_the_shell_is_offered_what_completes_a_line(line: str, offered: set[str], tmp_path: Path) -> None:
    shell = {"COMP_LINE": line, "COMP_POINT": str(len(line))}
    done = subprocess.run(
        [sys.executable, "-m", "sentiment_rnn", "-sc", "query=bash"],
        cwd=tmp_path, env=environment() | shell, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert offered <= set(done.stdout.split())
    assert not any(word.startswith(("encoder=rnn", "encoder=bag")) for word in done.stdout.split())


@pytest.mark.parametrize(
    ("line", "completed", "left"),
    [
        ("sentiment-rnn train encoder=l", True, "sentiment-rnn encoder=l"),
        ("sentiment-rnn encoder=l", True, "sentiment-rnn encoder=l"),
        ("sentiment-rnn runs prune ke", False, "sentiment-rnn ke"),
    ],
)
def test_a_line_of_train_is_completed(line: str, completed: bool, left: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMP_LINE", line)
    monkeypatch.setenv("COMP_POINT", str(len(line)))
    assert is_train_completed() == completed
    assert os.environ["COMP_LINE"] == left
    assert os.environ["COMP_POINT"] == str(len(left))


@pytest.mark.parametrize("line", ["sentiment-rnn compare regis", "sentiment-rnn train encoder=gr"])
def test_completion_loads_no_command(line: str) -> None:
    assert said_by("-sc", "query=bash", COMP_LINE=line, COMP_POINT=str(len(line))).loaded == "[]"


def test_completion_can_be_installed(tmp_path: Path) -> None:
    done = run_command("-sc", tmp_path, "install=bash", status=0)
    assert "complete" in done.stdout
    assert "COMP_LINE" in done.stdout or "hydra_bash_completion" in done.stdout
    assert list(tmp_path.iterdir()) == []
