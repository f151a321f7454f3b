"""How an attribute is replaced, and given back as the very object it was."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType, ModuleType

    from urllib3.connectionpool import HTTPConnectionPool
    from urllib3.response import HTTPResponse

    from .._registry import Registry


class Hub(Protocol):
    """Whom the patches tell what they see."""

    registry: Registry
    # Whether a guarded call has to report in although nothing ended.
    alert: bool

    def before_request(self) -> None:
        """A guarded call begins; may raise `LeakError`."""

    def hand_over(
        self,
        response: HTTPResponse,
        pool: HTTPConnectionPool,
        method: Any,
        url: Any,
        frame: FrameType,
        *,
        client: str = "",
        reading: bool = False,
        raising: bool = True,
    ) -> None:
        """A response is handed out; may raise `LeakError`."""


class State:
    """Who listens at the moment; None makes every patch pass calls through.

    Beside that, the code of the functions of requests by which the patches
    recognise a caller, None until requests is imported.
    """

    __slots__ = (
        "adapter_send",
        "dispatch_hook",
        "hub",
        "own_send",
        "registry",
        "session_send",
    )

    def __init__(self) -> None:
        """Nobody listens yet."""
        self.hub: Hub | None = None
        self.registry: Registry | None = None
        self.session_send: CodeType | None = None
        self.adapter_send: CodeType | None = None
        self.dispatch_hook: CodeType | None = None
        # Of our function around the adapter's.
        self.own_send: CodeType | None = None


STATE: Final = State()
_ABSENT: Final = object()
_MARK: Final = "_httpguard_patch"
_applied: Final[list[tuple[type | ModuleType, str, Any, Any]]] = []

Method = Any


def connect(hub: Hub) -> None:
    """Let the patches tell a hub."""
    STATE.hub = hub
    STATE.registry = hub.registry


def disconnect() -> None:
    """Let the patches pass everything through, without taking them off."""
    STATE.hub = STATE.registry = None


def wrap(
    owner: type | ModuleType, name: str, factory: Callable[[Method], Method]
) -> None:
    """Have wrapt replace a function by one around it.

    A plain function, since these run several times a request: a call
    through `wrapt.FunctionWrapper` costs 0.7 us, through this 0.3
    (``benchmarks/``). Name, signature and documentation stay what they were.

    Args:
        owner: The class or module whose own attribute it is.
        name: The attribute.
        factory: Makes the function from the original.
    """
    import wrapt

    original = owner.__dict__[name]
    if _is_wrapped(original):
        return

    def make(method: Method) -> Method:
        function = functools.wraps(method)(factory(method))
        setattr(function, _MARK, True)
        return function

    wrapt.wrap_object(owner, name, make)  # type: ignore[arg-type]  # any factory
    _applied.append((owner, name, original, owner.__dict__[name]))


def add(owner: type, name: str, function: Method) -> None:
    """Give a class an attribute that it does not have.

    Args:
        owner: The class.
        name: The attribute.
        function: Its value.
    """
    if name not in owner.__dict__:
        setattr(owner, name, function)
        _applied.append((owner, name, _ABSENT, function))


def remove() -> None:
    """Give every attribute back, the last patched first.

    Where somebody has patched on top of us, theirs stays, and our function below
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


def _is_wrapped(function: Any) -> bool:
    """Whether our function is in a chain of wrappers already."""
    while function is not None:
        if getattr(function, _MARK, False):
            return True
        function = getattr(function, "__wrapped__", None)
    return False
