"""Our frames around what warns of its arguments, which `warnings` passes over.

What a constructor warns of is at the line that made the object, one ``stacklevel`` up:
a deprecated argument of aiohttp's session, for one, or of its requests. With a frame of
ours in between that line would be another, and Python shows what is deprecated only in
``__main__``. `warnings` leaves out the frames of files whose names have both
"importlib" and "_bootstrap" in them, in each version of CPython.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from .._model.errors import LeakError, hide_own
from .gate import GATE
from .sessions import maker

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from .patching import Method
    from .sessions import Note


def made(where: str, note: Note) -> Callable[[Method], Method]:
    """How to wrap the ``__init__`` of what makes connections.

    The note is called with what was made and the frame that asked for it.
    """

    def wrap(wrapped: Method) -> Method:
        def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
            wrapped(self, *args, **kwargs)
            guard = GATE.guard
            if guard is None or not guard.judges_sessions:
                return
            try:
                frame = maker(self, sys._getframe(1))
                if frame is not None:
                    note(self, frame)
            except Exception as error:
                guard.step_aside(where, error)

        return __init__

    return wrap


REQUEST: Final = "_httpguard_request"
"""The name of the coroutine around a request of aiohttp. It begins with the call."""


def requesting(
    wrapped: Method,
    failed: Callable[[Any, BaseException], None],
    arrived: Callable[[Any, Any, Any, FrameType], None],
) -> Callable[..., Any]:
    """The coroutine function around a request of aiohttp.

    `arrived` is called with the call, its response, the connection which that holds,
    and the frame of the task; it may raise `LeakError`.
    """

    async def _httpguard_request(
        call: Any, session: Any, method: Any, url: Any, options: dict[str, Any]
    ) -> Any:
        registry = GATE.registry
        try:
            if registry.dead or registry.alert:
                GATE.before()
            response = await wrapped(session, method, url, **options)
            connection = getattr(response, "_connection", None)
            # Most are here as a whole.
            if connection is not None:
                arrived(call, response, connection, sys._getframe())
        except LeakError as error:
            hide_own(error)
            raise
        except BaseException as error:
            try:
                failed(call, error)
            except Exception as failure:
                GATE.fault("aiohttp", failure)
            raise
        return response

    # What is said of a coroutine that nobody awaits.
    _httpguard_request.__name__ = wrapped.__name__
    _httpguard_request.__qualname__ = wrapped.__qualname__
    return _httpguard_request
