"""Code between the application and the client that loses a response: who it is."""

from __future__ import annotations

import functools
from contextlib import suppress
from inspect import CO_ASYNC_GENERATOR, CO_GENERATOR, CO_VARARGS, CO_VARKEYWORDS
from itertools import islice
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any, Final

from .._leases.readers import with_responses
from .._leases.threads import runner
from .._stacks.ownership import Origins, installed_package, is_own
from .._stacks.raw import code_of
from .._stacks.variables import variables
from .._stacks.waits import reachable

if TYPE_CHECKING:
    from types import FrameType, TracebackType

    from .._leases.lease import Lease
    from .._leases.registry import Registry
    from .._stacks.raw import Place

ADAPTER: Final = "adapter"
HOOK: Final = "hook"
MIDDLEWARE: Final = "middleware"
_RETRY: Final = "retry"
# Modules of clients that ask again above the client.
_ASKING_AGAIN: Final = frozenset({"aiohttp.client_middleware_digest_auth"})
# Leases of late among which is the one of the try before.
_LATE: Final = 8
_MOST_FRAMES: Final = 64
# From a list of errors to the response of one, in a library's own response.
_STEPS: Final = 8
_MOST_OBJECTS: Final = 500
# They may have handed out what they still refer to.
_YIELDING: Final = CO_GENERATOR | CO_ASYNC_GENERATOR


def note_retries(registry: Registry, url: Any, frame: FrameType | None) -> None:
    """A request was answered while others are open: see whether it is a second try.

    It is where a library's function asks for the same again, and a variable of its own
    leads to the answer before. About 0.5 us where nobody asks for the same. Without a
    URL, as given by the program, it waits for a connection: any will do.
    """
    lately: list[Lease] = []
    with suppress(RuntimeError):  # Another thread has changed it meanwhile.
        lately.extend(islice(reversed(registry.leases.values()), _LATE))
    if url is not None:
        lately = [one for one in lately if one.url == url]
    same = [one for one in lately if one.closed is None]
    if same:
        here = runner()
        same = [lease for lease in same if lease.runner == here]
        _note_retry(registry, with_responses(same), frame)


def _note_retry(
    registry: Registry, answers: list[tuple[Lease, Any]], frame: FrameType | None
) -> None:
    before = {id(response): lease for lease, response in answers}
    for _ in range(_MOST_FRAMES):
        if not before or frame is None or registry.origins[frame.f_code.co_filename]:
            return
        code = frame.f_code
        between = frame.f_globals.get("__name__") in _ASKING_AGAIN
        if not code.co_flags & _YIELDING and (
            between or _is_library(code.co_filename, registry.origins)
        ):
            for value in reachable(_own(frame), _STEPS, _MOST_OBJECTS):
                if lease := before.pop(id(value), None):
                    lost_by = MIDDLEWARE if between else _RETRY
                    blame(lease, (code, frame.f_lasti), lost_by)
        frame = frame.f_back


def _own(frame: FrameType) -> list[Any]:
    """The values of what a function has assigned: its arguments may be anybody's."""
    code = frame.f_code
    several = bool(code.co_flags & CO_VARARGS) + bool(code.co_flags & CO_VARKEYWORDS)
    given = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount + several]
    foreign = {*given, *code.co_freevars}
    return [value for name, value in variables(frame) if name not in foreign]


def blame(lease: Lease | None, place: Place, lost_by: str) -> None:
    """If a response is dropped, this is where it was lost; an empty place: nowhere."""
    if lease is not None and (place or lease.lost_in):
        lease.lost_in, lease.lost_by = place, lost_by if place else ""


def stop_reading(registry: Registry, lease: Lease | None, frame: FrameType) -> None:
    """Requests reads no more of what it was going to read for itself.

    Then it is of the line that asked, not of an adapter's, which all calls pass.
    """
    if lease is not None and lease.reading:
        lease.stack = lease.stack and registry.capture(frame)
        lease.reading = False


def raised_in(error: BaseException, client: Any, origins: Origins) -> Place:
    """Where code raised that a client's own code has called."""
    found: Place = ()
    traceback: TracebackType | None = error.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if not is_own(code.co_filename) and code is not client:
            found = found or (code, traceback.tb_lasti)
            if origins.packages[code.co_filename] is None:
                return (code, traceback.tb_lasti)
        traceback = traceback.tb_next
    return found


def place_of_callable(function: Any, _origins: Origins) -> Place:
    """The first line of whatever can be called; empty where it is not known."""
    while type(function) is functools.partial:
        function = function.func
    if type(function) is MethodType:
        function = function.__func__
    if type(function) is not FunctionType:
        function = getattr(type(function), "__call__", None)  # noqa: B004  # Not asked.
    code = code_of(function) if type(function) is FunctionType else None
    # Before its first instruction: the line of its `def`.
    return () if code is None else (code, -1)


def _is_library(filename: str, origins: Origins) -> bool:
    return bool(
        installed_package(filename)
        and not is_own(filename)
        and not origins.packages[filename]
    )
