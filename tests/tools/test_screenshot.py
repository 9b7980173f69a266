"""MLflow's pages over a real store: the pictures show the runs of the sweep."""

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from selenium import webdriver

from processes import environment, run_command

SCRIPT = Path(__file__).resolve().parents[2] / "tools" / "screenshot.py"


def take(*arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the script; expect its exit status."""
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, timeout=250, env=environment()
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done


@pytest.mark.slow
def test_a_folder_without_runs_is_one_line(tmp_path: Path) -> None:
    said = take("--store", str(tmp_path), "--output", str(tmp_path / "images"), status=1).stderr
    assert said == f"error: --store={tmp_path}: no runs there; train first, or give the folder of a store\n"


@pytest.mark.slow
def test_a_sweep_gives_pictures_of_its_runs_their_comparison_and_their_curves(
    tmp_path: Path, chromium: webdriver.Chrome
) -> None:
    run_command(
        "train", tmp_path, "-m", "data=generated", "data.train_reviews=200", "data.test_reviews=50", "encoder=bag",
        "seed=0,1", "trainer.epochs=2", "study=tiny", status=0,
    )  # fmt: skip
    said = take("--store", str(tmp_path / "runs"), "--sweep", "tiny", "--output", str(tmp_path / "images"))
    assert said.stdout.count("written to") == 3
    for name in ("mlflow_runs.png", "mlflow_compare.png", "mlflow_curves.png"):
        path = tmp_path / "images" / name
        assert path.stat().st_size < 250_000
        with Image.open(path) as picture:
            assert picture.width == 1280
            colours = picture.convert("RGB").getcolors(maxcolors=1_000_000)
        assert colours is not None
        assert len(colours) > 200  # an empty page has few
