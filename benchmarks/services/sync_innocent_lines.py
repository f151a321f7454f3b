"""Lines that leak nothing, and lines at which something goes wrong that is handled."""

from __future__ import annotations

import contextlib
import http.client
import threading
from typing import TYPE_CHECKING, Final

import requests
import urllib3

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .sync_work import SyncWork

_PATIENCE: Final = 0.05


def read(work: SyncWork) -> None:
    assert len(work.session.get(work.url + "/bytes/2000").content) == 2000


def with_block(work: SyncWork) -> None:
    with work.session.get(work.stalled, stream=True) as response:
        assert response.raw.read(100)


def streamed(work: SyncWork) -> None:
    response = work.session.get(work.url + "/chunked", stream=True)
    assert sum(map(len, response.iter_content(30))) == 100


def preloaded(work: SyncWork) -> None:
    assert work.pools.request("GET", work.url + "/bytes/500").status == 200


def drained(work: SyncWork) -> None:
    pools = work.blocking
    response = pools.request("GET", work.url + "/bytes/500", preload_content=False)
    assert response.read(10)
    response.drain_conn()


def released(work: SyncWork) -> None:
    pools = work.pools
    response = pools.request("GET", work.url + "/chunked", preload_content=False)
    try:
        for _ in response.stream(40):
            pass
    finally:
        response.release_conn()


def head(work: SyncWork) -> None:
    assert work.session.head(work.url + "/bytes/5000").ok


def redirected(work: SyncWork) -> None:
    with work.session.get(work.url + "/redirect", stream=True) as response:
        assert response.history
        assert response.content


def retried(work: SyncWork) -> None:
    key = f"{threading.get_ident()}-{id(object())}"
    with work.retrying.get(f"{work.url}/flaky/{key}", stream=True) as response:
        assert response.content


def by_hand(work: SyncWork) -> None:
    connection = http.client.HTTPConnection(work.address)
    with contextlib.closing(connection):
        connection.request("GET", "/bytes/700")
        assert len(connection.getresponse().read()) == 700


def late(work: SyncWork) -> None:
    """Wait in a read for longer than anything may be idle."""
    with work.session.get(work.late, stream=True) as response:
        assert len(response.content) == 100


def timed_out(work: SyncWork) -> None:
    work.diary.injected("timeout in a body")
    with (
        contextlib.suppress(requests.RequestException),
        work.session.get(work.stalled, stream=True, timeout=_PATIENCE) as response,
    ):
        assert not response.content


def unanswered(work: SyncWork) -> None:
    work.diary.injected("timeout before an answer")
    with contextlib.suppress(requests.Timeout):
        work.session.get(work.url + "/silent", timeout=_PATIENCE)


def reset(work: SyncWork) -> None:
    work.diary.injected("reset in a body")
    with (
        contextlib.suppress(requests.RequestException),
        work.session.get(work.url + "/reset", stream=True) as response,
    ):
        assert not response.content


def refused(work: SyncWork) -> None:
    work.diary.injected("reset before an answer")
    with contextlib.suppress(urllib3.exceptions.MaxRetryError):
        work.pools.request("GET", work.url + "/refuse", retries=0)


def nameless(work: SyncWork) -> None:
    work.diary.injected("unknown host")
    with contextlib.suppress(requests.ConnectionError):
        work.session.get("http://soak.invalid/", stream=True)


def jump(work: SyncWork) -> None:
    work.diary.injected("jump of the clock")
    work.clock.jump()
    read(work)


INNOCENT: Final[Mapping[str, tuple[Callable[[SyncWork], None], int]]] = {
    "read": (read, 40),
    "with_block": (with_block, 15),
    "streamed": (streamed, 20),
    "preloaded": (preloaded, 30),
    "drained": (drained, 15),
    "released": (released, 15),
    "head": (head, 15),
    "redirected": (redirected, 10),
    "retried": (retried, 5),
    "by_hand": (by_hand, 15),
}
"""Each line, and how often a round has it."""
FAULTS: Final[Mapping[str, tuple[Callable[[SyncWork], None], int]]] = {
    "timed_out": (timed_out, 1),
    "unanswered": (unanswered, 1),
    "reset": (reset, 2),
    "refused": (refused, 1),
    "nameless": (nameless, 1),
    "jump": (jump, 1),
}
RARE: Final[Mapping[str, tuple[Callable[[SyncWork], None], int]]] = {"late": (late, 1)}
