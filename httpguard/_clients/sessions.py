"""Sessions and pool managers: who makes them, which pools are theirs, their close.

About 6 us for a new session and 5 for a pool manager (``benchmarks/``), nothing for a
request through one. ``requests.get()`` closes its own, and is passed through.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from .._stacks.variables import first_argument
from .patching import STATE, Method, wrap

if TYPE_CHECKING:
    from types import FrameType

    from .._leases.registry import Registry
    from .._leases.sessions import SessionRef

# The methods of HTTPAdapter in which it makes pool managers: they are its own.
_ADAPTER: Final = frozenset({"init_poolmanager", "proxy_manager_for"})

# urllib3's function that makes a manager for its caller.
_FACTORY: Final = "proxy_from_url"


def apply_requests() -> None:
    """Patch what `requests.sessions` defines."""
    from requests.sessions import Session

    wrap(Session, "__init__", partial(_init, "requests"))


def apply_urllib3() -> None:
    """Patch what `urllib3.poolmanager` defines."""
    from urllib3.poolmanager import PoolManager

    wrap(PoolManager, "__init__", partial(_init, "urllib3"))
    wrap(PoolManager, "_new_pool", _new_pool)
    wrap(PoolManager, "clear", _clear)


def _init(client: str, wrapped: Method) -> Method:
    """A session is made: remember where, unless a library made it for itself."""

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
        wrapped(self, *args, **kwargs)
        hub = STATE.hub
        if hub is None or not hub.judges_sessions:
            return
        try:
            frame = _maker(self, sys._getframe(1))
            if frame is not None and not _is_its_own(frame):
                hub.made(self, client, frame)
        except Exception as error:
            hub.step_aside("Session.__init__", error)

    return __init__


def _new_pool(wrapped: Method) -> Method:
    """A pool manager makes a pool: it belongs to a session, or to itself."""

    def _new_pool(self: Any, *args: Any, **kwargs: Any) -> Any:
        pool = wrapped(self, *args, **kwargs)
        hub = STATE.hub
        if hub is not None and hub.judges_sessions:
            try:
                owner = hub.registry.sessions.get(self) or _sender(sys._getframe(1))
                if owner is not None:
                    hub.own(owner, pool)
            except Exception as error:
                hub.step_aside("_new_pool", error)
        return pool

    return _new_pool


def _clear(wrapped: Method) -> Method:
    """All pools of a manager go: it, or the session it belongs to, is closed."""

    def clear(self: Any) -> None:
        hub = STATE.hub
        if hub is not None:
            try:
                _disown(hub.registry, self)
            except Exception as error:
                hub.step_aside("clear", error)
        wrapped(self)

    return clear


def _disown(registry: Registry, manager: Any) -> None:
    """The pools of a manager are its session's no more."""
    registry.pools.prune()
    for pool in list(getattr(manager.pools, "_container", {}).values()):
        known = registry.pools.get(pool)
        if known is not None:
            registry.sessions.disown(known)


def _maker(session: Any, frame: FrameType | None) -> FrameType | None:
    """The frame that asked for the session, below the constructors of subclasses."""
    while frame is not None:
        code = frame.f_code
        if code.co_name != _FACTORY and (
            code.co_name != "__init__" or first_argument(frame) is not session
        ):
            break
        frame = frame.f_back
    return frame


def _is_its_own(frame: FrameType) -> bool:
    """Whether requests makes it for itself: an adapter's manager, ``requests.get``."""
    code = frame.f_code
    if code.co_name in _ADAPTER:
        return True
    return code.co_name == "request" and frame.f_globals.get("__name__") == (
        "requests.api"
    )


def _sender(frame: FrameType | None) -> SessionRef | None:
    """The session in whose ``send`` this happens. Paid once for each new pool."""
    registry = STATE.registry
    while frame is not None:
        if frame.f_code.co_name == "send":
            owner = registry.sessions.get(first_argument(frame))
            if owner is not None:
                return owner
        frame = frame.f_back
    return None
