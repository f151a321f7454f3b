"""Connection pools that are alike, as one row."""

from __future__ import annotations

from typing import Any, Final

_SUMS: Final = (
    *("open", "lost", "in_use", "idle", "connected", "reused", "discarded"),
    *("waiting", "waited", "wait_total", "reclaimed"),
)
_HIGHEST: Final = ("peak", "wait_max")


def by_kind(pools: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Group pools by host, size and whether they block.

    Args:
        pools: As `PoolUse.to_dict` has them.

    Returns:
        A row has the fields of a pool, summed up, and ``count``, how many there are,
        ``size``, the connections that they keep together, and ``taken``: of these, what
        is in use or lost. Those that starve come first: where requests wait, then
        where slots are lost, then the fullest.
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
