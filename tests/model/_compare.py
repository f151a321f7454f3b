"""Whether the guard says what the ledger says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from ._sites import SITES

if TYPE_CHECKING:
    from httpguard import Leak, OpenResponse, Snapshot

    from ._ledger import Entry, Ledger

_COUNTERS: Final = (
    "opened",
    "dropped",
    "held",
    "unreleased",
    "open",
    "resolved",
    "excused",
    "too_many_open",
    "errors",
)
# Whether a body was at its end as it was closed is not the model's to know.
_WELL: Final = ("released", "closed")
_SITES: Final = {
    (site.filename, site.line, site.name, site.library): site.name
    for site in SITES.values()
}

_JUDGED_ALIVE: Final = frozenset({"held", "open"})

Facts = Mapping[str, object]


def differences(snapshot: Snapshot, ledger: Ledger) -> list[str]:
    """What the two do not agree in, a line each; empty if in nothing."""
    return _unlike(_said(snapshot), _due(ledger)) + _unlikely(snapshot, ledger)


def unlike_raised(leaks: Iterable[Leak], due: Mapping[str, int]) -> list[str]:
    """The same of what a `LeakError` carries, by kind and site."""
    said = {f"{leak.kind} {_site(leak)}": leak.count for leak in leaks}
    return [f"raised {line}" for line in _unlike(said, due)]


def _unlike(said: Facts, due: Facts) -> list[str]:
    """The facts that are in one only, or not the same in both."""
    return [
        f"{name}: the guard says {said.get(name)}, the model {due.get(name)}"
        for name in dict.fromkeys([*said, *due])
        if said.get(name) != due.get(name)
    ]


def _said(snapshot: Snapshot) -> Facts:
    """What a snapshot says."""
    facts: dict[str, object] = {
        name: snapshot.counters[name] for name in _COUNTERS if snapshot.counters[name]
    }
    facts["ended well"] = sum(snapshot.counters[name] for name in _WELL)
    for leak in snapshot.leaks:
        facts[f"{leak.kind} {_site(leak)}"] = (leak.count, leak.resolved)
    facts["listed"] = [_open_said(response) for response in snapshot.open]
    uses = ((use.block, use.open, use.lost) for use in snapshot.pools)
    facts["pools"] = sorted(use for use in uses if any(use[1:]))
    return facts


def _due(ledger: Ledger) -> Facts:
    """What it has to say."""
    facts: dict[str, object] = {
        k: v for k, v in ledger.counters.items() if v and k not in _WELL
    }
    facts["ended well"] = sum(ledger.counters[name] for name in _WELL)
    for (kind, site), entries in ledger.leaks.items():
        key = f"{kind} {site.name}"
        facts[key] = (len(entries), ledger.resolved[kind, site])
    facts["listed"] = [_open_due(entry, ledger.now) for entry in ledger.listed()]
    facts["pools"] = _pools(ledger)
    return facts


def _open_said(response: OpenResponse) -> tuple[object, ...]:
    """An open response as the guard shows it."""
    path = urlsplit(response.url).path
    return (
        _site(response),
        path,
        response.thread,
        response.allowed,
        response.age,
        response.idle,
        None if _is_chunked(path) else response.bytes_read,
    )


def _open_due(entry: Entry, now: float) -> tuple[object, ...]:
    """The same as the ledger has it."""
    response = entry.ref()
    return (
        entry.site.name,
        entry.path,
        entry.thread,
        entry.reason,
        now - entry.opened,
        now - entry.active,
        None if _is_chunked(entry.path) or response is None else response.tell(),
    )


def _is_chunked(path: str) -> bool:
    """Whether urllib3's own count of its bytes is wrong."""
    return path.startswith("/chunked")


def _pools(ledger: Ledger) -> list[tuple[bool, int, int]]:
    """Each pool in use: blocking or not, what is open, slots lost."""
    uses: dict[int, list[Entry]] = {}
    for entry in ledger.entries:
        pool = entry.pool()
        if pool is not None:
            uses.setdefault(id(pool), []).append(entry)
    listed = ledger.listed()
    rows = [
        (
            entries[0].block,
            sum(entry in listed for entry in entries),
            sum(entry.lost for entry in entries),
        )
        for entries in uses.values()
    ]
    return sorted(row for row in rows if any(row[1:]))


def _unlikely(snapshot: Snapshot, ledger: Ledger) -> list[str]:
    """Leaks whose latest response is none of those that leaked there."""
    found = []
    for leak in snapshot.leaks:
        # What was collected is judged some time after.
        age = leak.age if leak.kind in _JUDGED_ALIVE else None
        latest = (urlsplit(leak.url).path, leak.thread, age)
        if latest not in _leaked(ledger, str(leak.kind), _site(leak)):
            found.append(f"{leak.kind} {_site(leak)}: {latest} did not leak")
    return found


def _leaked(ledger: Ledger, kind: str, name: str) -> set[tuple[object, ...]]:
    """The responses that leaked in a way at a site."""
    return {
        (entry.path, entry.thread, entry.age if kind in _JUDGED_ALIVE else None)
        for (known, site), entries in ledger.leaks.items()
        for entry in entries
        if (known, site.name) == (kind, name)
    }


def _site(said: Leak | OpenResponse) -> Any:
    """The name of the line it was opened at, where that is one of ours."""
    frame = said.site
    key = (frame.filename, frame.lineno, frame.function, said.client)
    return _SITES.get(key, key)
