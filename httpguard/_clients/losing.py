"""Code between the application and the client that loses a response: who it is."""

from __future__ import annotations

import functools
from contextlib import suppress
from inspect import CO_ASYNC_GENERATOR, CO_GENERATOR
from itertools import islice
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any, Final

from .._leases.threads import runner
from .._stacks.ownership import Origins, installed_package, is_own
from .._stacks.variables import variables
from .patching import code_of

if TYPE_CHECKING:
    from types import FrameType, TracebackType

    from .._leases.lease import Lease
    from .._leases.registry import Registry
    from .._stacks.raw import RawStack

ADAPTER: Final = "adapter"
HOOK: Final = "hook"
_RETRY: Final = "retry"
# Of requests, or of a copy of it.
_MODELS: Final = ".requests.models"
# Leases of late among which is the one of the try before.
_LATE: Final = 8
_MOST_FRAMES: Final = 64
# They may have handed out what they still refer to.
_YIELDING: Final = CO_GENERATOR | CO_ASYNC_GENERATOR


def note_retries(registry: Registry, url: Any, frame: FrameType | None) -> None:
    """A request was answered while others are open: see whether it is a second try.

    It is where a library's function asks for the same again, and has the answer before
    in a variable. About 0.5 us where it is not.

    Args:
        registry: Where leases are.
        url: As the program gave it.
        frame: Of the call.
    """
    lately: list[Lease] = []
    with suppress(RuntimeError):  # Another thread has changed it meanwhile.
        lately.extend(islice(reversed(registry.leases.values()), _LATE))
    for lease in lately:
        if lease.url == url and lease.closed is None and lease.runner == runner():
            response = lease()
            if response is not None:
                _note_retry(registry, lease, response, frame)


def _note_retry(
    registry: Registry, lease: Lease, response: Any, frame: FrameType | None
) -> None:
    for _ in range(_MOST_FRAMES):
        if frame is None or registry.origins[frame.f_code.co_filename]:
            return
        code = frame.f_code
        if not code.co_flags & _YIELDING and _is_library(
            code.co_filename, registry.origins
        ):
            values = [value for _, value in variables(frame)]
            if any(_is_or_wraps(value, response) for value in values):
                blame(lease, (code, frame.f_lasti), _RETRY)
                return
        frame = frame.f_back


def blame(lease: Lease | None, place: RawStack, lost_by: str) -> None:
    """If a response is dropped, this is where it was lost.

    Args:
        lease: Of the response.
        place: Code and offset; empty: nobody is to blame.
        lost_by: What that code is.
    """
    if lease is not None and (place or lease.lost_in):
        lease.lost_in, lease.lost_by = place, lost_by if place else ""


def raised_in(error: BaseException, client: Any, origins: Origins) -> RawStack:
    """Where code that a client has called raised.

    Args:
        error: On its way.
        origins: Whose code a file is.
        client: The client's code that has called it.
    """
    found: RawStack = ()
    traceback: TracebackType | None = error.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if not is_own(code.co_filename) and code is not client:
            found = found or (code, traceback.tb_lasti)
            if origins.http_package(code.co_filename) is None:
                return (code, traceback.tb_lasti)
        traceback = traceback.tb_next
    return found


def place_of_callable(function: Any, _origins: Origins) -> RawStack:
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
    return bool(installed_package(filename)) and not origins.http_package(filename)


def _is_or_wraps(value: Any, response: Any) -> bool:
    """Whether it is that response, or that one of requests which has it."""
    if value is response:
        return True
    kinds = type(value).__mro__
    return any(
        kind.__name__ == "Response" and f".{kind.__module__}".endswith(_MODELS)
        for kind in kinds
    ) and (value.__dict__.get("raw") is response)
