"""Who is waiting in a read: the look that only suspects pay for."""

from __future__ import annotations

import gc
import os
import sys
from typing import TYPE_CHECKING, Any, Final

from .._stacks.ownership import http_package, is_own

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
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
        # Some read the http.client response below urllib3's directly.
        readers[id(response._fp)] = id(response)
    found = set()
    for frame in program_frames():
        owner = _reader(frame)
        if owner is not None and id(owner) in readers:
            found.add(readers[id(owner)])
    return found


def is_read_on(response: HTTPResponse, bytes_read: int) -> bool:
    """Whether a response that was idle is not so any more.

    Args:
        response: Open.
        bytes_read: As `_fp_bytes_read` was.
    """
    return response._fp_bytes_read != bytes_read or bool(being_read([response]))


def program_frames(*, greenlets: bool = True) -> Iterator[FrameType]:
    """Every frame of every thread and every suspended greenlet, but our own.

    A frame of ours in one of our own locals would be a cycle, and all that the
    frames of this sweep hold, the suspects too, would live until it is collected.

    Args:
        greenlets: Whether to look for greenlets, by a walk over all objects.
    """
    tops = list(sys._current_frames().values())
    if sys._getframe() in tops:
        tops.remove(sys._getframe())
    # This thread too may be in a read: a finalizer or a signal came in between.
    frame = sys._getframe().f_back
    while frame is not None and is_own(frame.f_code.co_filename):
        frame = frame.f_back
    if greenlets:
        tops += greenlet_frames()
    if frame is not None:
        tops.append(frame)
    while tops:
        frame = tops.pop()
        while frame is not None:
            yield frame
            frame = frame.f_back


def greenlet_frames() -> Iterator[FrameType]:
    """Where each suspended greenlet waits."""
    greenlet = sys.modules.get("greenlet")
    if greenlet is None:
        return
    for item in gc.get_objects():
        # By type(), not isinstance: that would run a proxy's __class__.
        if issubclass(type(item), greenlet.greenlet) and item.gr_frame is not None:
            yield item.gr_frame


def _reader(frame: FrameType) -> Any:
    """The object whose reading method this frame runs, or None."""
    code = frame.f_code
    if not code.co_varnames or code.co_name in _QUESTIONS:
        return None
    filename = code.co_filename
    if http_package(filename) != "urllib3" and not filename.endswith(_HTTP_CLIENT):
        return None
    return frame.f_locals.get(code.co_varnames[0])
