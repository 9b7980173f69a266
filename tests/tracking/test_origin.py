"""Whoever reads a run is promised the commit that made it, and whether code or configuration was changed since."""

import subprocess
from pathlib import Path

import pytest

from sentiment_rnn.tracking import description


def test_a_commit_is_dirty_where_code_or_configuration_was_changed_and_not_where_results_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, configuration, results = (tmp_path / name for name in ("src/description.py", "conf.yaml", "results.csv"))
    code.parent.mkdir()
    monkeypatch.setattr(description, "__file__", str(code))
    for path in (code, configuration, results):
        path.write_text("a\n")
    assert description.git_commit() is None
    commits = "git init -q && git add . && git -c user.name=a -c user.email=a@b commit -qm first && git rev-parse HEAD"
    made = subprocess.run(commits, shell=True, cwd=tmp_path, check=True, capture_output=True, text=True)
    commit = made.stdout.strip()
    results.write_text("b\n")
    (tmp_path / "new.py").write_text("in no commit\n")
    assert description.git_commit() == commit
    for changed in (code, configuration):
        changed.write_text("b\n")
        assert description.git_commit() == f"{commit}-dirty"
        changed.write_text("a\n")
    assert description.git_commit() == commit
