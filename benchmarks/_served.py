"""A program with the live page, which does what it is told on standard input.

It prints the page's URL, and then answers ``cpu`` with the CPU seconds that it has
used, and ``leak N`` with the time of day at which it leaked at line N of a file.
"""

from __future__ import annotations

import sys
import time
from typing import Any, Final

import requests

import httpguard

_SITES: Final = 10
_OPEN: Final = 100


def main(url: str) -> None:
    """Leak at some sites, hold some responses open, serve the page, obey.

    Args:
        url: Of a server to ask.
    """
    httpguard.install()
    for site in range(_SITES):
        for _ in range(5):
            _leak(url, site + 1)
    held = [requests.get(url, stream=True) for _ in range(_OPEN)]
    page = httpguard.serve()
    print(page.url, flush=True)
    for command in sys.stdin:
        word, _, number = command.partition(" ")
        print(_leak(url, int(number)) if word == "leak" else time.process_time())
        sys.stdout.flush()
    for response in held:
        response.close()


def _leak(url: str, line: int) -> float:
    """Drop a response that was opened at a line; the time of day just after."""
    source = "\n" * (line - 1) + "get(url, stream=True)"
    names: dict[str, Any] = {"get": requests.get, "url": url}
    exec(compile(source, "leaking.py", "exec"), names)
    return time.time()


if __name__ == "__main__":
    main(sys.argv[1])
