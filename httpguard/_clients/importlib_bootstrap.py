"""Our frames below a constructor, which `warnings` passes over.

What a constructor warns of is at the line that made the object, one ``stacklevel`` up:
a deprecated argument of aiohttp's session, for one. With a frame of ours in between
that line would be ours, and Python shows what is deprecated only in ``__main__``.
`warnings` leaves out the frames of files whose names have both "importlib" and
"_bootstrap" in them, in each version of CPython.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from .gate import GATE
from .sessions import maker

if TYPE_CHECKING:
    from collections.abc import Callable

    from .patching import Method
    from .sessions import Note


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
