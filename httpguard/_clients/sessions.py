"""Sessions, clients, managers and bare pools: which frame made one, and its close."""

from __future__ import annotations

from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

from .._stacks.variables import first_argument
from .gate import GATE

if TYPE_CHECKING:
    from .patching import Method

Note = Callable[[Any, FrameType], None]

# urllib3's functions that make a manager or a pool for their caller.
_FACTORIES: Final = frozenset({"proxy_from_url", "connection_from_url"})


def closing(
    wrapped: Method, *, tell: Callable[[Any], None] = GATE.owner_closed
) -> Method:
    """It is closed: what still refers to a pool of it keeps that one's sockets."""

    def close(self: Any, *args: Any, **options: Any) -> Any:
        tell(self)
        return wrapped(self, *args, **options)

    return close


def aclosing(
    wrapped: Method, *, tell: Callable[[Any], None] = GATE.owner_closed
) -> Method:
    """As `closing`, of a coroutine function."""

    async def aclose(self: Any, *args: Any) -> None:
        tell(self)
        await wrapped(self, *args)

    return aclose


def maker(made: Any, frame: FrameType | None) -> FrameType | None:
    """The frame that asked for an object, below the constructors of subclasses."""
    while frame is not None:
        code = frame.f_code
        if code.co_name not in _FACTORIES and (
            code.co_name != "__init__" or first_argument(frame) is not made
        ):
            break
        frame = frame.f_back
    return frame
