"""The wheel promises that it is enough, outside the repository, to train on texts of one's own, compare, predict and
serve."""

import json
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
import requests

from processes import environment, free_port, served

REPOSITORY = Path(__file__).resolve().parents[1]
TINY = ("encoder.hidden_size=8", "trainer.epochs=2", "trainer.threads=1", "optimizer.learning_rate=0.01",
        "tracking.system_metrics=false")  # fmt: skip


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, REPOSITORY]
    subprocess.run(command, check=True, timeout=280)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python whose `sentiment_rnn` is the wheel's; the other packages are those of the tests."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, timeout=120)
    found = folder / "bin" / "python"
    where = [found, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    packages = subprocess.run(where, check=True, capture_output=True, text=True).stdout.strip()
    # A path in a .pth file comes behind the environment's own packages, and editable installs in it do not count.
    Path(packages, "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    install = [found, "-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check", wheel]
    subprocess.run(install, check=True, timeout=120)
    return found


@pytest.fixture(scope="module")
def folder(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with nothing but 200 labelled texts, in which two encoders were trained and compared."""
    folder = tmp_path_factory.mktemp("empty")
    texts = (f"thing {number} was great,1\nthing {number} was awful,0\n" for number in range(100))
    (folder / "reviews.csv").write_text("text,label\n" + "".join(texts))
    command(
        python, folder, "train", "-m", "data=files", "data.train=reviews.csv", "encoder=lstm,bag", "study=own", *TINY
    )
    said = command(python, folder, "compare", "own", "--register", "--model", "products")
    assert "registered as products@champion, version 1" in said
    return folder


def command(python: Path, folder: Path, *arguments: str) -> str:
    """Output of the console script, run in `folder`."""
    done = subprocess.run(
        [python.with_name("sentiment-rnn"), *arguments],
        cwd=folder, capture_output=True, text=True, timeout=280, env=environment(),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_wheel_has_the_configuration_the_templates_and_the_types(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    configuration = {f"sentiment_rnn/conf/{path.relative_to(REPOSITORY / 'conf')}"
                     for path in (REPOSITORY / "conf").rglob("*.yaml")}  # fmt: skip
    assert configuration <= set(names)
    assert {"sentiment_rnn/py.typed", "sentiment_rnn/model/recurrence.cpp", "sentiment_rnn/model/product.h",
            "sentiment_rnn/model/scan.h", "sentiment_rnn/report/templates/typed.html.jinja"} <= set(names)  # fmt: skip
    assert {name.split("/")[0] for name in names if not name.split("/")[0].endswith(".dist-info")} == {
        "sentiment_rnn", "hydra_plugins",
    }, "the lab stays in the repository"  # fmt: skip


@pytest.mark.slow
def test_the_installed_wheel_predicts_with_what_it_trained(python: Path, folder: Path) -> None:
    answer = json.loads(command(python, folder, "predict", "--model", "products@champion", "--json", "a great thing"))
    assert (answer["known_tokens"], answer["unknown_tokens"]) == (2, 1)
    assert {path.name for path in folder.iterdir()} == {"reviews.csv", "data", "runs"}


@pytest.mark.slow
@pytest.mark.parametrize("how", ["sentiment-rnn serve", "mlflow models serve"])
def test_its_model_is_served(python: Path, folder: Path, how: str) -> None:
    port = free_port()
    if how == "sentiment-rnn serve":
        started = [python.with_name("sentiment-rnn"), "serve", "--no-page", "--model", "products@champion"]
    else:
        started = [python, "-m", "mlflow", "models", "serve", "--env-manager", "local", "--host", "127.0.0.1",
                   "--model-uri", "models:/products@champion"]  # fmt: skip
    with served([*map(str, started), "--port", str(port)], folder, f"http://127.0.0.1:{port}/ping"):
        asked = {"inputs": {"text": ["a great thing"]}}
        (answer,) = requests.post(f"http://127.0.0.1:{port}/invocations", json=asked, timeout=60).json()["predictions"]
    assert answer["label"] in ("negative", "positive")
    assert answer["known_tokens"] == 2
