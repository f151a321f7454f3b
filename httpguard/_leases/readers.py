"""Who is waiting in a read: the look that only suspects pay for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from .._stacks.ownership import http_package
from .._stacks.running import running_frames
from .._stacks.variables import UNBOUND, UNREADABLE, first_argument

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import FrameType

    from urllib3.response import HTTPResponse

_HTTP_CLIENT: Final = os.path.join("http", "client.py")
# A sweep asks these of a response from another thread; they are no reads.
_QUESTIONS: Final = frozenset({"tell", "closed", "isclosed"})


def being_read(suspects: Iterable[HTTPResponse]) -> set[int]:
    """Which of the responses some thread or greenlet is reading right now.

    A reader shows as a frame of urllib3 (or http.client) whose first local is
    that very response. Costs about 20 us a thread, and under gevent a walk over
    all objects: the only way to find greenlets.

    Args:
        suspects: Open responses that made no progress.

    Returns:
        The ids of those being read.
    """
    readers = {}
    for response in suspects:
        readers[id(response)] = id(response)
        if response._fp is not None:
            # Some read the http.client response below urllib3's directly.
            readers[id(response._fp)] = id(response)
    found = set()
    for frame in running_frames():
        owner = _reader(frame)
        if owner is UNREADABLE:
            # It may be any of them.
            return set(readers.values())
        if id(owner) in readers:
            found.add(readers[id(owner)])
    return found


def is_read_on(response: HTTPResponse, bytes_read: int) -> bool:
    """Whether a response that was idle is not so any more.

    Args:
        response: Open.
        bytes_read: As `_fp_bytes_read` was.
    """
    return response._fp_bytes_read != bytes_read or bool(being_read([response]))


def _reader(frame: FrameType) -> object:
    """The object whose reading method this frame runs."""
    code = frame.f_code
    if code.co_name in _QUESTIONS:
        return UNBOUND
    filename = code.co_filename
    if http_package(filename) != "urllib3" and not filename.endswith(_HTTP_CLIENT):
        return UNBOUND
    return first_argument(frame)
