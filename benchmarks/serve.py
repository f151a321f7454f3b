"""What the live page costs the program, and how soon a leak is on it.

The program holds 100 responses open and has leaked at 10 sites. Clients poll as the
page's script does: every two seconds, over one connection each, with the tag of the
last answer, and here all of them at the same moment. The program's CPU time is its
own count of it. How soon a leak is shown is seen by Chromium (it and chromedriver
have to be installed, and selenium), on the clock that the program has too.

Run: ``python -m benchmarks.serve [--quick] [--json FILE]``
"""

from __future__ import annotations

import contextlib
import http.client
import random
import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from rich.table import Table

from ._loopback import loopback_server
from ._output import console, parser, progress, write

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_EVERY: Final = 2.0
_CLIENTS: Final = (0, 1, 10, 100)
_FIRST_LINE: Final = 1000
# Puts down when each line of the list of leaks came.
_WATCH: Final = """
window.seen = {};
new MutationObserver(() => {
  for (const site of document.querySelectorAll("#leaks-list .site")) {
    const line = site.textContent.match(/:([0-9]+) /)[1];
    window.seen[line] ??= Date.now() / 1000;
  }
}).observe(document.querySelector("#leaks-list"), {childList: true, subtree: true});
"""


class Program:
    """The program that is watched.

    Args:
        process: It.
        url: Of its page.
    """

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        """It has said where its page is."""
        self._process = process
        self.url = url

    def ask(self, command: str) -> float:
        """Have something done; the number that it answers."""
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("a program without pipes")
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and write.

    Args:
        arguments: Of the command line.
    """
    line = parser(__doc__)
    line.add_argument("--only", choices=("cost", "delay"), help="one of the two")
    options = line.parse_args(arguments)
    rounds, leaks = (5, 10) if options.quick else (30, 100)
    written: dict[str, Any] = {}
    with loopback_server() as url:
        if options.only != "delay":
            written["share of a core"] = _cost(url, rounds)
        if options.only != "cost":
            written["seconds to the page"] = _delay(url, leaks)
    write(options.json, written)


def _cost(url: str, rounds: int) -> dict[int, float]:
    """Measure and print what polling costs the program.

    Args:
        url: Of a server to ask.
        rounds: How often each client polls.
    """
    total = rounds * len(_CLIENTS)
    with _program(url) as program, progress("polls", total) as advance:
        shares = {
            clients: _share(program, clients, rounds, advance) for clients in _CLIENTS
        }
    console.print(_table(shares))
    return shares


def _delay(url: str, leaks: int) -> list[float]:
    """Measure and print how soon a leak is on the page.

    Args:
        url: Of a server to ask.
        leaks: How many.
    """
    with _program(url) as program, progress("leaks", leaks) as advance:
        delays = sorted(_delays(program, leaks, advance))
    console.print(
        "From a leak to its line on the page, s:"
        f" median {statistics.median(delays):.2f},"
        f" 95 % under {delays[int(len(delays) * 0.95)]:.2f},"
        f" all under {delays[-1]:.2f}"
    )
    return delays


@contextlib.contextmanager
def _program(url: str) -> Iterator[Program]:
    """The program, for the time of the ``with`` block."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks._served", url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("a program without pipes")
        try:
            yield Program(process, process.stdout.readline().strip())
        finally:
            process.stdin.close()


def _share(program: Program, clients: int, rounds: int, advance: Any) -> float:
    """The share of a core that the program uses while it is polled.

    Args:
        program: It does nothing else.
        clients: How many poll.
        rounds: How often each does.
        advance: Called for each round.
    """
    parts = urlsplit(program.url)
    connections = [
        http.client.HTTPConnection(parts.hostname or "", parts.port)
        for _ in range(clients)
    ]
    tags = dict.fromkeys(connections, "")
    _poll(tags)
    begin, used = time.monotonic(), program.ask("cpu")
    for turn in range(rounds):
        time.sleep(max(begin + (turn + 1) * _EVERY - time.monotonic(), 0))
        _poll(tags)
        advance()
    share = (program.ask("cpu") - used) / (time.monotonic() - begin)
    for connection in connections:
        connection.close()
    return share


def _poll(tags: dict[http.client.HTTPConnection, str]) -> None:
    """Every client asks, and then every one takes its answer."""
    for connection, tag in tags.items():
        headers = {"Accept-Encoding": "gzip, deflate, br", "If-None-Match": tag}
        connection.request("GET", "/api/snapshot", headers=headers)
    for connection in tags:
        answer = connection.getresponse()
        answer.read()
        tags[connection] = answer.getheader("ETag", "")


def _delays(program: Program, leaks: int, advance: Any) -> Iterator[float]:
    """Seconds from a leak to its line on the page, at random moments of its rhythm.

    Args:
        program: It leaks when told.
        leaks: How many.
        advance: Called for each.
    """
    chance = random.Random(0)
    with _browser() as driver:
        driver.get(program.url)
        driver.execute_script(_WATCH)
        for line in range(_FIRST_LINE, _FIRST_LINE + leaks):
            time.sleep(chance.uniform(0, _EVERY))
            leaked = program.ask(f"leak {line}")
            seen = None
            while seen is None:
                time.sleep(0.1)
                seen = driver.execute_script(f"return window.seen[{line}]")
            yield seen - leaked
            advance()


@contextlib.contextmanager
def _browser() -> Iterator[Any]:
    """Chromium on no screen."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    for flag in (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
    ):
        options.add_argument(flag)
    options.binary_location = "/usr/bin/chromium"
    driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
    try:
        yield driver
    finally:
        driver.quit()


def _table(shares: dict[int, float]) -> Table:
    """What is printed."""
    shown = Table(title="CPU time of the program, % of a core", title_justify="left")
    shown.add_column("clients polling every 2 s", justify="right")
    shown.add_column("%", justify="right")
    for clients, share in shares.items():
        shown.add_row(str(clients), f"{share * 100:.2f}")
    return shown


if __name__ == "__main__":
    main()
