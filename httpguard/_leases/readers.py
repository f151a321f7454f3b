"""Who waits for a response: the look that only suspects pay for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from .._stacks.ownership import http_package
from .._stacks.running import innermost_frames
from .._stacks.variables import UNBOUND, UNREADABLE, first_argument
from .._stacks.waits import registered, waited_for
from .wire import descriptor_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import FrameType

    from urllib3.response import HTTPResponse

# The modules of the standard library whose objects lie below a response.
_BELOW: Final = tuple(
    f"{os.sep}{name}" for name in (f"http{os.sep}client.py", "socket.py", "ssl.py")
)
# A sweep asks these of a response from another thread; they are no reads.
_QUESTIONS: Final = frozenset({"tell", "closed", "isclosed", "fileno"})


def being_read(suspects: Iterable[HTTPResponse]) -> set[int]:
    """Which of the responses some thread or greenlet waits for right now.

    A reader shows as a frame of urllib3, http.client, socket or ssl whose first
    argument is that very response, or what it reads from. Others poll its socket.
    Costs about 20 us a thread, and under gevent a walk over all objects: the only way
    to find greenlets.

    Args:
        suspects: Open responses that made no progress.

    Returns:
        The ids of those that somebody waits for.
    """
    parts: dict[int, int] = {}
    descriptors: dict[int, int] = {}
    for response in suspects:
        parts.update(dict.fromkeys(map(id, _parts(response)), id(response)))
        number = descriptor_of(response)
        if number is not None:
            descriptors[number] = id(response)
    found: set[int] = set()
    tops = innermost_frames()
    while tops:
        frame: FrameType | None = tops.pop()
        if frame is not None:
            found |= waited_for(frame, parts, descriptors)
        while frame is not None:
            found |= registered(frame, descriptors)
            owner = _reader(frame)
            if owner is UNREADABLE:
                # It may be any of them.
                return set(parts.values())
            if id(owner) in parts:
                found.add(parts[id(owner)])
            frame = frame.f_back
    return found


def is_read_on(response: HTTPResponse, bytes_read: int) -> bool:
    """Whether a response that was idle is not so any more.

    Args:
        response: Open.
        bytes_read: As `_fp_bytes_read` was.
    """
    return response._fp_bytes_read != bytes_read or bool(being_read([response]))


def _parts(response: HTTPResponse) -> list[Any]:
    """A response, and what it is read from, down to the socket."""
    parts: list[Any] = [response, response._connection]
    below: Any = response._fp
    # http.client's response, its buffer, that one's raw stream, the socket.
    for name in ("fp", "raw", "_sock", ""):
        parts.append(below)
        below = getattr(below, name, None) if name else None
    parts.append(getattr(response._connection, "sock", None))
    return [part for part in parts if part is not None]


def _reader(frame: FrameType) -> object:
    """The object whose reading method this frame runs."""
    name, filename = frame.f_code.co_name, frame.f_code.co_filename
    if name in _QUESTIONS or not (
        http_package(filename) == "urllib3" or filename.endswith(_BELOW)
    ):
        return UNBOUND
    return first_argument(frame)
