"""Pool managers and bare pools: who makes them, whose their pools are, their close.

About 6 us for a new session and 5 for a pool manager (``benchmarks/``), nothing for a
request through one.
"""

from __future__ import annotations

import sys
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from ..._stacks.raw import code_of
from ..._stacks.variables import Unknown, first_argument
from ..gate import GATE
from ..importlib_bootstrap import made
from ..sessions import closing
from .callers import is_api
from .pools import POOLS

if TYPE_CHECKING:
    from types import FrameType

    from ..._leases.sessions import SessionRef
    from ..guard import Guard
    from ..patching import Method, Patcher
    from .callers import Codes

# The methods of requests' HTTPAdapter in which it makes pool managers: its own.
_ADAPTER: Final = frozenset({"init_poolmanager", "proxy_manager_for"})


def patch(patcher: Patcher, codes: Codes) -> None:
    package = codes.urllib3.name
    PoolManager = import_module(f"{package}.poolmanager").PoolManager  # noqa: N806
    pool = import_module(f"{package}.connectionpool").HTTPConnectionPool
    note = partial(_note_manager, codes=codes)
    patcher.wrap(PoolManager, "__init__", made("PoolManager", note))
    patcher.wrap(PoolManager, "_new_pool", partial(_new_pool, codes=codes, kind=pool))
    patcher.wrap(PoolManager, "clear", closing)
    note = partial(_note_pool, codes=codes)
    patcher.wrap(pool, "__init__", made("HTTPConnectionPool", note))
    codes.new_pool = code_of(PoolManager.__dict__["_new_pool"])


def _note_manager(manager: Any, frame: FrameType, *, codes: Codes) -> None:
    """A manager is made: remember where, unless an adapter made it for itself."""
    if frame.f_code.co_name not in _ADAPTER:
        GATE.session(manager, codes.urllib3, frame)


def _note_pool(pool: Any, frame: FrameType, *, codes: Codes) -> None:
    """A pool is made: by a manager, for a session, or by the program itself."""
    guard = GATE.guard
    if guard is None or frame.f_code is codes.new_pool:
        return  # `_new_pool` sees to it.
    owner = _sender(guard, frame, codes) or guard.made(pool, codes.urllib3, frame)
    if owner is not None:
        _own(guard, owner, pool)


def _new_pool(wrapped: Method, *, codes: Codes, kind: type) -> Method:
    """A pool manager makes a pool: it belongs to a session, or to itself.

    What the program has put into `pool_classes_by_scheme` may be no pool of urllib3's.
    """

    def _new_pool(self: Any, *args: Any, **kwargs: Any) -> Any:
        pool = wrapped(self, *args, **kwargs)
        guard = GATE.guard
        if guard is not None and guard.judges_sessions and isinstance(pool, kind):
            try:
                owner = guard.registry.sessions.get(self)
                owner = owner or _sender(guard, sys._getframe(1), codes)
                if owner is not None:
                    _own(guard, owner, pool)
            except Exception as error:
                guard.step_aside("_new_pool", error)
        return pool

    return _new_pool


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
            # `requests.get` and the like make themselves a session.
            while frame is not None and not is_api(frame):
                frame = frame.f_back
            if known is None and frame is not None and type(session) is not Unknown:
                known = guard.made(session, codes.client, frame, lonely=True)
            return known
        frame = frame.f_back
    return None
