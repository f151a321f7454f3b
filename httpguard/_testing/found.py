"""What a session says of leaks at its end, from all its workers."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from .._baseline.file import Place, place_at, place_of
from .._text.leaks import request

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .._model.leak import Frame, Leak

# Attributes of a report. What was found:
FOUND: Final = "httpguard_found"
# Whether its phase ran to the end, leaks apart:
RAN: Final = "httpguard_ran"
# The id of one that xdist's worker may send only under that of a test:
NODEID: Final = "httpguard_nodeid"

# Beside the kinds of leaks; a baseline does not have it.
MAX_OPEN: Final = "max_open"


@dataclass(frozen=True, slots=True)
class Crowd:
    """More responses open at once than a marker allows, in the order of time."""

    limit: int
    sites: tuple[Frame, ...]

    def __str__(self) -> str:
        return f"{len(self.sites)} responses open at once, max_open is {self.limit}"


@dataclass(frozen=True, slots=True)
class Found:
    """The leaks of one test or fixture, by its id, at one place.

    They are `known` where the baseline tolerates them.
    """

    place: Place
    lineno: int
    count: int
    request: str
    hint: str
    subject: str
    known: bool = False

    @property
    def is_leak(self) -> bool:
        return self.place.kind != MAX_OPEN


def found_of(leak: Leak, subject: str) -> Found:
    place, line = place_of(leak), leak.site.lineno
    return Found(place, line, leak.count, request(leak), leak.hint, subject)


def found_crowd(crowd: Crowd, subject: str) -> Found:
    site = crowd.sites[-1]
    hint = "close each response before the next is opened"
    return Found(place_at(MAX_OPEN, site), site.lineno, 1, str(crowd), hint, subject)


def packed(found: Iterable[Found]) -> list[dict[str, Any]]:
    return [asdict(each) for each in found]


def unpacked(data: Iterable[dict[str, Any]]) -> list[Found]:
    return [replace(Found(**each), place=Place(**each["place"])) for each in data]
