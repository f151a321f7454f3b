"""requests' adapters and response hooks, which can lose what they are given."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from .._model.errors import LeakError, hand_back
from .gate import GATE
from .losing import ADAPTER, HOOK, blame, place_of_callable, raised_in, stop_reading
from .urllib3.callers import above, reads_body, session_above
from .urllib3.mocks import holds_real_connection
from .urllib3.responses import lend_lost

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from .._stacks.ownership import Origins
    from .._stacks.raw import Place
    from .patching import Method
    from .urllib3.callers import Codes


def build_response(wrapped: Method, *, codes: Codes) -> Method:
    """``build_response``: an adapter wraps the response of urllib3, or loses it."""

    def building(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            response = wrapped(self, *args, **kwargs)
        except BaseException as error:
            _lose(
                args,
                kwargs,
                raised_in(error, None, GATE.registry.origins),
                sys._getframe(1),
                codes,
                raising=False,
            )
            # What a traceback keeps of this frame shall keep nothing alive.
            del args, kwargs
            raise
        raw = args[1] if len(args) > 1 else kwargs.get("resp")
        if getattr(response, "raw", raw) is not raw:
            place = place_of_callable(wrapped, GATE.registry.origins)
            _lose(args, kwargs, place, sys._getframe(1), codes, raising=True)
        return response

    return building


def _lose(
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    place: Place,
    frame: FrameType,
    codes: Codes,
    *,
    raising: bool,
) -> None:
    """An adapter does not hand on what urllib3 has answered."""
    guard = GATE.guard
    if guard is None:
        return
    try:
        request = args[0] if args else kwargs.get("req")
        raw: Any = args[1] if len(args) > 1 else kwargs.get("resp")
        if not holds_real_connection(raw) or (raw.closed and not raw._pool.block):
            return
        session = session_above(frame, codes)
        lease = lend_lost(
            codes.client,
            raw,
            request,
            frame if session is None else above(session),
            # Whatever it hands out may read this one.
            reading=raising and session is not None and reads_body(session),
            raising=raising,
        )
        blame(lease, place, ADAPTER)
        if lease is not None and raw.closed:
            lease.closed = guard.registry.clock()
    except LeakError:
        raise
    except Exception as error:
        guard.step_aside("build_response", error)


def dispatch_hook(wrapped: Method, *, codes: Codes) -> Method:
    """``dispatch_hook``: a response hook gets the response before it is read.

    Where the hook raises, or puts another response in its place, nobody else
    will read it.
    """

    def dispatching(key: Any, hooks: Any, hook_data: Any, **kwargs: Any) -> Any:
        if GATE.registry.suspects:
            _arrived(hook_data)
        called = hooks and hooks.get(key)
        if not called:
            # The other arguments are for the hooks alone.
            return wrapped(key, hooks, hook_data)
        # One by one, to know which it was.
        for hook in called if type(called) is list else [called]:
            try:
                result = wrapped(key, {key: hook}, hook_data, **kwargs)
            except BaseException as error:
                find: Any = partial(raised_in, error, codes.dispatch_hook)
                _leave(hook_data, find, sys._getframe(1), codes, raising=False)
                # What a traceback keeps of this frame shall keep nothing alive.
                hook_data = result = find = None
                raise
            if result is not hook_data:
                find = partial(place_of_callable, hook)
                _leave(hook_data, find, sys._getframe(1), codes, raising=True)
                hook_data = result
        return hook_data

    return dispatching


def _arrived(response: Any) -> None:
    """A session has got a response from its adapter, which has not lost it."""
    try:
        raw = response.raw
        lease = GATE.registry.get(raw._connection, raw)
    except Exception as error:  # A mock's, or it has been read.
        hand_back(error)
        return
    if lease is not None and lease.lost_by == ADAPTER:
        blame(lease, (), "")


def _leave(
    response: Any,
    find: Callable[[Origins], Place],
    frame: FrameType,
    codes: Codes,
    *,
    raising: bool,
) -> None:
    """Requests is not going to read this one.

    Not `raising`: an error of the program is on its way.
    """
    guard = GATE.guard
    if guard is None:
        return
    try:
        raw: Any = getattr(response, "raw", None)
        if holds_real_connection(raw):
            request = getattr(response, "request", None)
            caller = above(frame)
            lease = lend_lost(codes.client, raw, request, caller, raising=raising)
            stop_reading(guard.registry, lease, caller)
            blame(lease, find(guard.registry.origins), HOOK)
    except LeakError:
        raise
    except Exception as error:
        guard.step_aside("dispatch_hook", error)
