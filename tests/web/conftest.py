"""A headless Chromium of one's own, and pages to open in it."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

for part in ("report", "benchmark"):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / part))

OPTIONS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --hide-scrollbars"
)


AXE_RUN = """
const done = arguments[arguments.length - 1];
const lines = (one) => one.nodes.map((node) => [one.impact, `${one.id}: ${node.html.slice(0, 200)}`]);
axe.run({ include: [["html"]], exclude: [[".plot > *"]] }, { resultTypes: ["violations"], preload: false })
  .then((found) => done(found.violations.flatMap(lines)));
"""


class Browser:
    """Chromium with one page open, and what its logs say."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(self, page: Path, *, width: int = 1280, dark: bool = False, scripts: bool = True) -> None:
        """Open a file under the given circumstances."""
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": [scheme]})
        self.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not scripts})
        self.driver.get(page.as_uri())

    def ask(self, expression: str) -> Any:
        """Return the value of a JavaScript expression; works where the page's own scripts are disabled."""
        reply = self.driver.execute_cdp_cmd("Runtime.evaluate", {"expression": expression, "returnByValue": True})
        assert "exceptionDetails" not in reply, reply
        return reply["result"].get("value")

    def settle(self) -> None:
        """Wait until what a change of the circumstances set off has been drawn."""
        frames = "requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(arguments[0], 0)))"
        self.driver.execute_async_script(frames)

    def barriers(self) -> list[str]:
        """Return what axe finds serious or critical, with the element; drawings of plotly are left out for their size.

        The page's policy lets in no script but its own; what comes through the driver is not the page's.
        """
        axe = pytest.importorskip("axe_playwright_python.base", reason="axe-playwright-python is not installed")
        self.driver.execute_script(axe.AXE_SCRIPT)
        self.driver.set_script_timeout(120)
        found = self.driver.execute_async_script(AXE_RUN)
        return [line for impact, line in found if impact in ("serious", "critical")]

    def complaints(self) -> list[str]:
        """Return console messages since the last call."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self) -> list[str]:
        """Return the addresses asked for since the last call."""
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        sent = [event for event in events if event["method"] == "Network.requestWillBeSent"]
        return [event["params"]["request"]["url"] for event in sent]


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Start Chromium once; skipped, visibly, where it is not installed."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    chromedriver = os.environ.get("CHROMEDRIVER") or shutil.which("chromedriver")
    if not chromium or not chromedriver:
        pytest.skip("chromium and chromedriver are needed (set CHROMIUM and CHROMEDRIVER to where they lie)")
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in (*OPTIONS.split(), f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(chromedriver))
    yield Browser(driver)
    driver.quit()


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Any], Path]:
    """Write a report under a name and return its path."""
    folder = tmp_path_factory.mktemp("pages")

    def write(name: str, report: Any) -> Path:
        path: Path = report.to_html(folder / f"{name}.html")
        return path

    return write
