"""Who waits for a pool that is starved, and who has it; who makes sessions for nothing.

Both as JSON-ready values.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from .._leases.lease import lease_of
from .._model.leak import LeakKind
from .._model.redaction import printable, printable_within, redact_url
from .._stacks.capture import capture
from .._stacks.running import innermost_frames
from .._stacks.sites import find_site, frame_at, symbolize
from .._stacks.variables import first_argument
from .._text.leaks import place

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import FrameType

    from .._leases.registry import Registry
    from .._leases.sessions import Wasted
    from .._model.leak import Frame
    from .._pools.pool import PoolRef
    from .._pools.waits import Share, Waiter
    from .._stacks.ownership import Origins
    from .._stacks.raw import RawStack

_MOST_THREADS: Final = 20


def describe_shortage(
    pool: PoolRef, registry: Registry, now: float, share: Share | None = None
) -> dict[str, Any]:
    """Who waits, and who holds each slot, as JSON-ready values.

    ``waiters``, ``holders`` (open responses), ``lost`` (leaks) and ``busy`` (requests
    under way) are by site; ``unknown`` counts the slots that none of them explains.
    ``streams``: these are of one HTTP/2 connection, ``maxsize`` of which the server
    allows at once.
    """
    waiters = [
        waiter
        for waiter in list(registry.waiters.values())
        if waiter.pool is pool
        and (share is None or (waiter.share and waiter.share.name == share.name))
    ]
    waiters.sort(key=lambda waiter: waiter.since)
    holders = _holders(pool, registry, now, share)
    under_way = in_flight(pool, registry, share)
    busy = Counter(find_site(stack, registry.origins) for stack in under_way)
    lost = [
        {"kind": kind.value, "site": asdict(site), "count": count}
        for (kind, site), count in pool.losses.by_site.most_common()
    ]
    most = (share or pool).maxsize
    streams = share is not None and share.streams
    known = sum(held["count"] for held in holders) + len(under_way) + pool.losses.count
    return {
        "pool": (share or pool).name,
        "maxsize": most,
        "streams": streams,
        "waiting": len(waiters),
        "longest_wait": round(now - waiters[0].since, 3) if waiters else 0.0,
        "waiters": _waiters(waiters, registry, now),
        "holders": holders,
        "lost": lost,
        "lost_slots": pool.losses.count,
        "busy": [
            {"site": asdict(site), "count": count} for site, count in busy.most_common()
        ],
        "unknown": max(most - known, 0),
        "hint": _hint(pool, holders, streams=streams),
    }


def _waiters(
    waiters: Iterable[Waiter], registry: Registry, now: float
) -> list[dict[str, Any]]:
    """Those that wait, by site, the longest wait first."""
    groups: dict[Frame, list[Waiter]] = {}
    for waiter in waiters:
        groups.setdefault(find_site(waiter.stack, registry.origins), []).append(waiter)
    return [
        {
            "site": asdict(site),
            "count": len(group),
            "longest": round(now - group[0].since, 3),
            "longer": any(waiter.longer for waiter in group),
            "threads": [printable_within(w.thread) for w in group[:_MOST_THREADS]],
        }
        for site, group in groups.items()
    ]


def _holders(
    pool: PoolRef, registry: Registry, now: float, share: Share | None
) -> list[dict[str, Any]]:
    """The open responses of a pool, by site, the largest group first.

    With the `culprit`, where that is a library which asks again before it closes one.
    """
    groups: dict[Frame, dict[str, Any]] = {}
    for lease in registry.open_leases():
        if lease.pool is not pool or lease.lost:
            continue
        if share and not share.covers(None if lease.slot is None else lease.slot()):
            continue
        site = find_site(lease.stack or (), registry.origins)
        # The oldest comes first.
        group = groups.setdefault(
            site,
            {
                "site": asdict(site),
                "count": 0,
                "oldest": round(now - lease.opened, 3),
                "method": printable(lease.method),
                "url": redact_url(lease.absolute_url),
            },
        )
        group["count"] += 1
        if lease.lost_in:
            group["culprit"] = asdict(frame_at(lease.lost_in, registry.origins))
    return sorted(groups.values(), key=lambda group: -group["count"])


def _hint(pool: PoolRef, holders: list[dict[str, Any]], *, streams: bool) -> str:
    if streams:
        return (
            "close or read the responses at these lines: no timeout counts for the wait"
            " for a stream"
        ) + (
            "; until then `httpguard.install(reclaim=True)` gives lost streams back"
            if pool.losses.count
            else ""
        )
    if pool.losses.count:
        # To close a response has lost some.
        closed = any(kind is LeakKind.UNRELEASED for kind, _ in pool.losses.by_site)
        mend = "do as the leaks' own reports say"
        return (
            f"{mend if closed else 'close or read the responses'} at the lines that"
            " lost slots;"
            " until then `httpguard.install(reclaim=True)` gives such slots back"
        )
    culprits = [one["culprit"] for one in holders if "culprit" in one]
    if culprits:
        return (
            f"`{culprits[0]['function']}` should read or close a response before it"
            " asks again; the line that asked has nothing to close. Until it does, make"
            " the pool larger, or turn its retries off"
        )
    if holders:
        return (
            "read or close the open responses before asking for more, or make the"
            " pool as large as the number of them that is needed at once"
        )
    return (
        "make the pool as large as the number of threads or tasks that share it"
        " (`pool_maxsize` of requests' HTTPAdapter, `maxsize` of urllib3,"
        " `max_connections` of httpx's Limits, `limit` and `limit_per_host` of"
        " aiohttp's TCPConnector)"
    )


def in_flight(
    known: PoolRef, registry: Registry, share: Share | None = None
) -> list[RawStack]:
    """The stacks of requests being made that hold a connection and have no lease.

    They send, wait for the answer, or requests reads the body for them. Costs about
    20 us a thread, and under gevent a walk over all objects.
    """
    pool = known()
    if pool is None:
        return []
    found = [
        stack
        for connection, stack in known.ask.under_way(pool)
        if share is None or share.covers(connection)
    ]
    del pool
    # Whoever takes a connection has none yet.
    taking = {
        (id(waiter.stack[0]), waiter.stack[1])
        for waiter in list(registry.waiters.values())
    }
    tops = innermost_frames(here=False)
    while tops:
        frame = _request(tops.pop(), known, registry.origins, taking)
        if frame is not None:
            found.append(capture(frame, registry.depth, registry.origins))
        del frame
    return found


def _request(
    frame: FrameType | None,
    known: PoolRef,
    origins: Origins,
    taking: set[tuple[int, Any]],
) -> FrameType | None:
    """The innermost frame of a stack that works with a connection of the pool."""
    pool = known()
    while frame is not None:
        code = frame.f_code
        if (id(code), frame.f_lasti) in taking:
            return None
        if origins.packages[code.co_filename] is not None:
            owner = first_argument(frame)
            if known.ask.is_request(pool, owner, code.co_name) and not lease_of(owner):
                return frame
        frame = frame.f_back
    return None


def describe_churn(wasted: Wasted, origins: Origins) -> dict[str, Any]:
    """How many sessions a line has made, and what one shared session would save.

    JSON-ready values. ``maker`` is the innermost frame, a library's where one has made
    the sessions, and ``site`` the application's line that called it.
    """
    frames = symbolize(wasted.stack, origins)
    site = find_site(wasted.stack, origins)
    maker = frames[-1] if frames else site
    hint = (
        f"one session for all {wasted.sessions:,} would have saved"
        f" {wasted.saved:,} connects: make it once, and use it for all requests"
    )
    if maker != site:
        hint += f"; they are made at {place(maker)}"
    return {
        "site": asdict(site),
        "maker": asdict(maker),
        "client": wasted.client,
        "sessions": wasted.sessions,
        "connects": wasted.connects,
        "saved": wasted.saved,
        "hosts": sorted(wasted.hosts)[:5],
        "hint": printable(hint),
    }
