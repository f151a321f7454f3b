"""Pool managers and bare pools: who makes them, whose their pools are, their close.

About 6 us for a new session and 5 for a pool manager (``benchmarks/``), nothing for a
request through one.
"""

from __future__ import annotations

import sys
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from ..._stacks.variables import Unknown, first_argument
from ..gate import GATE
from ..patching import code_of
from .callers import is_api
from .pools import POOLS

if TYPE_CHECKING:
    from types import FrameType

    from ..._leases.client import Patcher
    from ..._leases.sessions import SessionRef
    from ..guard import Guard
    from ..patching import Method
    from .callers import Codes

# The methods of requests' HTTPAdapter in which it makes pool managers: its own.
_ADAPTER: Final = frozenset({"init_poolmanager", "proxy_manager_for"})
# urllib3's functions that make a manager or a pool for their caller.
_FACTORIES: Final = frozenset({"proxy_from_url", "connection_from_url"})


def patch(patcher: Patcher, codes: Codes) -> None:
    """Patch what `urllib3.poolmanager` and `urllib3.connectionpool` define.

    Args:
        patcher: Of the process.
        codes: Of urllib3, or of a copy of it.
    """
    package = codes.urllib3.name
    PoolManager = import_module(f"{package}.poolmanager").PoolManager  # noqa: N806
    pool = import_module(f"{package}.connectionpool").HTTPConnectionPool
    patcher.wrap(PoolManager, "__init__", partial(_manager_init, codes=codes))
    patcher.wrap(PoolManager, "_new_pool", partial(_new_pool, codes=codes))
    patcher.wrap(PoolManager, "clear", _clear)
    patcher.wrap(pool, "__init__", partial(_pool_init, codes=codes))
    codes.new_pool = frozenset({code_of(PoolManager.__dict__["_new_pool"])})


def _manager_init(wrapped: Method, *, codes: Codes) -> Method:
    """A manager is made: remember where, unless an adapter made it for itself."""

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
        wrapped(self, *args, **kwargs)
        guard = GATE.guard
        if guard is None or not guard.judges_sessions:
            return
        try:
            frame = maker(self, sys._getframe(1))
            if frame is not None and frame.f_code.co_name not in _ADAPTER:
                guard.made(self, codes.urllib3, frame)
        except Exception as error:
            guard.step_aside("PoolManager", error)

    return __init__


def _pool_init(wrapped: Method, *, codes: Codes) -> Method:
    """A pool is made: by a manager, for a session, or by the program itself."""

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
        wrapped(self, *args, **kwargs)
        guard = GATE.guard
        if guard is None or not guard.judges_sessions:
            return
        try:
            frame = maker(self, sys._getframe(1))
            if frame is None or frame.f_code in codes.new_pool:
                return  # `_new_pool` sees to it.
            owner = _sender(guard, frame, codes) or guard.made(
                self, codes.urllib3, frame
            )
            if owner is not None:
                _own(guard, owner, self)
        except Exception as error:
            guard.step_aside("HTTPConnectionPool", error)

    return __init__


def _new_pool(wrapped: Method, *, codes: Codes) -> Method:
    """A pool manager makes a pool: it belongs to a session, or to itself."""

    def _new_pool(self: Any, *args: Any, **kwargs: Any) -> Any:
        pool = wrapped(self, *args, **kwargs)
        guard = GATE.guard
        if guard is not None and guard.judges_sessions:
            try:
                owner = guard.registry.sessions.get(self)
                owner = owner or _sender(guard, sys._getframe(1), codes)
                if owner is not None:
                    _own(guard, owner, pool)
            except Exception as error:
                guard.step_aside("_new_pool", error)
        return pool

    return _new_pool


def _clear(wrapped: Method) -> Method:
    """All pools of a manager go: what else refers to one keeps its sockets open."""

    def clear(self: Any) -> None:
        GATE.owner_closed(self)
        wrapped(self)

    return clear


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


def _api_above(frame: FrameType | None) -> FrameType | None:
    """The call of a function such as `requests.get`, which makes itself a session."""
    while frame is not None and not is_api(frame):
        frame = frame.f_back
    return frame


def _own(guard: Guard, owner: SessionRef, pool: Any) -> None:
    registry = guard.registry
    guard.own(owner, registry.pools.meet(pool, POOLS, registry.clock()))


def _sender(guard: Guard, frame: FrameType | None, codes: Codes) -> SessionRef | None:
    """The session in whose ``send`` this happens. Paid once for each new pool."""
    sessions = guard.registry.sessions
    while frame is not None:
        if frame.f_code is codes.session_send:
            session = first_argument(frame)
            known = sessions.get(session)
            api = _api_above(frame)
            if known is None and api is not None and type(session) is not Unknown:
                known = guard.made(session, codes.client, api, lonely=True)
            return known
        frame = frame.f_back
    return None
