"""Pictures of MLflow's pages that show and compare the runs of a sweep: docs/images/mlflow_*.png.

    python tools/screenshot.py --store runs --sweep demo --output docs/images

Serves the store on this machine and opens the pages in a headless Chromium. `make screenshots` trains a small sweep for
them first.
"""

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from urllib.parse import quote

from PIL import Image
from selenium import webdriver
from selenium.common.exceptions import TimeoutException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from sentiment_rnn.cli.errors import one_line_errors
from sentiment_rnn.config.sections import TrackingConfig
from sentiment_rnn.environment import quiet_libraries
from sentiment_rnn.errors import UserError
from sentiment_rnn.tracking.store import VIEW, Store, existing_store
from sentiment_rnn.tracking.sweeps import find_sweep, results_of

PARAMETERS = ("encoder.name", "seed")
METRICS = ("train/loss", "val/accuracy", "test/accuracy")
"""Axes of the plot on the page that compares."""
CURVE = "val/accuracy"
AT_REST = """
document.activeElement.blur();
for (const animation of document.getAnimations())
    if (animation.effect.getTiming().iterations === Infinity) animation.cancel();
"""
"""JavaScript that stops the blinking caret and what else would move for ever."""
WIDTH = 1280
"""Pixels of a picture."""
PATIENCE = 60
"""Seconds to wait for the server, and for what a page is to show."""


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--store", default="runs", help="folder of the store")
    parser.add_argument("--sweep", default="latest", help="latest, a study's name, or a parent run's id")
    parser.add_argument("--output", type=Path, default=Path("docs/images"), help="folder of the pictures")
    given = parser.parse_args()
    quiet_libraries()
    with one_line_errors():
        tracking = TrackingConfig(None, given.store, "sentiment_rnn", system_metrics=False)
        store = existing_store(tracking, names=("--store", "--store"))
        runs = [run.run_id for run in results_of(store, find_sweep(store, given.sweep, finished=True))]
        given.output.mkdir(parents=True, exist_ok=True)
        with served(store) as address, chromium() as browser:
            chosen = f"runs={quoted(runs)}&experiments={quoted([store.experiment_id])}"
            try:
                runs_page(browser, f"{address}/#/experiments/{store.experiment_id}/runs?viewStateShareKey={VIEW}")
                save(browser, given.output / "mlflow_runs.png", height=500)
                compare_page(browser, f"{address}/#/compare-runs?{chosen}")
                save(browser, given.output / "mlflow_compare.png", height=640)
                curves_page(browser, f"{address}/#/metric?{chosen}")
                save(browser, given.output / "mlflow_curves.png", height=520)
            except TimeoutException as error:
                raise UserError(f"{browser.current_url}: {error.msg}; MLflow's pages may have changed") from error


@contextmanager
def served(store: Store) -> Iterator[str]:
    """The address of MLflow's server over a store, on a free port of this machine."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    process = subprocess.Popen(
        [
            str(Path(sys.executable).with_name("mlflow")), "server", "--host", "127.0.0.1", "--port", str(port),
            "--workers", "1", "--backend-store-uri", store.uri,
            "--default-artifact-root", (store.directory / "artifacts").as_uri(),
        ],
        env=os.environ | quiet, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + PATIENCE
        while not answers(address):
            if process.poll() is not None or time.monotonic() > deadline:
                raise UserError(f"{address}: MLflow's server does not start; try make ui, which shows what it says")
            time.sleep(0.3)
        yield address
    finally:
        process.terminate()
        process.wait()


def answers(address: str) -> bool:
    """Whether a server is up."""
    try:
        with urllib.request.urlopen(f"{address}/health", timeout=5):
            return True
    except OSError:
        return False


@contextmanager
def chromium() -> Iterator[webdriver.Chrome]:
    """A headless Chromium that reaches this machine alone."""
    program, driver = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
    if not program or not driver:
        raise UserError("no browser here: install chromium and chromedriver (Debian: chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in ("headless", "no-sandbox", "disable-gpu", "no-first-run", "disable-background-networking",
                     "disable-component-update", "disable-sync", "hide-scrollbars",
                     "host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"):  # fmt: skip
        options.add_argument(f"--{argument}")
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    try:
        yield browser
    finally:
        browser.quit()


def runs_page(browser: webdriver.Chrome, address: str) -> None:
    """Open the table of the runs of the sweep that was launched last, as `make ui` does."""
    resize(browser, 900)
    browser.get(f"{address}&workflowType=machine_learning")
    find(browser, "//*[contains(., 'seed=')]")
    close_sidebars(browser)
    for button in browser.find_elements(By.XPATH, "//button[.='Exit shared view']/following-sibling::button"):
        button.click()


def close_sidebars(browser: webdriver.Chrome) -> None:
    """Close the assistant at the side, which opens by itself at the first visit; an older MLflow has none."""
    for name in ("Close", "Toggle sidebar"):
        for button in browser.find_elements(By.CSS_SELECTOR, f"button[aria-label='{name}']"):
            button.click()


def compare_page(browser: webdriver.Chrome, address: str) -> None:
    """Open the page that the button *Compare* leads to, with our axes in its plot."""
    resize(browser, 900)
    browser.get(address)
    find(browser, "//button[.='Clear All']")
    find(browser, "//button[.='Clear All']").click()
    boxes = browser.find_elements(By.CSS_SELECTOR, "input[role=combobox]")
    for box, names in zip(boxes, (PARAMETERS, METRICS), strict=True):
        for name in names:
            box.send_keys(name)
            find(browser, f"//*[@role='option' or contains(@class, 'option')][contains(., '{name}')]")
            box.send_keys(Keys.ENTER)
        box.send_keys(Keys.ESCAPE)
    for name in (*PARAMETERS, *METRICS):
        find(browser, f"//*[name()='text'][contains(., '{name}')]")


def curves_page(browser: webdriver.Chrome, address: str) -> None:
    """Open the page that a metric's name there leads to: its curve in every run."""
    plot = {"metric": CURVE, "plot_metric_keys": [CURVE], "plot_layout": {"autosize": True}}
    keys = "".join(f"&{key}={quoted(value)}" for key, value in plot.items())
    browser.get(f"{address}{keys}&x_axis=step&y_axis_scale=linear&line_smoothness=1&show_point=true")
    find(browser, "//*[name()='path'][contains(@class, 'js-line')]")


def quoted(value: object) -> str:
    """JSON in an address."""
    return quote(json.dumps(value))


def find(browser: webdriver.Chrome, path: str) -> WebElement:
    """An element, as soon as it is there."""
    found: Sequence[WebElement] = WebDriverWait(browser, PATIENCE).until(
        lambda _: browser.find_elements(By.XPATH, path), f"nothing there is {path}"
    )
    return found[0]


def resize(browser: webdriver.Chrome, height: int) -> None:
    """Make the page WIDTH pixels wide."""
    size = {"width": WIDTH, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def save(browser: webdriver.Chrome, path: Path, height: int) -> None:
    """Write what the browser shows, once it has stopped changing."""
    resize(browser, height)
    browser.execute_script(AT_REST)
    browser.execute_cdp_cmd("Input.dispatchMouseEvent", {"type": "mouseMoved", "x": 1, "y": 1})  # over nothing
    before, after = b"", browser.get_screenshot_as_png()
    deadline = time.monotonic() + PATIENCE
    while before != after and time.monotonic() < deadline:
        time.sleep(0.7)
        before, after = after, browser.get_screenshot_as_png()
    Image.open(BytesIO(after)).convert("RGB").save(path, optimize=True)
    print(f"written to {path} ({path.stat().st_size / 1000:.0f} kB)")


if __name__ == "__main__":
    main()
