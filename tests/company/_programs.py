"""Small programs that leak, and their innocent twins."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import requests
import urllib3

PATH: Final = "/bytes/90000"
STREAM: Final[dict[str, Any]] = {"preload_content": False}


def dropped_requests(url: str) -> object:
    return requests.get(url, stream=True).status_code  # LEAK dropped requests


def dropped_urllib3(url: str) -> object:
    manager = urllib3.PoolManager()
    return manager.urlopen("GET", url, **STREAM).status  # LEAK dropped urllib3


def held_requests(url: str) -> object:
    return requests.get(url, stream=True)  # LEAK held requests


def unreleased_urllib3(url: str) -> object:
    pool = blocking(url)
    with pool.urlopen("GET", PATH, **STREAM) as got:  # LEAK unreleased urllib3
        return got.status


def closed_requests(url: str) -> object:
    with requests.get(url, stream=True) as response:
        return response.status_code


def read_requests(url: str) -> object:
    with requests.Session() as session:
        return len(session.get(url, stream=True).content)


def plain_requests(url: str) -> object:
    return len(requests.get(url).content)


def redirected_requests(url: str) -> object:
    moved = url.replace("/bytes/90000", "/redirect/2")
    with requests.get(moved, stream=True) as response:
        return len(response.history), len(response.content)


def read_urllib3(url: str) -> object:
    pool = urllib3.PoolManager()
    return len(pool.request("GET", url, preload_content=False).read())


def plain_urllib3(url: str) -> object:
    return len(urllib3.PoolManager().request("GET", url).data)


def released_urllib3(url: str) -> object:
    pool = blocking(url)
    response = pool.request("GET", PATH, preload_content=False)
    response.close()
    response.release_conn()
    return pool


def blocking(url: str) -> urllib3.HTTPConnectionPool:
    parts = urlsplit(url)
    return urllib3.HTTPConnectionPool(parts.hostname or "", parts.port, block=True)


PROGRAMS: Final = (
    dropped_requests,
    dropped_urllib3,
    held_requests,
    unreleased_urllib3,
    closed_requests,
    read_requests,
    plain_requests,
    redirected_requests,
    read_urllib3,
    plain_urllib3,
    released_urllib3,
)


def due(clients: frozenset[str]) -> dict[str, int]:
    """The leaks of one run: ``kind:line`` to how many.

    Args:
        clients: Those whose responses hold a connection.
    """
    text = Path(__file__).read_text(encoding="utf-8")
    marks = [
        (re.search(r"# LEAK (\w+) (\w+)$", line), number)
        for number, line in enumerate(text.splitlines(), 1)
    ]
    return {
        f"{mark[1]}:{number}": 1
        for mark, number in marks
        if mark and mark[2] in clients
    }
