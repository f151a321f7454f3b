"""Sessions, clients, managers and bare pools: which frame made one, and its close."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from .._stacks.variables import first_argument
from .gate import GATE

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from .patching import Method

    Note = Callable[[Any, FrameType], None]

# urllib3's functions that make a manager or a pool for their caller.
_FACTORIES: Final = frozenset({"proxy_from_url", "connection_from_url"})


def made(where: str, note: Note) -> Callable[[Method], Method]:
    """How to wrap the ``__init__`` of what makes connections.

    Args:
        where: What is said to have failed if the note does.
        note: Called with what was made and the frame that asked for it.
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


def closing(wrapped: Method) -> Method:
    """It is closed: what still refers to a pool of it keeps that one's sockets."""

    def close(self: Any) -> None:
        GATE.owner_closed(self)
        wrapped(self)

    return close


def maker(made: Any, frame: FrameType | None) -> FrameType | None:
    """The frame that asked for an object, below the constructors of subclasses.

    Args:
        made: It is made right now.
        frame: Of its innermost constructor.
    """
    while frame is not None:
        code = frame.f_code
        if code.co_name not in _FACTORIES and (
            code.co_name != "__init__" or first_argument(frame) is not made
        ):
            break
        frame = frame.f_back
    return frame
