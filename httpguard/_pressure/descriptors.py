"""The process's file descriptors: how users meet this bug."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import threading
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

try:
    # Now: it is a file, and none can be opened when this is needed.
    import resource
except ImportError:  # Windows.
    resource = None  # type: ignore[assignment]

from .._stacks.sites import find_site

if TYPE_CHECKING:
    from .._leases.registry import Registry

_SHARE: Final = 0.8
# Said once, and again when it has been below this share, or a minute later.
_CALM: Final = 0.7
_MINUTE: Final = 60.0
_MOST_SITES: Final = 10
# Of the requests that open a connection, one of so many looks, and more often where
# the limit is below 256: no more than a third of what is left may go unseen.
_EVERY: Final = 16
# As it was before anybody watched it: blockbuster, which tests of asyncio use, raises
# where this is called from a loop.
_listdir: Final = os.listdir
_HINT: Final = (
    "close the responses and sessions at these lines; sockets in CLOSE_WAIT are"
    " those that the server has closed and the program has not"
)


class Descriptors:
    """Tells when the process comes near its limit of open files."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._said: float | None = None
        # Of the requests that open a connection, every so many-th looks.
        self.glances = itertools.count(1)
        self.every = 1

    def look(self, now: float) -> dict[str, Any] | None:
        """What to report if more than 80 % of the descriptors are in use.

        A few microseconds, and one more for each ten descriptors.
        """
        limit = limit_of_descriptors()
        count = None if limit is None else count_descriptors(limit)
        if limit is None or count is None:
            return None
        self.every = min(max(limit // _EVERY, 1), _EVERY)
        if count < limit * _CALM:
            self._said = None
        if count <= limit * _SHARE:
            return None
        if self._said is not None and now - self._said < _MINUTE:
            return None
        self._said = now
        # First: what follows takes its time.
        suspects = _suspects(self._registry)
        return {
            "descriptors": count,
            "limit": limit,
            "threads": threading.active_count(),
            "sockets": sockets_by_state(),
            **suspects,
            "hint": _HINT,
        }


def limit_of_descriptors() -> int | None:
    """How many files the process may have open; None: not known, or no limit."""
    if resource is None:
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft


def count_descriptors(limit: int) -> int | None:
    """How many files the process has open; the limit where it cannot look."""
    try:
        # The look itself has one open.
        return len(_listdir("/dev/fd")) - 1
    except OSError as error:
        return limit if error.errno == errno.EMFILE else None


def sockets_by_state() -> dict[str, int]:
    """The process's sockets by state; empty where psutil is not installed."""
    with contextlib.suppress(Exception):
        import psutil

        process = psutil.Process()
        # The older name goes with psutil 7.
        listed = getattr(process, "net_connections", None) or process.connections
        return dict(Counter(socket.status for socket in listed()).most_common())
    return {}


def _suspects(registry: Registry) -> dict[str, Any]:
    """Open responses and sessions by site, the largest groups first."""
    responses = Counter(
        find_site(lease.stack or (), registry.origins)
        for lease in registry.open_leases()
    )
    sessions: Counter[Any] = Counter()
    # Closed and collected ones too, where something keeps their pools.
    for line in list(registry.sessions.lines.values()):
        for session in list(line.values()):
            site = find_site(session.stack or (), registry.origins)
            sessions[site] += sum(one.idle + one.in_use for one in list(session.pools))
    return {
        "responses": [
            {"site": asdict(site), "count": count}
            for site, count in responses.most_common(_MOST_SITES)
        ],
        "sessions": [
            {"site": asdict(site), "sockets": count}
            for site, count in sessions.most_common(_MOST_SITES)
        ],
    }
