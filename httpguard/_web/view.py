"""What the page shows, as JSON: bounded in size, and made seldom."""

from __future__ import annotations

import gzip
import threading
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final

from .._model.snapshot import Snapshot
from .._model.version import __version__
from .answer import to_json
from .history import History, about, figures
from .pools import advice, alerts, by_kind
from .sites import by_site, with_sources

if TYPE_CHECKING:
    from collections.abc import Callable

    from .source import Source

# Seconds for which one answer is good, at least and at most ...
_FRESH: Final = 1.0
_STALE: Final = 10.0
# ... and in between such that making them takes this share of one core, or that
# one where a leak waits to be seen.
_SHARE: Final = 1 / 200
_SHARE_FOR_NEWS: Final = 1 / 50
# Rows of each table, fewer where the answer would be larger than `most`.
_ROWS: Final = (100, 50, 20, 5, 1)
_MOST_BYTES: Final = 1_000_000
_SMALL: Final = 1400
_SHOWN: Final = ("strict", "max_idle", "max_open", "check_interval", "sample")


@dataclass(frozen=True, slots=True)
class Document:
    """The JSON of one moment: as it is, by gzip unless it is small, and its ETag."""

    plain: bytes
    packed: bytes | None
    tag: str


class View:
    """Makes the JSON, and keeps it for a second or more.

    Args:
        used: Seconds of processor time that this thread has used.
        most: Bytes of an answer.
    """

    def __init__(
        self,
        find: Callable[[], Source | None],
        clock: Callable[[], float] = time.monotonic,
        used: Callable[[], float] = time.thread_time,
        most: int = _MOST_BYTES,
    ) -> None:
        self.history = History(find, clock)
        self._find = find
        self._clock = clock
        self._used = used
        self._most = most
        self._lock = threading.Lock()
        self._document: Document | None = None
        self._made = self._cost = 0.0
        self._guard: Source | None = None
        self._total = 0
        # Tells the documents of one process from those of another.
        self._series = f"{time.time_ns():x}"
        self._number = 0

    def document(self) -> Document:
        with self._lock:
            guard = self._find()
            document = self._document
            if document is None or not self._is_good(guard):
                document = self._document = self._make(guard)
            return document

    def forget(self) -> None:
        """In a forked child: what is known is the parent's."""
        self._lock = threading.Lock()
        self._document = None
        self._series = f"{time.time_ns():x}"
        self.history.clear()

    def _is_good(self, guard: Source | None) -> bool:
        if guard is not self._guard:
            return False
        news = guard is not None and (
            bool(guard.registry.dead) or guard.table.total != self._total
        )
        seconds = self._cost / (_SHARE_FOR_NEWS if news else _SHARE)
        return self._clock() - self._made < min(max(_FRESH, seconds), _STALE)

    def _make(self, guard: Source | None) -> Document:
        begin = self._used()
        plain = b"{}"
        for rows in _ROWS:
            plain = to_json(self._content(guard, rows))
            if len(plain) <= self._most:
                break
        packed = None if len(plain) < _SMALL else gzip.compress(plain, 1)
        self._cost = self._used() - begin
        self._made = self._clock()
        self._guard = guard
        self._total = 0 if guard is None else guard.table.total
        self._number += 1
        return Document(plain, packed, f'"{self._series}-{self._number}"')

    def _content(self, guard: Source | None, rows: int) -> dict[str, Any]:
        self.history.sample()
        snapshot = Snapshot() if guard is None else guard.snapshot(rows)
        sites = by_site(guard, rows)
        known = len(guard.table.groups()) if guard else 0
        content = snapshot.to_dict()
        for row in [*content["leaks"], *content["open"]]:
            with_sources(row)
        pools = by_kind(content["pools"])
        return {
            **content,
            "pools": pools[:rows],
            "alerts": alerts(guard),
            "advice": advice(guard, pools, rows),
            "schema": 1,
            "httpguard": __version__,
            "installed": guard is not None,
            "time": datetime.now(timezone.utc).isoformat(),
            "settings": {name: getattr(guard.settings, name) for name in _SHOWN}
            if guard
            else {},
            "program": about(),
            "process": figures(),
            "open_now": sites.open_now,
            "open_sites": sites.rows,
            "sessions": _sessions(guard),
            "history": self.history.to_dict(),
            "left_out": {
                "leaks": max(known - len(snapshot.leaks), 0),
                "open": max(sites.open_now - len(snapshot.open), 0),
                "open_sites": sites.left_out,
                "pools": max(len(pools) - rows, 0),
            },
        }


def _sessions(guard: Source | None) -> int:
    if guard is None:
        return 0
    known = list(guard.registry.sessions.known.values())
    return sum(
        ref() is not None and any(pool() is not None for pool in list(ref.pools))
        for ref in known
    )
