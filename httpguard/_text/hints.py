"""One sentence for each leak: how to fix this one."""

from __future__ import annotations

from typing import Final

from .._model.leak import LeakKind

_HINTS: Final = {
    (LeakKind.DROPPED, "requests"): (
        "open it with `with requests.get(..., stream=True) as response:`, or read"
        " it to its end, before the last reference goes"
    ),
    (LeakKind.DROPPED, "urllib3"): (
        "read it to its end, or call `release_conn()` in a `finally:` (after"
        " `close()` where the rest of the body is not wanted)"
    ),
    (LeakKind.HELD, "requests"): (
        "call `close()` when done with it, or open it with `with`; if it is still"
        " needed, say so with `httpguard.touch(response)`"
    ),
    (LeakKind.HELD, "urllib3"): (
        "call `close()` and `release_conn()` when done with it; if it is still"
        " needed, say so with `httpguard.touch(response)`"
    ),
    (LeakKind.UNRELEASED, "requests"): (
        "close the requests response itself, not its `.raw`: only that gives the"
        " slot of a blocking pool back"
    ),
    (LeakKind.UNRELEASED, "urllib3"): (
        "call `release_conn()` after `close()`: closing alone, as `with` does,"
        " does not give the slot of a blocking pool back"
    ),
    (LeakKind.SESSION, "requests"): (
        "make one Session, use it for all requests, and close it at the end; or"
        " make it with `with requests.Session() as session:`"
    ),
    (LeakKind.SESSION, "urllib3"): (
        "make one PoolManager and use it for all requests; or make it with"
        " `with urllib3.PoolManager() as http:`, or call `clear()` at the end"
    ),
    (LeakKind.OPEN, "requests"): (
        "close it before the scope ends: `with requests.get(..., stream=True) as"
        " response:`"
    ),
    (LeakKind.OPEN, "urllib3"): (
        "read it to its end, or call `close()` and `release_conn()`, before the"
        " scope ends"
    ),
}


def hint_for(kind: LeakKind, client: str) -> str:
    """The fix for a kind of leak with one client."""
    return _HINTS[kind, client]
