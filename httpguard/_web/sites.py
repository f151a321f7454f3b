"""Open responses by the line that opened them, and the source of stacks."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from .._leases.snapshots import bytes_read, describe_open
from .._model.leak import Frame
from .._model.redaction import MOST_SOURCE, printable, printable_within
from .._stacks.sites import find_site, source_line

if TYPE_CHECKING:
    from .._leases.lease import Lease
    from .source import Source

# Looked at for the table by site; of more, the oldest.
_MOST_LEASES: Final = 20_000
# The innermost frames of a stack; recursion makes longer ones.
_MOST_FRAMES: Final = 60
_OF_THE_OLDEST: Final = (
    *("site", "age", "method", "url", "pool", "client", "thread", "stack"),
    "frames_left_out",
)


@dataclass(slots=True)
class Sites:
    """The table by site, the most frequent first, and how much is open in all."""

    open_now: int = 0
    rows: list[dict[str, Any]] = field(default_factory=list)
    left_out: int = 0


class _Group:
    __slots__ = ("active", "allowed", "bytes_read", "count", "judged", "oldest")

    def __init__(self, lease: Lease) -> None:
        self.oldest = lease
        self.count = self.judged = self.allowed = self.bytes_read = 0
        self.active = lease.active

    def add(self, lease: Lease) -> None:
        self.count += 1
        self.judged += lease.kind is not None
        self.allowed += lease.scope is not None and lease.scope.allowed is not None
        self.bytes_read += bytes_read(lease)
        self.active = min(self.active, lease.active)


def by_site(guard: Source | None, most: int) -> Sites:
    """Group what is open by site. About 3 us for each open response."""
    if guard is None:
        return Sites()
    registry = guard.registry
    leases = registry.open_leases()
    groups: dict[Frame, _Group] = {}
    for lease in leases[:_MOST_LEASES]:
        site = find_site(lease.stack or (), registry.origins)
        group = groups.get(site)
        if group is None:
            group = groups[site] = _Group(lease)
        group.add(lease)
    ordered = sorted(groups.values(), key=lambda group: -group.count)
    return Sites(
        open_now=len(leases),
        rows=[_row(guard, group) for group in ordered[:most]],
        left_out=max(len(ordered) - most, 0),
    )


def _row(guard: Source, group: _Group) -> dict[str, Any]:
    registry = guard.registry
    now = registry.clock()
    (described,) = describe_open([group.oldest], registry.origins, now)
    oldest = with_sources(described.to_dict())
    return {
        **{name: oldest[name] for name in _OF_THE_OLDEST},
        "count": group.count,
        "judged": group.judged,
        "allowed": group.allowed,
        "bytes_read": group.bytes_read,
        "idle": round(max(now - group.active, 0.0), 3),
    }


def with_sources(row: dict[str, Any]) -> dict[str, Any]:
    row["frames_left_out"] = max(len(row["stack"]) - _MOST_FRAMES, 0)
    row["stack"] = row["stack"][-_MOST_FRAMES:]
    for frame in (*row["stack"], row["site"]):
        shown = _shown(frame["filename"], frame["lineno"], frame["function"])
        frame["filename"], frame["function"], frame["source"] = shown
        for mark in ("cut", "submitted", "awaited"):  # Most of many rows have none.
            if not frame[mark]:
                del frame[mark]
    return row


@lru_cache(maxsize=4096)
def _shown(filename: str, lineno: int, function: str) -> tuple[str, str, str]:
    source = source_line(Frame(filename, lineno, function))
    source = printable_within(source, MOST_SOURCE)
    return printable(filename), printable(function), source
