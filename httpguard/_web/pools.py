"""Pools that are alike as one row, what hurts there now, and advice."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from .._model.kinds import CODES
from .._model.redaction import printable
from .._model.words import many
from .._pressure.shortage import describe_churn

if TYPE_CHECKING:
    from .._model.leak import Frame, LeakKind
    from .source import Source

# Fewer discarded connections, or a smaller share of the requests, are no matter.
_FEW: Final = 10
_SHARE: Final = 0.1
_MOST_ALERTS: Final = 10
_MOST_LINES: Final = 5
_SUMS: Final = (
    *("open", "lost", "in_use", "idle", "connected", "reused", "discarded"),
    *("waiting", "waited", "wait_total", "reclaimed"),
)
_HIGHEST: Final = ("peak", "wait_max")


def by_kind(pools: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Pools of one host and size that all block, or do not, as one row.

    A row has the fields of a pool, summed up, and ``count``, how many there are,
    ``size``, the connections that they keep together, and ``taken``: of these, what is
    in use or lost. Those that starve come first: where requests wait, then where slots
    are lost, then the fullest.
    """
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for pool in pools:
        key = pool["name"], pool["maxsize"], pool["block"]
        row = rows.setdefault(
            key,
            {**pool, **dict.fromkeys((*_SUMS, *_HIGHEST, "count", "size", "taken"), 0)},
        )
        for name in _SUMS:
            row[name] += pool[name]
        for name in _HIGHEST:
            row[name] = max(row[name], pool[name])
        row["count"] += 1
        row["size"] += pool["maxsize"]
        # A response that is open may be counted as lost already.
        taken = max(pool["in_use"] + pool["lost"], pool["open"])
        row["taken"] += min(taken, pool["maxsize"]) if pool["block"] else taken
    for row in rows.values():
        requests = row["connected"] + row["reused"]
        row["reuse_rate"] = round(row["reused"] / requests, 4) if requests else 0.0
    return sorted(
        rows.values(),
        key=lambda row: (-row["waiting"], -row["lost"], -row["taken"]),
    )


def advice(
    guard: Source | None, pools: list[dict[str, Any]], most: int
) -> list[dict[str, str]]:
    """Advice of this moment: pools that are too small, wasted sessions.

    The pools that are alike come as one row, as of `by_kind`.
    """
    rows = []
    for pool in pools:
        requests = pool["connected"] + pool["reused"]
        if pool["discarded"] >= max(_FEW, _SHARE * requests):
            text = (
                f"{many(pool['discarded'], 'connection')} discarded, since it keeps"
                f" {pool['maxsize']:,}; at most {pool['peak']:,} were in use at once"
            )
            hint = f"make it with maxsize={pool['peak']} (of an adapter: pool_maxsize)"
            rows.append(_row("pool_pressure", pool["name"], text, hint))
    if guard is not None:
        churn = guard.registry.sessions.churn
        origins = guard.registry.origins
        for wasted in churn.worth()[:most]:
            told = describe_churn(wasted, origins)
            site = told["site"]
            about = f"{site['filename']}:{site['lineno']} in {site['function']}"
            sessions = many(wasted.sessions, "session")
            text = f"{sessions} of {wasted.client} made and dropped"
            row = _row("session_churn", printable(about), text, told["hint"])
            rows.append(row)
    return rows[:most]


def _row(kind: str, about: str, text: str, hint: str) -> dict[str, str]:
    code = CODES[kind]
    return {"kind": kind, "code": code, "about": about, "text": text, "hint": hint}


def alerts(guard: Source | None) -> list[dict[str, Any]]:
    """Pools whose slots are lost, and who waits for them; the most waiting first.

    Those of one name and size are one row, with the lines that lost the most.
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
        empty = {"pool": pool.name, "waiting": 0, "lost": 0, "size": 0}
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
        :_MOST_ALERTS
    ]


def _shown(site: Frame) -> dict[str, Any]:
    shown = asdict(site)
    shown["filename"] = printable(site.filename)
    shown["function"] = printable(site.function)
    return shown
