"""What was found, as frozen values: `Leak`, `Snapshot` and `LeakError`."""

from __future__ import annotations

import enum
from dataclasses import asdict, dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ._errors import HTTPGuardError

if TYPE_CHECKING:
    from collections.abc import Mapping


class LeakKind(str, enum.Enum):
    """How a response leaked: the word used in API, logs and metrics."""

    DROPPED = "dropped"
    """Collected by the garbage collector while it held its connection."""
    HELD = "held"
    """Still referenced and open, and nothing read from it for `max_idle`."""
    UNRELEASED = "unreleased"
    """Closed unread in a ``block=True`` pool and never released."""
    OPEN = "open"
    """Still open when a scope that promised to leave nothing open ended."""

    def __str__(self) -> str:
        """The bare word, on every Python version."""
        return self.value


@dataclass(frozen=True, slots=True)
class Frame:
    """One place in a stack.

    Args:
        filename: The source file as Python names it.
        lineno: The line that was being executed, from 1.
        function: The function's name as in a traceback.
        application: Whether the code is the application's own.
        submitted: Whether this line handed the work to an executor or greenlet
            which the frames after it did.
    """

    filename: str
    lineno: int
    function: str
    application: bool = field(default=False, compare=False)
    submitted: bool = field(default=False, compare=False)

    def __str__(self) -> str:
        """``file:line in function``."""
        return f"{self.filename}:{self.lineno} in {self.function}"


@dataclass(frozen=True, slots=True)
class Leak:
    """The leaks of one kind opened at one site.

    Times of day are UTC; ages and idle times are seconds, of the latest of
    these leaks; `method` to `thread`, `stack` and `bytes_read` are those of the
    latest too. `bytes_read` counts bytes on the wire, `length` is what the
    server announced (None: unknown). `held_by` is, of the first `held` or `open`
    one, the chain of what refers to the response, such as ``app.cache (module
    global) -> [cut: dict['k']] -> Response.raw``, with the step in brackets that a
    person would cut (None: not searched, or not found within `explain`).
    """

    kind: LeakKind
    site: Frame
    stack: tuple[Frame, ...]
    count: int
    resolved: int
    method: str
    url: str
    status: int
    client: str
    pool: str
    thread: str
    first_seen: datetime
    last_seen: datetime
    age: float
    idle: float
    bytes_read: int
    length: int | None
    hint: str
    held_by: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON-ready values."""
        return _jsonable(self)


@dataclass(frozen=True, slots=True)
class OpenResponse:
    """A response that holds its connection now. Fields as in `Leak`.

    Args:
        allowed: The reason given to `allow` when it was opened, or None.
        opened: When it was opened, UTC.
    """

    site: Frame
    stack: tuple[Frame, ...]
    method: str
    url: str
    status: int
    client: str
    pool: str
    thread: str
    opened: datetime
    age: float
    idle: float
    bytes_read: int
    length: int | None
    allowed: str | None

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON-ready values."""
        return _jsonable(self)


@dataclass(frozen=True, slots=True)
class PoolUse:
    """One connection pool that has responses open or has lost slots.

    Args:
        name: Scheme, host and port, as in `Leak.pool`.
        maxsize: The connections it keeps.
        block: Whether a request waits when they are all in use.
        open: Responses that hold one of its connections now.
        lost: Slots of a blocking pool that leaks have taken for good.
    """

    name: str
    maxsize: int
    block: bool
    open: int
    lost: int

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON-ready values."""
        return _jsonable(self)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is open, what leaked, and the counters, at one moment.

    Args:
        leaks: One for each kind and site, the most frequent first.
        open: The responses that hold a connection, the oldest first.
        counters: Whole numbers since `install`: ``opened`` (leases),
            ``released``, ``closed``, one for each leak kind, ``leaks`` (their
            sum), ``resolved``, ``excused`` (would-be leaks under `allow` or
            `ignore`), ``too_many_open`` and ``errors`` (times httpguard failed
            inside and stepped aside).
        pools: The pools in use, by name.
    """

    leaks: tuple[Leak, ...] = ()
    open: tuple[OpenResponse, ...] = ()
    counters: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    pools: tuple[PoolUse, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The whole of it as JSON-ready values."""
        return {
            "leaks": [leak.to_dict() for leak in self.leaks],
            "open": [response.to_dict() for response in self.open],
            "counters": dict(self.counters),
            "pools": [pool.to_dict() for pool in self.pools],
        }


class LeakError(HTTPGuardError):
    """Responses leaked, past what the settings or the scope allow.

    Args:
        message: The whole text: what was found, and every site.
        leaks: The leaks it is about, one for each kind and site.
    """

    __module__ = "httpguard"

    leaks: tuple[Leak, ...]

    def __init__(self, message: str, leaks: tuple[Leak, ...] = ()) -> None:
        """Keep the leaks beside the text."""
        super().__init__(message)
        self.leaks = leaks

    def __reduce__(self) -> tuple[Any, ...]:
        """Survive pickling, as worker processes need."""
        return (type(self), (str(self), self.leaks))


def _jsonable(value: Any) -> dict[str, Any]:
    """A dataclass as a dict whose values JSON knows."""
    return {key: _plain(item) for key, item in asdict(value).items()}


def _plain(item: Any) -> Any:
    """Enums as their word, datetimes as ISO 8601, tuples as lists."""
    if isinstance(item, enum.Enum):
        return item.value
    if isinstance(item, datetime):
        return item.isoformat()
    if isinstance(item, (list, tuple)):
        return [_plain(part) for part in item]
    return item
