"""Lines that leak, through requests, urllib3, http.client and urllib.request."""

from __future__ import annotations

import contextlib
import gc
import http.client
import threading
import urllib.request
from typing import TYPE_CHECKING, Any, Final

import requests

import httpguard

from .settings import MAX_SESSIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from .sync_work import SyncWork

_CROWD: Final = MAX_SESSIONS + 2


def status_only(work: SyncWork) -> None:
    get, url = work.session.get, work.stalled
    response = get(url, stream=True)  # leaks: dropped status_only
    work.diary.leaked("status_only")
    response.raise_for_status()


def first_bytes(work: SyncWork) -> None:
    ask, url = work.pools.request, work.stalled
    response = ask("GET", url, preload_content=False)  # leaks: dropped first_bytes
    work.diary.leaked("first_bytes")
    response.read(10)


def raised(work: SyncWork) -> None:
    with contextlib.suppress(ValueError):
        _parse(work)


def _parse(work: SyncWork) -> None:
    response = work.session.get(work.stalled, stream=True)  # leaks: dropped raised
    work.diary.leaked("raised")
    int(response.raw.read(10))


def in_a_cycle(work: SyncWork) -> None:
    _tie(work)
    # Else it would be held, where the collector takes its time.
    gc.collect()


def _tie(work: SyncWork) -> None:
    connection = http.client.HTTPConnection(work.address)
    connection.request("GET", "/stall")
    response: Any = connection.getresponse()  # leaks: dropped in_a_cycle
    response.knot = [response]
    work.diary.leaked("in_a_cycle")


def parked(work: SyncWork) -> None:
    response = urllib.request.urlopen(work.stalled)  # leaks: held parked
    work.shelf.put("parked", response.close)


def half_read(work: SyncWork) -> None:
    ask, url = work.pools.request, work.stalled
    response = ask("GET", url, preload_content=False)  # leaks: held half_read
    response.read(500)
    work.shelf.put("half_read", response.close)


def suspended(work: SyncWork) -> None:
    parts = _parts(work)
    next(parts)
    work.shelf.put("suspended", parts.close)


def _parts(work: SyncWork) -> Generator[bytes, None, None]:
    get, url = work.session.get, work.stalled
    with get(url, stream=True) as response:  # leaks: held suspended
        yield from response.iter_content(100)


def closed_unread(work: SyncWork) -> None:
    ask, url = work.blocking.request, work.stalled
    response = ask("GET", url, preload_content=False)  # leaks: unreleased closed_unread
    with response:
        work.diary.leaked("closed_unread")
        response.read(10)


def left_open(work: SyncWork) -> None:
    get, url = work.session.get, work.stalled
    with contextlib.suppress(httpguard.LeakError), httpguard.no_leaks():
        response = get(url, stream=True)  # leaks: open left_open
        work.diary.leaked("left_open")
    work.diary.resolved("left_open")
    response.close()


def sessions(work: SyncWork) -> None:
    # One crowd at a time, made by a thread that ends: those of live threads may be.
    if work.shelf.reserve("sessions"):
        thread = threading.Thread(target=_crowd, args=(work,))
        thread.start()
        thread.join()


def _crowd(work: SyncWork) -> None:
    made = []
    for _ in range(_CROWD):
        session = requests.Session()  # leaks: session sessions
        session.get(work.url + "/bytes/10")
        made.append(session)

    def close() -> None:
        while made:
            made.pop().close()

    work.shelf.put("sessions", close, _CROWD - MAX_SESSIONS)


LEAKS: Final[Mapping[str, tuple[Callable[[SyncWork], None], int]]] = {
    "status_only": (status_only, 2),
    "first_bytes": (first_bytes, 2),
    "raised": (raised, 1),
    "in_a_cycle": (in_a_cycle, 1),
    "parked": (parked, 1),
    "half_read": (half_read, 1),
    "suspended": (suspended, 1),
    "closed_unread": (closed_unread, 2),
    "left_open": (left_open, 1),
    "sessions": (sessions, 1),
}
"""Each line, and how often a round has it."""
