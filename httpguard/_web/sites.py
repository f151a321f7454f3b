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


def by_site(guard: Source | None, most: int) -> Sites:
    """Group what is open by site."""
    if guard is None:
        return Sites()
    registry = guard.registry
    leases = registry.open_leases()
    groups: dict[Frame, list[Lease]] = {}
    for lease in leases[:_MOST_LEASES]:
        site = find_site(lease.stack or (), registry.origins)
        groups.setdefault(site, []).append(lease)
    ordered = sorted(groups.values(), key=len, reverse=True)
    return Sites(
        open_now=len(leases),
        rows=[_row(guard, group) for group in ordered[:most]],
        left_out=max(len(ordered) - most, 0),
    )


def _row(guard: Source, group: list[Lease]) -> dict[str, Any]:
    registry = guard.registry
    now = registry.clock()
    (described,) = describe_open(group[:1], registry.origins, now)
    oldest = with_sources(described.to_dict())
    scopes = [lease.scope for lease in group if lease.scope is not None]
    return {
        **{name: oldest[name] for name in _OF_THE_OLDEST},
        "count": len(group),
        "judged": sum(lease.kind is not None for lease in group),
        "allowed": sum(scope.allowed is not None for scope in scopes),
        "bytes_read": sum(map(bytes_read, group)),
        "idle": round(max(now - min(lease.active for lease in group), 0.0), 3),
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
