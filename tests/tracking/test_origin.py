"""Where a run comes from."""

import subprocess
from pathlib import Path

import pytest

from sentiment_rnn.tracking import description


def test_a_commit_is_dirty_where_code_or_configuration_was_changed_and_not_where_results_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def git(*words: str) -> str:
        who = ["-c", "user.name=a", "-c", "user.email=a@b"]
        return subprocess.run(["git", *who, *words], cwd=tmp_path, check=True, capture_output=True, text=True).stdout

    inner = tmp_path / "src"
    inner.mkdir()
    monkeypatch.setattr(description, "__file__", str(inner / "description.py"))
    files = {name: tmp_path / name for name in ("src/description.py", "conf.yaml", "results.csv")}
    for path in files.values():
        path.write_text("a\n")
    assert description.git_commit() is None
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "first")
    commit = git("rev-parse", "HEAD").strip()
    files["results.csv"].write_text("b\n")
    (tmp_path / "new.py").write_text("in no commit\n")
    assert description.git_commit() == commit
    for name in ("src/description.py", "conf.yaml"):
        files[name].write_text("b\n")
        assert description.git_commit() == f"{commit}-dirty"
        files[name].write_text("a\n")
    assert description.git_commit() == commit
