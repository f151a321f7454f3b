"""A browser for all tests of a process, and a page for each test."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

import httpguard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from selenium.webdriver import Chrome

    from httpguard._web import Page

# Without these Chromium looks for hosts of its maker, in a machine that has none.
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--lang=en",
    "--window-size=1280,1000",
)


# axe-core finds what keeps people out; it is under the Mozilla Public License 2.0.
AXE = "axe-core@4.14.1"


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The script of axe-core, from npm's registry."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip(f"npm is not installed, which would fetch {AXE}")
    folder = tmp_path_factory.mktemp("axe")
    done = subprocess.run(
        [npm, "pack", AXE, "--silent"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    packed = sorted(folder.glob("*.tgz"))
    if not packed:
        pytest.skip(f"npm cannot fetch {AXE}: {done.stderr.strip()[-200:]}")
    with tarfile.open(packed[0]) as package:
        script = package.extractfile("package/axe.min.js")
        assert script is not None
        return script.read().decode()


def missing() -> str:
    """What the tests need and is not there; empty if all is."""
    for program in ("chromium", "chromedriver"):
        if shutil.which(program) is None:
            return f"{program} is not installed (Debian: chromium, chromium-driver)"
    return ""


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chrome]:
    """The browser."""
    reason = missing()
    if reason:
        pytest.skip(reason)
    pytest.importorskip("selenium.webdriver")
    with chrome() as driver:
        yield driver


@contextmanager
def chrome() -> Iterator[Chrome]:
    """A browser, until it is no longer needed."""
    from selenium import webdriver as selenium
    from selenium.webdriver.chrome.service import Service

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = selenium.ChromeOptions()
        options.binary_location = shutil.which("chromium") or "chromium"
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        driver = selenium.Chrome(
            options=options, service=Service(shutil.which("chromedriver"))
        )
        try:
            yield driver
        finally:
            driver.quit()


@pytest.fixture
def page() -> Iterator[Page]:
    """The live page of this process."""
    with httpguard.serve() as served:
        yield served


@pytest.fixture
def browser(chromium: Chrome) -> Iterator[Browser]:
    """The browser on an empty page, as wide as a desk's, with system colours."""
    chromium.get("about:blank")
    chromium.get_log("browser")  # type: ignore[no-untyped-call]
    yield Browser(chromium)
    chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    chromium.get("about:blank")


class Browser:
    """What the tests ask of the browser."""

    def __init__(self, driver: Chrome) -> None:
        self.driver = driver

    def go(self, url: str) -> None:
        """Open a page and wait for its first state."""
        self.driver.get(url)
        self.wait("document.querySelector('#state').dataset.state !== 'wait'")

    def run(self, script: str, *arguments: Any) -> Any:
        """The value of an expression."""
        return self.driver.execute_script(f"return ({script})", *arguments)

    def wait(self, script: str, seconds: float = 60) -> Any:
        """Wait until an expression is true; its value."""
        from selenium.webdriver.support.ui import WebDriverWait

        return WebDriverWait(self.driver, seconds, 0.1).until(
            lambda _: self.run(script), f"never came true: {script}"
        )

    def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        from selenium.webdriver.common.action_chains import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()

    def click(self, selector: str) -> None:
        """Click on an element."""
        self.driver.find_element("css selector", selector).click()

    def texts(self, selector: str) -> list[str]:
        """What a person sees of the elements."""
        elements = self.driver.find_elements("css selector", selector)
        return [element.text for element in elements]

    def complaints(self) -> list[str]:
        """Errors and warnings of the console since the last time."""
        log = self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        return [entry["message"] for entry in log]

    def dark(self, dark: bool) -> None:  # noqa: FBT001  # Read as a sentence.
        """Let the system wish for dark or light."""
        feature = {
            "name": "prefers-color-scheme",
            "value": "dark" if dark else "light",
        }
        self.driver.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"features": [feature]}
        )

    def phone(self, width: int) -> None:
        """Be as wide as a phone."""
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": 800, "deviceScaleFactor": 2, "mobile": True},
        )
