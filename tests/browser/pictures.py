"""Draws the pictures of README and the docs: ``python -m tests.browser.pictures``.

A shop whose lines leak runs in this process; Chromium photographs its live page, and
rich draws its first report as a terminal has it. With a directory, the page and the
page of `httpguard report` are photographed in all their forms, to be looked at.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import pty
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import urllib3

import httpguard
from httpguard._process import installing
from tests.browser.conftest import Browser, chrome
from tests.browser.shop import day
from tests.program import ROOT, run
from tests.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

IMAGES = ROOT / "docs" / "images"
WIDE = {"width": 1120, "height": 860, "deviceScaleFactor": 1, "mobile": False}
PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
COLUMNS = 100
# Left out: nothing is loaded from elsewhere.
FONTS = "@font-face"


def draw_report(path: Path) -> None:
    """The report of examples/script.py as SVG."""
    from rich.console import Console
    from rich.text import Text

    lines = _on_a_terminal("examples/script.py").splitlines()
    end = next(n for n, line in enumerate(lines) if "more:" in line)
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    site_packages = str(Path(httpguard.__file__).parents[1])
    for line in lines[: end + 1]:
        shown = line.replace(site_packages, "")
        head, found, tail = shown.partition("site-packages/")
        console.print(Text.from_ansi(f"    …/{tail}" if found else head))
    svg = console.export_svg(title="python examples/script.py")
    path.write_text(_without_fonts(svg), "utf-8")


def _on_a_terminal(program: str) -> str:
    """What a program writes to a terminal that is its standard error."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, COLUMNS, 0, 0))
    process = subprocess.Popen(
        [sys.executable, program],
        cwd=ROOT,
        env={**os.environ, "TERM": "xterm", "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    )
    os.close(theirs)
    said = b""
    # Linux says EIO when the other side is gone.
    with contextlib.suppress(OSError):
        while chunk := os.read(ours, 10_000):
            said += chunk
    os.close(ours)
    assert process.wait(60) == 0
    return said.decode()


def _without_fonts(svg: str) -> str:
    """Without typefaces that are fetched."""
    while FONTS in svg:
        begin = svg.index(FONTS)
        svg = svg[:begin] + svg[svg.index("}", begin) + 1 :].lstrip()
    return svg


@contextlib.contextmanager
def busy_page() -> Iterator[str]:
    """The live page of the shop."""
    now = [1000.0]
    installing.start(
        httpguard.Settings(max_idle=60, check_interval=0, max_sessions=3),
        lambda: now[0],
    )
    with Server() as server, httpguard.serve() as page:
        pool = urllib3.HTTPConnectionPool(
            server.host, server.port, maxsize=3, block=True
        )
        day.leak(server, pool)
        httpguard.check()
        now[0] += 61
        httpguard.check()
        with day.waiting(pool):
            _until_three_wait()
            now[0] += 6
            httpguard.check()
            yield page.url
    httpguard.uninstall()


def _until_three_wait() -> None:
    """Threads that have just begun get there by themselves."""
    while sum(pool.waiting for pool in httpguard.snapshot().pools) < 3:
        time.sleep(0.01)


def photograph(browser: Any, path: Path, size: dict[str, Any]) -> None:
    """What a screen of that size shows."""
    browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.driver.save_screenshot(str(path))


def main(folder: str = "") -> None:
    """Draw them."""
    # Sites are shown by their path from here.
    os.chdir(Path(__file__).parent)
    with chrome() as driver, busy_page() as url:
        browser = Browser(driver)
        browser.go(url)
        browser.wait("document.querySelector('#leaks-list details[open]')")
        if not folder:
            IMAGES.mkdir(exist_ok=True)
            photograph(browser, IMAGES / "page.png", WIDE)
            draw_report(IMAGES / "report.svg")
            return
        report = _report(Path(folder))
        for name, address in (("page", url), ("report", report)):
            driver.get(address)
            browser.wait("document.querySelector('details[open], h1')")
            for dark in (False, True):
                browser.dark(dark)
                for form, size in (("desktop", WIDE), ("phone", PHONE)):
                    kind = "dark" if dark else "light"
                    to = Path(folder) / f"{name}-{form}-{kind}.png"
                    photograph(browser, to, size)


def _report(folder: Path) -> str:
    """The page of a log, by its address."""
    with tempfile.TemporaryDirectory() as logs:
        log = day.write_log(Path(logs) / "leaks.jsonl")
        page = folder / "report.html"
        done = run("-m", "httpguard", "report", log, "--html", page, cwd=ROOT)
        assert done.returncode == 0, done.stderr
    return page.as_uri()


if __name__ == "__main__":
    main(*sys.argv[1:2])
