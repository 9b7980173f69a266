"""Settings before torch loads, each in a process of its own."""

import os
import subprocess
import sys

import pytest

from sentiment_rnn.environment import GPU_DEVICES

WITHOUT_GPU = pytest.mark.skipif(any(map(os.path.exists, GPU_DEVICES)), reason="a GPU here may use triton")


def run_python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter, without OpenMP settings but those given."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, env=kept | environment, check=True
    )


SHOW = "import os, sentiment_rnn; print(os.environ.get('GOMP_SPINCOUNT'))"


def test_waiting_threads_spin_briefly() -> None:
    assert run_python(SHOW).stdout.split() == ["1000"]


@pytest.mark.parametrize(
    ("name", "value", "shown"), [("GOMP_SPINCOUNT", "7", "7"), ("OMP_WAIT_POLICY", "active", "None")]
)
def test_what_the_user_has_set_stays(name: str, value: str, shown: str) -> None:
    assert run_python(SHOW, **{name: value}).stdout.split() == [shown]


def test_openmp_reads_the_setting() -> None:
    # OpenMP prints what it read when it loads, which must be after the package has set it.
    done = run_python("import sentiment_rnn.runtime", OMP_DISPLAY_ENV="verbose")
    if "GOMP_SPINCOUNT" not in done.stderr:
        pytest.skip("this torch brings another OpenMP than GNU's")
    assert "GOMP_SPINCOUNT = '1000'" in done.stderr


@WITHOUT_GPU
def test_triton_is_not_loaded_where_there_is_no_gpu() -> None:
    code = "import sys, sentiment_rnn, lightning.pytorch; print([n for n in sys.modules if n.startswith('triton.')])"
    done = run_python(code)
    assert done.stdout.strip() == "[]"
    assert done.stderr == ""
