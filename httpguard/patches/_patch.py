"""How an attribute is replaced, and given back as the very object it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol

import wrapt

if TYPE_CHECKING:
    from types import FrameType

    from urllib3.connectionpool import HTTPConnectionPool
    from urllib3.response import HTTPResponse

    from .._registry import Registry
    from .._scope import Call


class Hub(Protocol):
    """Whom the patches tell what they see."""

    registry: Registry

    def before_request(self) -> None:
        """A guarded call begins; may raise `LeakError`."""

    def hand_over(
        self,
        response: HTTPResponse,
        pool: HTTPConnectionPool,
        method: str,
        url: str,
        frame: FrameType,
    ) -> None:
        """urllib3 hands a response out; may raise `LeakError`."""

    def settle(
        self, call: Call, result: Any, request: Any, frame: FrameType, *, failed: bool
    ) -> None:
        """A call of ``Session.send`` ended; may raise `LeakError`."""

    def step_aside(self, where: str, error: Exception) -> None:
        """Something of ours failed."""


class State:
    """The hub of the moment; None makes every patch pass calls through."""

    __slots__ = ("hub",)

    def __init__(self) -> None:
        """Nobody listens yet."""
        self.hub: Hub | None = None


STATE: Final = State()
_ABSENT: Final = object()
_applied: Final[list[tuple[type, str, Any, Any]]] = []

Wrapper = Callable[[Callable[..., Any], Any, tuple[Any, ...], dict[str, Any]], Any]


def connect(hub: Hub) -> None:
    """Let the patches tell a hub."""
    STATE.hub = hub


def disconnect() -> None:
    """Let the patches pass everything through, without taking them off."""
    STATE.hub = None


def wrap(owner: type, name: str, wrapper: Wrapper) -> None:
    """Replace a method by wrapt's function wrapper around it.

    Args:
        owner: The class whose own attribute it is.
        name: The attribute.
        wrapper: Called in its place.
    """
    original = owner.__dict__[name]
    if not _is_wrapped(original, wrapper):
        _set(owner, name, wrapt.FunctionWrapper(original, wrapper))


def add(owner: type, name: str, function: Callable[..., Any]) -> None:
    """Give a class an attribute that it does not have.

    Args:
        owner: The class.
        name: The attribute.
        function: Its value.
    """
    if name not in owner.__dict__:
        _set(owner, name, function)


def remove() -> None:
    """Give every attribute back, the last patched first.

    Where somebody has patched on top of us, theirs stays, and our wrapper below
    passes everything through from now on.
    """
    disconnect()
    while _applied:
        owner, name, original, ours = _applied.pop()
        if owner.__dict__.get(name) is not ours:
            continue
        if original is _ABSENT:
            delattr(owner, name)
        else:
            setattr(owner, name, original)


def applied() -> list[str]:
    """The patched attributes, as ``Class.name``."""
    return [f"{owner.__name__}.{name}" for owner, name, _, _ in _applied]


def _set(owner: type, name: str, value: Any) -> None:
    """Set an attribute and remember what was there."""
    original = owner.__dict__.get(name, _ABSENT)
    setattr(owner, name, value)
    _applied.append((owner, name, original, value))


def _is_wrapped(function: Any, wrapper: Wrapper) -> bool:
    """Whether our wrapper is in a chain of wrappers already."""
    while function is not None:
        if getattr(function, "_self_wrapper", None) is wrapper:
            return True
        function = getattr(function, "__wrapped__", None)
    return False
