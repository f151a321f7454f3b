"""What the page shows, as JSON: bounded in size, and made seldom."""

from __future__ import annotations

import threading
import time
import zlib
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final

from .._model.leak import Snapshot
from .._model.version import __version__
from .._process import process as _process
from . import figures
from .history import History
from .http import to_json
from .sites import by_site, with_sources

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._guard.guard import Guard

# Seconds for which one answer is good, at least and at most ...
_FRESH: Final = 1.0
_STALE: Final = 10.0
# ... and in between such that making them takes this share of one core, or that
# one where a leak waits to be seen.
_SHARE: Final = 1 / 200
_SHARE_FOR_NEWS: Final = 1 / 50
# Rows of each table, fewer where the answer would be larger than this.
_ROWS: Final = (100, 50, 20, 5, 1)
_MOST_BYTES: Final = 1_000_000
_SMALL: Final = 1400


@dataclass(frozen=True, slots=True)
class Document:
    """The JSON of one moment.

    Args:
        plain: As it is.
        packed: By gzip; None: too small to be worth it.
        tag: Its ETag.
    """

    plain: bytes
    packed: bytes | None
    tag: str


class View:
    """Makes the JSON, and keeps it for a second or more.

    Args:
        clock: Seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing made yet."""
        self.history = History(clock)
        self._clock = clock
        self._lock = threading.Lock()
        self._document: Document | None = None
        self._made = 0.0
        self._cost = 0.0
        self._guard: Guard | None = None
        self._total = 0
        # Tells the documents of one process from those of another.
        self._series = f"{time.time_ns():x}"
        self._number = 0

    def document(self) -> Document:
        """The present one, or the last one while that is good."""
        with self._lock:
            guard = _process.current()
            document = self._document
            if document is None or not self._is_good(guard):
                document = self._document = self._make(guard)
            return document

    def after_fork_in_child(self) -> None:
        """What is known is the parent's."""
        self._lock = threading.Lock()
        self._document = None
        self.history.clear()
        figures.program.cache_clear()

    def _is_good(self, guard: Guard | None) -> bool:
        """Whether the last document will do."""
        if guard is not self._guard:
            return False
        news = guard is not None and (
            bool(guard.registry.dead) or guard.detector.total != self._total
        )
        seconds = self._cost / (_SHARE_FOR_NEWS if news else _SHARE)
        return self._clock() - self._made < min(max(_FRESH, seconds), _STALE)

    def _make(self, guard: Guard | None) -> Document:
        """Make one, and note what it took."""
        begin = time.thread_time()
        plain = b"{}"
        for rows in _ROWS:
            plain = to_json(self._content(guard, rows))
            if len(plain) <= _MOST_BYTES:
                break
        packed = None if len(plain) < _SMALL else _gzip(plain)
        self._cost = time.thread_time() - begin
        self._made = self._clock()
        self._guard = guard
        self._total = 0 if guard is None else guard.detector.total
        self._number += 1
        return Document(plain, packed, f'"{self._series}-{self._number}"')

    def _content(self, guard: Guard | None, rows: int) -> dict[str, Any]:
        """Everything.

        Args:
            guard: None: not installed.
            rows: The most rows of each table.
        """
        snapshot = Snapshot() if guard is None else guard.snapshot(rows)
        sites = by_site(guard, rows)
        known = 0 if guard is None else len(guard.table.groups())
        content = snapshot.to_dict()
        for row in [*content["leaks"], *content["open"]]:
            with_sources(row)
        pools = sorted(
            content["pools"], key=lambda pool: (-pool["lost"], -pool["open"])
        )
        return {
            **content,
            "pools": pools[:rows],
            "schema": 1,
            "httpguard": __version__,
            "installed": guard is not None,
            "time": datetime.now(timezone.utc).isoformat(),
            "settings": _settings(guard),
            "program": figures.program(),
            "process": figures.figures(),
            "open_now": sites.open_now,
            "open_sites": sites.rows,
            "history": self.history.to_dict(),
            "left_out": {
                "leaks": max(known - len(snapshot.leaks), 0),
                "open": max(sites.open_now - len(snapshot.open), 0),
                "open_sites": sites.left_out,
                "pools": max(len(pools) - rows, 0),
            },
        }


def _settings(guard: Guard | None) -> dict[str, Any]:
    """The settings that help to read the page."""
    if guard is None:
        return {}
    chosen = guard.settings
    return {
        "strict": chosen.strict,
        "max_idle": chosen.max_idle,
        "max_open": chosen.max_open,
        "check_interval": chosen.check_interval,
        "sample": chosen.sample,
    }


def _gzip(data: bytes) -> bytes:
    """Packed, quickly."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    return packer.compress(data) + packer.flush()
