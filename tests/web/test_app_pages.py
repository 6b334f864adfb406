"""The app in a real browser, from a file to the report, with the real work in between."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from twinseq.datasets import simulate_cohort

pytest.importorskip("starlette", reason="twinseq[app] is not installed")
PATIENCE = 600


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path, subprocess.Popen[str]]]:
    folder = tmp_path_factory.mktemp("serve")
    words = [sys.executable, "-m", "twinseq", "serve", "--no-browser", "--folder", str(folder)]
    own = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=own) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:")
        yield address, folder, process
        process.kill()


@pytest.fixture(scope="module")
def cohort_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cohort") / "cohort.h5ad"
    adata = simulate_cohort(36, 36, 60, seed=0).adata.copy()
    adata.obs["<img src=x onerror=alert(1)>"] = ["<b>a</b>", "b"] * 36
    adata.write_h5ad(path)
    return path


def press(browser: Any, words: str) -> None:
    for button in browser.driver.find_elements("css selector", "button, a"):
        if button.text.strip() == words:
            button.click()
            return
    raise AssertionError(f"no '{words}' on {browser.driver.page_source}")


def heading(browser: Any) -> str:
    return str(browser.ask("document.querySelector('h1')?.textContent"))


def reach(browser: Any, words: str) -> None:
    """Wait for the page whose heading has these words."""
    until = time.monotonic() + PATIENCE
    while words not in heading(browser):
        assert time.monotonic() < until, browser.driver.page_source
        time.sleep(0.2)


def narrow(browser: Any, dark: bool = False) -> bool:
    """Return whether the page keeps to a telephone's width."""
    size = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.settle()
    fits = browser.ask("document.documentElement.scrollWidth <= 390")
    size = {"width": 1280, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    return bool(fits)


def test_from_a_file_to_the_report(server: Any, cohort_file: Path, browser: Any):
    address, *_ = server
    driver = browser.driver
    browser.complaints(), browser.requests()
    driver.get(address)
    reach(browser, "Choose a cohort")
    assert narrow(browser)
    assert browser.barriers() == []
    driver.find_element("id", "cohort").send_keys(str(cohort_file))
    press(browser, "Continue")
    reach(browser, "What the columns mean")
    assert narrow(browser)
    assert not driver.find_elements("css selector", "main img, main b"), "a name from the data became a tag"
    assert not driver.find_element("id", "epsilon").is_displayed()
    driver.find_element("css selector", "input[value=dp]").click()
    assert driver.find_element("id", "epsilon").is_displayed()
    assert browser.barriers() == []
    driver.find_element("css selector", "#label option[value=condition]").click()
    driver.find_element("css selector", "input[value=faithful]").click()
    driver.find_element("css selector", "summary").click()
    driver.find_element("id", "splits").clear()
    driver.find_element("id", "splits").send_keys("1")
    press(browser, "Make the twin")
    reach(browser, "being made")
    assert narrow(browser)
    assert browser.barriers() == []
    reach(browser, "The twin of")
    verdict = driver.find_element("css selector", ".verdict h2").text
    assert any(word in verdict for word in ("Fail", "Inconclusive")), verdict
    assert narrow(browser)
    assert browser.barriers() == []
    driver.find_element("css selector", "summary").click()
    names = [link.text for link in driver.find_elements("css selector", ".files a")]
    assert "twin.h5ad" in names
    assert {"report.html", "metrics.json"} <= set(names)
    driver.get(f"{address}result/report.html")
    assert driver.find_elements("css selector", "h1")
    browser.settle()
    assert all(url.startswith((address, "data:", "blob:", "about:")) for url in browser.requests())
    assert browser.complaints() == []


def test_all_is_deleted_at_the_end(server: Any):
    _, folder, process = server
    assert list(folder.iterdir())
    process.send_signal(signal.SIGINT)
    process.wait(60)
    assert not list(folder.iterdir())
