"""urllib3 1.26 and 2.x: where responses are handed out and given back."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any, Final

from .._scope import CURRENT_CALL
from ._patch import STATE, add, wrap

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

# Mocks that replay a recorded response through a real pool: nothing is held.
_MOCKS: Final = ("vcr.", "httpretty.", "mocket.")
_real: Final[dict[type, bool]] = {}


def apply() -> None:
    """Patch what `urllib3.connectionpool` and `urllib3.response` define."""
    from urllib3.connectionpool import HTTPConnectionPool
    from urllib3.response import HTTPResponse

    wrap(HTTPConnectionPool, "urlopen", _urlopen)
    wrap(HTTPResponse, "release_conn", _release_conn)
    wrap(HTTPResponse, "close", _close)
    add(HTTPResponse, "_dealloc_warn", _dealloc_warn)


def _urlopen(
    wrapped: Callable[..., Any],
    pool: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """The lowest call that hands a response out; redirects re-enter it.

    About 1 us where the body was read inside (``benchmarks/``).
    """
    hub = STATE.hub
    if hub is None:
        return wrapped(*args, **kwargs)
    call = CURRENT_CALL.get()
    if call is not None and call.done:
        call = None
    if call is None:
        hub.before_request()
    response = wrapped(*args, **kwargs)
    connection = getattr(response, "_connection", None)
    # None: read inside (preload_content), or no response of urllib3's own.
    if connection is None or not _is_real(response, connection):
        return response
    if call is not None:
        call.append(response)
        return response
    method = args[0] if args else kwargs.get("method", "")
    url = args[1] if len(args) > 1 else kwargs.get("url", "")
    hub.hand_over(response, pool, str(method), str(url), sys._getframe(1))
    return response


def _release_conn(
    wrapped: Callable[..., Any],
    response: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """The one way in which a connection is given back to its pool."""
    result = wrapped(*args, **kwargs)
    hub = STATE.hub
    if hub is not None and response._connection is None:
        hub.registry.end(response)
    return result


def _close(
    wrapped: Callable[..., Any],
    response: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """Closing: by the program, or by a finalizer, which does not count.

    Runs in finalizers: no lock, no log.
    """
    hub = STATE.hub
    lease = None if hub is None else hub.registry.leases.get(id(response))
    if hub is not None and lease is not None:
        lease.bytes_read = response._fp_bytes_read
        finalizing = lease.finalizing or _in_finalizer(response, sys._getframe(1))
        if not finalizing and lease.closed is None and lease() is response:
            lease.closed = hub.registry.clock()
    return wrapped(*args, **kwargs)


def _dealloc_warn(response: Any, _source: object) -> None:
    """A ``BufferedReader`` or ``TextIOWrapper`` around it is being finalized.

    ``io`` announces this (CPython 3.10 to 3.14, as it does to ``FileIO``) and
    then closes the response by a call that looks like the program's own.
    """
    hub = STATE.hub
    lease = None if hub is None else hub.registry.get(response)
    if lease is not None:
        lease.finalizing = True


def _in_finalizer(response: Any, frame: FrameType | None) -> bool:
    """Whether `io.IOBase`'s finalizer closes the response.

    It does so itself, or by the ``close`` of a Python class around it, such as
    botocore's ``StreamingBody``. The finalizer sets ``_finalizing`` on whom it
    closes.
    """
    if "_finalizing" in response.__dict__:
        return True
    while frame is not None and frame.f_code.co_name == "close":
        names = frame.f_code.co_varnames
        owner = frame.f_locals.get(names[0]) if names else None
        if isinstance(owner, io.IOBase) and "_finalizing" in vars(owner):
            return True
        frame = frame.f_back
    return False


def _is_real(response: Any, connection: Any) -> bool:
    """Whether a connection of a real pool is held."""
    kind = type(connection)
    known = _real.get(kind)
    if known is None:
        known = _real[kind] = not kind.__module__.startswith(_MOCKS)
    return known and hasattr(response, "_fp_bytes_read")
