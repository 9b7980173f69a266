"""Fixtures that more than one test file needs."""

import gc
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings
from omegaconf import OmegaConf
from selenium import webdriver

import in_process
from encoder_targets import TARGETS
from made_imdb import write_imdb
from processes import Ask, Refused
from sentiment_rnn.config.loading import checked_data
from sentiment_rnn.config.sections import DataConfig
from sentiment_rnn.data.batching import Batch
from sentiment_rnn.data.tokenizer import Tokenizer, build_vocabulary
from sentiment_rnn.inference.package import Package, Reading, fingerprints
from sentiment_rnn.inference.predictor import Predictor
from sentiment_rnn.model import recurrence
from sentiment_rnn.model.classifier import SentimentClassifier
from servers import Server, sqlite_server

# The same examples in each run, however long one takes beside others.
settings.register_profile("tests", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")
# The tests use no store of the person who runs them.
os.environ.pop("MLFLOW_TRACKING_URI", None)
# A shell that starts the tests in the background has it ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
# Two cores and small tensors: threads would only wait for each other.
torch.set_num_threads(1)
# Configurations are thousands of small objects: the collector looks after 100,000 new ones, and not after each 700.
gc.set_threshold(100_000)


def real_archive() -> Path | None:
    """The archive of the real corpus, where there is one."""
    given = os.environ.get("IMDB_ARCHIVE")
    return Path(given) if given and Path(given).exists() else None


def pytest_collection_finish() -> None:
    """What is loaded by now stays: the collector need not look through it again and again."""
    gc.freeze()


@pytest.fixture(autouse=True)
def denormals() -> None:
    """Kept at the start of each test, whatever one before it did: training flushes them in the whole process."""
    torch.set_flush_denormal(False)


@pytest.fixture(scope="session")
def imdb_archive() -> Path:
    """The real archive; tests that need it are skipped, saying so, where it is not."""
    path = real_archive()
    if path is None:
        pytest.skip("the real reviews are not here: set IMDB_ARCHIVE to aclImdb_v1.tar.gz")
    return path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A tracking server on SQLite."""
    started = sqlite_server(tmp_path_factory.mktemp("server"))
    started.start()
    yield started
    started.stop()


@pytest.fixture
def generated_config(tmp_path: Path) -> Callable[..., DataConfig]:
    """A small generated corpus in a folder of the test's own; arguments override."""

    def build(**overrides: Any) -> DataConfig:
        settings: dict[str, Any] = {
            "_target_": "sentiment_rnn.data.sources.generated.Generated", "name": "generated",
            "directory": str(tmp_path / "data"), "batch_size": 16, "eval_batch_size": 32, "max_tokens": 200,
            "keep": "tail", "tokenizer": "basic_english", "vocabulary_size": 1000, "minimum_frequency": 1,
            "train_reviews": 160, "validation_fraction": 0.2, "split_seed": 0, "test_reviews": 64, "max_lag": 20,
            "lags": "log_uniform", "opening_fraction": 0.0, "generator_seed": 0,
        }  # fmt: skip
        return checked_data(OmegaConf.create(settings | overrides))

    return build


@pytest.fixture
def imdb_config(tmp_path: Path) -> Callable[..., DataConfig]:
    """The IMDb source with its cache in a folder of the test's own; arguments override."""

    def build(**overrides: Any) -> DataConfig:
        return build_imdb_config(tmp_path / "data", **overrides)

    return build


def build_imdb_config(directory: Path, **overrides: Any) -> DataConfig:
    """The IMDb source with its cache in `directory`."""
    settings: dict[str, Any] = {
        "_target_": "sentiment_rnn.data.sources.imdb.Imdb", "name": "imdb", "directory": str(directory),
        "batch_size": 16, "eval_batch_size": 32, "max_tokens": 400, "keep": "tail", "tokenizer": "basic_english",
        "vocabulary_size": 30_000, "minimum_frequency": 2, "archive": None, "verify": True,
        "validation_fraction": 0.1, "split_seed": 0,
    }  # fmt: skip
    return checked_data(OmegaConf.create(settings | overrides))


@pytest.fixture(scope="session")
def real_imdb_config(imdb_archive: Path, tmp_path_factory: pytest.TempPathFactory) -> DataConfig:
    """The real corpus, in batches as a run has them; one token cache for all tests of a session."""
    directory = tmp_path_factory.getbasetemp() / "imdb"
    return build_imdb_config(directory, archive=str(imdb_archive), batch_size=64, eval_batch_size=256)


@pytest.fixture
def imdb_folder(tmp_path: Path) -> Path:
    """An extracted `aclImdb` of made-up reviews."""
    return write_imdb(tmp_path)


@pytest.fixture
def batch() -> Batch:
    """Five reviews of 1, 3, 7, 12 and 12 tokens out of a vocabulary of 50, padded to 12."""
    generator = torch.Generator().manual_seed(0)
    lengths = torch.tensor([1, 3, 7, 12, 12])
    tokens = torch.randint(2, 50, (5, 12), generator=generator)
    tokens[torch.arange(12) >= lengths[:, None]] = 0
    return Batch(tokens, lengths, torch.tensor([0.0, 1.0, 0.0, 1.0, 1.0]), torch.arange(5))


@pytest.fixture(scope="session")
def chromium() -> Iterator[webdriver.Chrome]:
    """A headless Chromium; the tests are skipped, saying so, where there is none."""
    browser, driver = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
    if not browser or not driver:
        pytest.skip("no browser here: install chromium and chromedriver (Debian: chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for argument in (
        "headless",
        "no-sandbox",
        "disable-gpu",
        "no-first-run",
        "disable-background-networking",
        "disable-component-update",
        "disable-sync",
    ):
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    opened = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield opened
    opened.quit()


@pytest.fixture
def open_page(chromium: webdriver.Chrome) -> Callable[[str, int], webdriver.Chrome]:
    """Open an address in a window of a width."""

    def opened(address: str, width: int = 1280) -> webdriver.Chrome:
        # A window is never narrower than 500 pixels; a device is.
        chromium.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500},
        )
        chromium.get(address)
        return chromium

    return opened


WORDS = "the film was good bad great awful long . , ! i liked it a b and 5".split()


@pytest.fixture(scope="session")
def build_package() -> Callable[..., Package]:
    """A package with random weights; arguments say which. An encoder is one of `TARGETS`, or a class's import path."""

    def build(encoder: str = "lstm", pooling: str = "Last", layers: int = 1, **reading: Any) -> Package:
        torch.manual_seed(0)
        tokenizer = Tokenizer("basic_english", build_vocabulary([WORDS], 100, 1))
        model = SentimentClassifier(
            len(tokenizer),
            embedding={"size": 6, "dropout": 0.0, "word_dropout": 0.0},
            encoder={
                "_target_": TARGETS.get(encoder, encoder), "name": encoder,
                **({} if encoder == "bag" else {"hidden_size": 8, "layers": layers}),
            },
            pooling={"_target_": f"sentiment_rnn.model.pooling.{pooling}", "name": pooling.lower(), "dropout": 0.0},
            optimizer={},
        ).eval()  # fmt: skip
        torch.nn.init.normal_(model.backbone.embedding.weight)
        settings: dict[str, Any] = {
            "max_tokens": 20, "keep": "tail", "batch_size": 4, "precision": "float32", "temperature": 1.5, "run": "",
        }  # fmt: skip
        seen = Predictor(Package(model, tokenizer, Reading(**settings), np.array([], dtype=np.int64)))
        texts = fingerprints(seen.encode(["the film was good .", "bad film !"]))
        return Package(model, tokenizer, Reading(**settings | reading), texts)

    return build


@pytest.fixture
def ask() -> Ask:
    """Run a command in this process; see `in_process.ask`."""
    return in_process.ask


@pytest.fixture
def refused(ask: Ask) -> Refused:
    """The one line of a command, `train` unless another is named, that cannot do what is asked of it."""

    def said(folder: Path, *arguments: str, command: str = "train") -> str:
        (line,) = ask(command, folder, *arguments, status=1).stderr.strip().splitlines()
        assert line.startswith("error: ")
        return line

    return said


@pytest.fixture(params=["compiled", "stepped"])
def compiled_or_stepped(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Once with the compiled recurrence, and once without a compiler; which of the two."""
    if request.param == "stepped":
        monkeypatch.setattr(recurrence, "library", lambda: None)
    elif recurrence.library() is None:
        pytest.skip("no compiler on this machine")
    return request.param
