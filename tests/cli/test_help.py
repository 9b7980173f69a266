"""Whoever asks a command for help gets it at once, and a line with a wrong option gets one line back."""

import subprocess
import sys
from pathlib import Path

import pytest

from processes import Ask, environment, run_command, run_python
from sentiment_rnn import __version__
from sentiment_rnn.cli.help import USUAL, all_keys, choices, configuration_page
from sentiment_rnn.cli.main import COMMANDS
from sentiment_rnn.cli.options import FilePath, call, new_app
from sentiment_rnn.cli.train import as_hydra_reads_it, flags_first
from sentiment_rnn.config.store import run_config

PAGE = Path(__file__).resolve().parents[2] / "docs" / "configuration.md"
LOADED = """
import resource, sys
from sentiment_rnn.cli.main import main
try:
    main()
except SystemExit as left:
    assert not left.code, left.code
used = resource.getrusage(resource.RUSAGE_SELF)
print(sorted({"torch", "mlflow", "lightning", "matplotlib", "pandas", "scipy"} & set(sys.modules)))
print(used.ru_utime + used.ru_stime)
"""
"""Runs a command; says which large libraries it loaded, and its processor time, which other work does not lengthen."""


def help_of(folder: Path, *words: str, columns: int = 80) -> list[str]:
    """Lines of a help that takes less than a second, loads no large library and leaves nothing in its folder."""
    done = run_python(LOADED, *words, folder=folder, COLUMNS=str(columns))
    *lines, loaded, seconds = done.stdout.splitlines()
    assert (done.stderr, loaded, list(folder.iterdir())) == ("", "[]", [])
    assert float(seconds) < 1
    return lines


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_is_there_within_a_second_on_one_screen(command: str, tmp_path: Path) -> None:
    lines = help_of(tmp_path, command, "--help") if command else help_of(tmp_path)
    assert command or all(any(f"│ {listed}" in line for line in lines) for listed in COMMANDS)
    assert any(line.startswith(f"Usage: sentiment-rnn {command}") for line in lines)
    assert len(lines) <= 40
    assert max(map(len, lines)) <= (200 if command in ("serve", "publish") else 80)  # a line to copy stays whole
    assert command in ("", "train") or any("--store STR" in line for line in lines)


def test_help_of_train_has_the_choices_and_the_usual_keys_and_on_demand_all(tmp_path: Path) -> None:
    usual = " ".join(help_of(tmp_path, "train", "--help"))
    assert all(f"  {key} " in usual for key in USUAL)
    assert all(name in usual for group in ("encoder", "data", "experiment") for name in choices(group))
    every = " ".join(" ".join(help_of(tmp_path, "train", "--help", "all", columns=120)).split())
    keys = all_keys()
    assert len(keys) > 80
    assert all(f"{name} {declared['description']}" in every for name, declared in keys.items())


def test_the_page_of_the_configuration_is_what_the_schema_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == configuration_page(), "run make docs"


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


def test_the_reader_of_the_help_may_leave_early(tmp_path: Path) -> None:
    done = subprocess.run(
        f"{sys.executable} -m sentiment_rnn train --help | head -1",
        cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60, shell=True,
    )  # fmt: skip
    assert done.stdout.startswith("Train one encoder")
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("words", "named"),
    [("trian", "train"), ("encoder=lstm", "train"), ("compare --registr", "--register"),
     ("serve --port many", "--port"), ("publish mine", "--to"), ("inspect", "TEXT"), ("runs mine more", "more")],
)  # fmt: skip
def test_a_wrong_command_or_option_is_one_line_that_names_what_is_meant(
    words: str, named: str, tmp_path: Path, ask: Ask
) -> None:
    command, *rest = words.split()
    done = ask(command, tmp_path, *rest, status=2)
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert named in done.stderr
    assert done.stderr.endswith(" --help says what it takes.\n")
    assert done.stderr.count("\n") == 1


def probe(*texts: str, files: tuple[FilePath, ...] = (), loud: bool = False) -> None:
    """A command that prints what it gets."""
    print(texts, [str(file) for file in files], loud)


@pytest.mark.parametrize(
    ("words", "arguments"),
    [
        # A shell leaves this ~ as it is.
        (["--files=~/a", "b", "--loud", "--files", "~nobody_here/c"], "('b',) ['/home/me/a', '~nobody_here/c'] True"),
        (["-", "--loud"], "('-',) [] True"),
        (["--", "-", "--loud"], "('-', '--loud') [] False"),
        (["", "-5"], "('', '-5') [] False"),
    ],
)
def test_words_become_arguments(
    words: list[str], arguments: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    app = new_app("probe", "Probe.")
    app.default(probe)
    call(app, words)
    assert capsys.readouterr().out.strip() == arguments


def test_the_configuration_is_shown_and_nothing_runs(tmp_path: Path) -> None:
    # Hydra takes flags before overrides alone.
    shown = run_command("train", tmp_path, "encoder=gru", "--cfg", "job", status=0).stdout
    assert "sentiment_rnn.model.encoders.gru.Gru" in shown
    assert "epochs: null" in shown
    assert list(tmp_path.iterdir()) == []
    assert flags_first(["~experiment", "-m", "+a=1", "seed=0,1"]) == ["-m", "~experiment", "+a=1", "seed=0,1"]


@pytest.mark.parametrize("run_id", ["816769e9", "1e234567", "12345678", "01234567", "run-7e5"])
def test_a_short_id_that_looks_like_a_number_names_its_run(run_id: str) -> None:
    assert run_config(as_hydra_reads_it(f"++pretrained={run_id}")).pretrained == run_id
    assert as_hydra_reads_it(f"pretrained=ab34567c,{run_id}").startswith("pretrained=ab34567c,")
    assert as_hydra_reads_it("optimizer.learning_rate=1e3") == "optimizer.learning_rate=1e3"


@pytest.mark.parametrize("folder", ["~/my runs", "'~/my runs'"])
def test_the_folder_of_all_runs_may_begin_at_home(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert run_config(as_hydra_reads_it(f"++tracking.directory={folder}")).tracking.directory == "/home/me/my runs"
    assert as_hydra_reads_it("tracking.directory=~nobody/runs") == "tracking.directory=~nobody/runs"
