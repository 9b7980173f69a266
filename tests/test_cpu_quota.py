"""The cores that a container may use, from what Linux shows of its control groups."""

from pathlib import Path

import pytest

from sentiment_rnn import runtime


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_a_quota_of_version_2_counts_as_cores(tmp_path: Path) -> None:
    write(tmp_path / "cgroup", "0::/docker/abc\n")
    write(tmp_path / "fs/docker/abc/cpu.max", "150000 100000\n")
    assert runtime.cpu_quota(tmp_path / "cgroup", tmp_path / "fs") == 1.5


def test_the_smallest_quota_of_a_group_and_those_above_it_holds(tmp_path: Path) -> None:
    write(tmp_path / "cgroup", "0::/slice/job\n")
    write(tmp_path / "fs/slice/job/cpu.max", "max 100000\n")
    write(tmp_path / "fs/slice/cpu.max", "200000 100000\n")
    write(tmp_path / "fs/cpu.max", "400000 100000\n")
    assert runtime.cpu_quota(tmp_path / "cgroup", tmp_path / "fs") == 2


def test_a_quota_of_version_1_counts_as_cores(tmp_path: Path) -> None:
    write(tmp_path / "cgroup", "8:memory:/x\n4:cpu,cpuacct:/x\n")
    write(tmp_path / "fs/cpu,cpuacct/cpu.cfs_quota_us", "300000\n")
    write(tmp_path / "fs/cpu,cpuacct/cpu.cfs_period_us", "100000\n")
    assert runtime.cpu_quota(tmp_path / "cgroup", tmp_path / "fs") == 3


@pytest.mark.parametrize("limit", ["max 100000\n", "", "nonsense"])
def test_without_a_limit_there_is_no_quota(tmp_path: Path, limit: str) -> None:
    write(tmp_path / "cgroup", "0::/\n")
    write(tmp_path / "fs/cpu.max", limit)
    assert runtime.cpu_quota(tmp_path / "cgroup", tmp_path / "fs") is None


def test_a_system_without_control_groups_has_no_quota(tmp_path: Path) -> None:
    assert runtime.cpu_quota(tmp_path / "none", tmp_path / "fs") is None


@pytest.mark.parametrize(("quota", "expected"), [(None, 8), (2.0, 2), (0.3, 1), (1.5, 2), (64.0, 8)])
def test_cores_are_the_bound_ones_within_the_quota(
    monkeypatch: pytest.MonkeyPatch, quota: float | None, expected: int
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(runtime, "cpu_quota", lambda: quota)
    assert runtime.cores() == expected
