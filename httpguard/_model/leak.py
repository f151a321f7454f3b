"""What leaked, as frozen values."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import datetime  # noqa: TC003  # For typing.get_type_hints.
from typing import Any

from .plain import as_html, to_plain
from .report import REPORT


class LeakKind(str, enum.Enum):
    """How a response or a session leaked: the word used in API, logs and metrics."""

    DROPPED = "dropped"
    """Collected while it held its connection; or, where the client itself keeps what
    nobody else has, known to be forgotten."""
    HELD = "held"
    """Still referenced and open, and nothing read from it for `max_idle`."""
    UNRELEASED = "unreleased"
    """Closed unread in a ``block=True`` pool and never released; or lost by httpx."""
    OPEN = "open"
    """Still open when a scope that promised to leave nothing open ended."""
    SESSION = "session"
    """A session, client or pool of a line that has more than ``max_sessions`` of them
    alive, unused and not closed, with open sockets."""

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
        submitted: Whether this line handed the work to an executor, greenlet or task
            which the frames after it did.
        awaited: Whether this line waited for the task in which the frames after it ran.
        cut: Whether this is the outermost frame of those that are kept of a line whose
            responses had always ended well: what called it was not kept.
    """

    filename: str
    lineno: int
    function: str
    application: bool = field(default=False, compare=False)
    submitted: bool = field(default=False, compare=False)
    awaited: bool = field(default=False, compare=False)
    cut: bool = field(default=False, compare=False)

    def __str__(self) -> str:
        """``file:line in function``."""
        return f"{self.filename}:{self.lineno} in {self.function}"


@dataclass(frozen=True, slots=True)
class Leak:
    """The leaks of one kind opened at one site.

    Of a `session` leak the site is the line that made it, `pool` where it went
    first, `alive` how many sessions of the site were in use and `sockets` the
    connections they kept; what is a response's (method, status, bytes) is empty.

    Times of day are UTC; ages and idle times are seconds, of the latest of
    these leaks; `method` to `thread`, `stack` and `bytes_read` are those of the
    latest too. `bytes_read` counts bytes on the wire, `length` is what the
    server announced (None: unknown). `held_by` is, of the first `held` or `open`
    one, the chain of what refers to the response, such as ``app.cache (module
    global) -> [cut: dict['k']] -> Response.raw``, with the step in brackets that a
    person would cut (None: not searched, or not found within `explain`). `culprit` is
    the frame that lost the response, where that is code between the site and the
    client: a response hook, a `send` that tries again, an adapter (None: none is
    known).
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
    alive: int = 0
    sockets: int = 0
    held_by: str | None = None
    culprit: Frame | None = None

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON-ready values."""
        return to_plain(self)

    def __str__(self) -> str:
        """Its report, as the log has it."""
        return REPORT.text(self)

    def _repr_html_(self) -> str:
        """Its report, as a notebook shows it."""
        return as_html(str(self))
