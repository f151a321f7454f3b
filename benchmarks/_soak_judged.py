"""What a service leaked, by itself, beside what httpguard's log says it did."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from .services.truth import Place, Truth

_PREFIX: Final = "httpguard."
# Those whose leaks are counts until then.
_COUNTING: Final = ("leak", "resolved", "counts", "summary")


@dataclass(frozen=True, slots=True)
class Row:
    """A kind of leak at a line.

    Args:
        kind: As httpguard calls it.
        place: File and line.
        name: By which the service writes it down; empty: no line of its own that leaks.
        made: How many the service leaked there.
        told: How many the log has.
        made_resolved: How many of them the service closed after all.
        told_resolved: How many of those the log has.
    """

    kind: str
    place: str
    name: str
    made: int
    told: int
    made_resolved: int
    told_resolved: int

    @property
    def missed(self) -> int:
        """Leaks that the log does not have."""
        return max(0, self.made - self.told)

    @property
    def false(self) -> int:
        """Leaks that the log has and the service did not make."""
        return max(0, self.told - self.made)

    @property
    def is_right(self) -> bool:
        """Whether all of it is the same."""
        return self.made == self.told and self.made_resolved == self.told_resolved


def told(log: Path) -> Mapping[Place, tuple[int, int]]:
    """What the log has, by kind and place: leaks, and how many were resolved.

    Counts grow within a run, that is, a process: the largest of each counts.

    Args:
        log: Of JSON lines; rotated files beside it are read too. It need not be there.
    """
    most: dict[tuple[str, Place], tuple[int, int]] = {}
    for path in sorted(log.parent.glob(log.name + "*")):
        with path.open(encoding="utf-8") as file:
            # Who waits for another's write for too long leaves a blank line.
            for line in filter(str.strip, file):
                event = json.loads(line)
                for leak in _leaks(event):
                    site = leak["site"]
                    name = os.path.basename(site["filename"])
                    key = (event["run"], (leak["kind"], name, site["lineno"]))
                    before = most.get(key, (0, 0))
                    most[key] = (
                        max(before[0], leak["count"]),
                        max(before[1], leak["resolved"]),
                    )
    counts: Counter[Place] = Counter()
    resolved: Counter[Place] = Counter()
    for (_, place), (count, after_all) in most.items():
        counts[place] += count
        resolved[place] += after_all
    return {place: (counts[place], resolved[place]) for place in counts}


def _leaks(event: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The leaks that an event counts."""
    name = event["event"].removeprefix(_PREFIX)
    if name in _COUNTING:
        yield from event.get("leaks", [event])


def rows(
    truth: Truth, places: Mapping[str, Place], found: Mapping[Place, tuple[int, int]]
) -> list[Row]:
    """Line by line, both sides.

    Args:
        truth: What the service wrote down.
        places: Where each name leaks.
        found: What the log has.
    """
    names = {place: name for name, place in places.items()}
    known = {places[name] for name in truth.leaked}
    made = []
    for place in sorted({*known, *found}, key=lambda place: (place[1:], place[0])):
        kind, file, line = place
        name = names.get(place, "")
        counts = found.get(place, (0, 0))
        made.append(
            Row(
                kind=kind,
                place=f"{file}:{line}",
                name=name,
                made=truth.leaked[name],
                told=counts[0],
                made_resolved=truth.resolved[name],
                told_resolved=counts[1],
            )
        )
    return made
