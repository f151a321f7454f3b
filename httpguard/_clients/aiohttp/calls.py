"""aiohttp's requests: where they were made, and what they are given."""

from __future__ import annotations

import asyncio
import sys
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from ..._model.errors import LeakError
from ..._stacks.tasks import suspended
from ..._stacks.variables import first_argument
from ..gate import GATE
from ..importlib_bootstrap import REQUEST, requesting
from ..losing import note_retries
from ..patching import as_coroutine_function
from ..urllib3.compiled import near_site
from .client import AIOHTTP

if TYPE_CHECKING:
    from types import FrameType

    from ..._pools.pool import PoolRef
    from ..._pools.waits import Waiter
    from ..._stacks.raw import RawStack
    from ..patching import Method, Patcher

SWITCHING_PROTOCOLS: Final = 101
# Between a call of a session and what it runs, middlewares included.
_MOST_FRAMES: Final = 30
# Among so many tasks those are looked for that hold the connections of a pool.
_MOST_TASKS: Final = 1000


def patch(patcher: Patcher) -> None:
    from aiohttp import ClientSession

    patcher.wrap(ClientSession, "_request", _request)


class Call:
    """One call of a session: its line, and whether it waits."""

    __slots__ = ("session", "site", "starved")

    def __init__(self, session: Any) -> None:
        self.session = session
        # The frames from the call out to the application's line; empty: none near by.
        self.site: RawStack = ()
        # Its wait for a connection, where that was in vain.
        self.starved: Waiter | None = None


def call_above(frame: FrameType | None) -> Call | None:
    """The call for which something in aiohttp runs."""
    for _ in range(_MOST_FRAMES):
        if frame is None:
            return None
        call = _call_in(frame)
        if call is not None:
            return call
        frame = frame.f_back
    return None


def _call_in(frame: FrameType) -> Call | None:
    if frame.f_code.co_name != REQUEST:
        return None
    call = first_argument(frame)
    return call if isinstance(call, Call) else None


def under_way(connector: Any) -> list[tuple[object, RawStack]]:
    """Protocol and stack of the requests that wait for an answer. 10 us a task."""
    from aiohttp import ClientResponse

    found: list[tuple[object, RawStack]] = []
    tasks = asyncio.all_tasks(connector._loop)
    for task in islice(tasks, _MOST_TASKS):
        call = None
        for frame in suspended(task.get_coro()):
            call = _call_in(frame) or call
            response: Any = first_argument(frame)  # Of `ClientResponse.start`.
            if call is None or not issubclass(type(response), ClientResponse):
                continue
            connection = response._connection
            if connection is not None and connection._connector is connector:
                found.append((connection._protocol, call.site))
                break
    return found


def _request(wrapped: Method) -> Method:
    """The call through which every request goes: a function that makes a coroutine.

    It runs at the line of the program, before there is any task.
    """
    run = requesting(wrapped, _explain, _opened)

    def _request(self: Any, method: Any, str_or_url: Any, **options: Any) -> Any:
        if GATE.guard is None:
            return wrapped(self, method, str_or_url, **options)
        call = Call(self)
        _look_around(call, options, sys._getframe(1))
        return run(call, self, method, str_or_url, options)

    return as_coroutine_function(_request)


def _explain(call: Call, error: BaseException) -> None:
    """A request failed: if it has waited in vain for a connection, say who has them."""
    guard = GATE.guard
    in_time = (TimeoutError, asyncio.TimeoutError, asyncio.CancelledError)
    if guard is not None and call.starved is not None and isinstance(error, in_time):
        guard.explain(call.starved.pool, error, call.starved.share)


def _look_around(call: Call, options: dict[str, Any], frame: FrameType) -> None:
    """Find its line. Have one more middleware below the program's, if there are any."""
    try:
        call.site = near_site(GATE.registry.origins, frame)
        between = options.get("middlewares")
        if between is None:  # aiohttp 3.12 and later have them.
            between = getattr(call.session, "_middlewares", ())
        if between:
            options["middlewares"] = (*between, _last(call))
    except Exception as error:
        GATE.fault("aiohttp", error)


def _last(call: Call) -> Any:
    """A middleware below the program's: one of these may lose what it is given."""

    async def middleware(request: Any, handler: Any) -> Any:
        _look_back(sys._getframe())
        response = await handler(request)
        connection = getattr(response, "_connection", None)
        if connection is not None:
            _opened(call, response, connection, sys._getframe(), between=True)
        return response

    return middleware


def _look_back(frame: FrameType) -> None:
    """A middleware asks: if it has an answer already, it asks again."""
    try:
        note_retries(GATE.registry, None, frame.f_back)
    except Exception as error:
        GATE.fault("aiohttp", error)


def _opened(
    call: Call,
    response: Any,
    connection: Any,
    frame: FrameType,
    *,
    between: bool = False,
) -> None:
    """The program, or a middleware of it, is given a response that holds a connection.

    May raise `LeakError`. The line of a middleware is the site.
    """
    registry = GATE.registry
    if not hasattr(type(response), "release"):
        return  # A test's stand-in.
    try:
        protocol, url = connection._protocol, response._url
        if (
            protocol is None
            or response.status == SWITCHING_PROTOCOLS
            or protocol.upgraded
            or (registry.addresses and (url.host, url.port) in registry.addresses)
        ):
            return
        known = registry.pools.get(connection._connector)
        earlier = registry.leases.get(id(protocol))
        if earlier is not None and earlier.reading:
            registry.release(earlier)  # The middlewares have handed it on.
        GATE.begin(
            AIOHTTP,
            response,
            protocol,  # What it has of the pool: a `Connection` is its own.
            known,
            method=response.method,
            url=_text(url, known),
            status=response.status,
            length=announced(response),
            frame=frame,
            reading=between,
            site=() if between else call.site,
        )
    except LeakError:
        if not between:
            response.close()
        raise
    except Exception as error:
        GATE.fault("aiohttp", error)


def _text(url: Any, known: PoolRef | None) -> str:
    """The path of a pool, which is there already; a URL's whole text takes 0.7 us."""
    if (
        known is not None
        and url.raw_host == known.host
        and url.scheme == known.scheme
        and url.port == known.port
    ):
        path: str = url.raw_path_qs
        return path
    return str(url)


def announced(response: Any) -> int | None:
    text = response._headers.get("Content-Length", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None  # noqa: PLR2004
