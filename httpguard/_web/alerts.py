"""What hurts now: pools whose slots are lost, and who waits for them."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from .._model.redaction import printable

if TYPE_CHECKING:
    from .._model.leak import Frame, LeakKind
    from .source import Source

_MOST: Final = 10
_MOST_LINES: Final = 5


def alerts(guard: Source | None) -> list[dict[str, Any]]:
    """Pools of one name and size as one row, those where requests wait first.

    Args:
        guard: If there is one.

    Returns:
        A row has ``pool``, ``waiting``, ``lost``, ``size`` and ``lost_at``: ``kind``,
        ``site`` and ``count`` of the lines that lost the most.
    """
    if guard is None:
        return []
    rows: dict[tuple[str, int], dict[str, Any]] = {}
    lines: dict[tuple[str, int], Counter[tuple[LeakKind, Frame]]] = {}
    registry = guard.registry
    waiters = Counter(id(waiter.pool) for waiter in list(registry.waiters.values()))
    for pool in list(registry.pools.known.values()):
        waiting = waiters[id(pool)]
        if not waiting and not pool.losses.count:
            continue
        key = pool.name, pool.maxsize
        empty = {"pool": printable(pool.name), "waiting": 0, "lost": 0, "size": 0}
        row = rows.setdefault(key, empty)
        row["waiting"] += waiting
        row["lost"] += pool.losses.count
        row["size"] += pool.maxsize
        # Copied at once: a sweep in another thread may add to it.
        lines.setdefault(key, Counter()).update(dict(pool.losses.by_site))
    for key, row in rows.items():
        row["lost_at"] = [
            {"kind": kind.value, "site": _shown(site), "count": count}
            for (kind, site), count in lines[key].most_common(_MOST_LINES)
        ]
    return sorted(rows.values(), key=lambda row: (-row["waiting"], -row["lost"]))[
        :_MOST
    ]


def _shown(site: Frame) -> dict[str, Any]:
    shown = asdict(site)
    shown["filename"] = printable(site.filename)
    shown["function"] = printable(site.function)
    return shown
