"""Scopes that promised to leave nothing open: `no_leaks`, a test.

They may have handed work to other threads. One that cannot be cancelled goes on when
nobody waits for it any more: ``asyncio.wait_for(asyncio.to_thread(...), ...)`` gives
up, and its call opens a response later.
"""

from __future__ import annotations

import functools
import gc
import threading
from contextvars import Context
from types import BuiltinMethodType, FunctionType, MethodType
from typing import TYPE_CHECKING, Any

from .._model.scope import CURRENT_SCOPE, is_within
from .._stacks.running import frames_of_threads
from .._stacks.variables import first_argument, variable
from .strict import leak_error

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from .._leases.detector import Detector
    from .._model.errors import LeakError
    from .._model.scope import Scope
    from .calls import Calls


class Scopes:
    """Judges what a scope leaves. Nothing but `LeakError` ever rises."""

    def __init__(self, guard: Calls) -> None:
        self._guard = guard

    def bury(self, scope: Scope) -> None:
        """Judge what was dropped, cycles of a scope included. Reports, raises not.

        Args:
            scope: What its code has dropped in cycles is collected; two looks find
                what is not, since its client keeps it. A body that may yet arrive by
                itself is let off: its loop stands while a scope is judged.
        """
        try:
            self._collect(scope)
            detector = self._guard.detector
            for _ in range(2):
                if _is_left(detector, scope):
                    self._guard.sweep(detector.sweep)
                    for lease in self._guard.registry.left_open(scope):
                        if lease.arrived is not None:
                            lease.lonely = None
            self._guard.outbox.flush()
        except Exception as error:
            self._guard.step_aside("bury", error)

    def is_arriving(self, scope: Scope) -> bool:
        """Whether a body comes in that a scope left, and ends its lease by itself."""
        try:
            return any(
                lease.client.takes_in > 0
                and (lease.length or 0) <= lease.client.takes_in
                for lease in self._guard.registry.left_open(scope)
            )
        except Exception as error:
            self._guard.step_aside("is_arriving", error)
            return False

    def unfinished(self, scope: Scope) -> list[str]:
        """What other threads still do for a scope, by name."""
        try:
            return unfinished(scope) if threading.active_count() > 1 else []
        except Exception as error:
            self._guard.step_aside("unfinished", error)
            return []

    def close(self, scope: Scope, *, raising: bool) -> None:
        """Judge what a `no_leaks` scope leaves.

        Raises:
            LeakError: Leaks of the scope that were not raised before.
        """
        error = None
        try:
            self._collect(scope)
            self._guard.sweep(lambda: self._guard.detector.close_scope(scope))
            self._guard.outbox.flush()
        except Exception as failure:
            self._guard.step_aside("close_scope", failure)
        scope.over = True  # Whatever failed above.
        try:
            error = self._scope_error(scope, raising=raising)
        except Exception as failure:
            self._guard.step_aside("no_leaks", failure)
        if error is not None:
            raise error

    def _collect(self, scope: Scope) -> None:
        """Judge what was collected, and what a scope has dropped in cycles."""
        detector = self._guard.detector
        self._guard.sweep(detector.bury)
        if _is_left(detector, scope):
            gc.collect()
            self._guard.sweep(lambda: detector.bury(doubtful=True))

    def _scope_error(self, scope: Scope, *, raising: bool) -> LeakError | None:
        """What a scope that has ended is to raise; or its parent gets to know."""
        findings = [finding for finding in scope.findings if not finding.raised]
        if findings and raising:
            limit = "in a scope that promised none"
            return leak_error(findings, limit, self._guard.registry.origins)
        outer = scope.parent.promise if scope.parent is not None else None
        if outer is not None:
            outer.findings += findings
        return None


def unfinished(scope: Scope) -> list[str]:
    """What other threads do in copies of the context of a scope, by name.

    Threads that were started with ``context.run``, and workers of executors and of
    anyio: what `asyncio.to_thread` and its like call.
    """
    frames = frames_of_threads()
    frames.pop(threading.get_ident(), None)
    found = []
    for top in frames.values():
        frame: FrameType | None = top
        while frame is not None:
            if frame.f_code.co_name == "run":
                found += [
                    name
                    for context, name in _work(frame)
                    if is_within(context.get(CURRENT_SCOPE), scope)
                ]
            frame = frame.f_back
    return found


def _work(frame: FrameType) -> Iterator[tuple[Context, str]]:
    """The context in which a thread runs what it was given, and what that is."""
    worker = first_argument(frame)
    module = frame.f_globals.get("__name__")
    if module == "concurrent.futures.thread":
        # From CPython 3.14 on it is a tuple with the arguments.
        work = getattr(worker, "fn", None) or getattr(worker, "task", (None,))[0]
        work = getattr(work, "__wrapped__", work)
        if type(work) is functools.partial:
            yield from _bound(work.func, work.args)
    elif module == "threading":
        yield from _bound(
            getattr(worker, "_target", None), getattr(worker, "_args", ())
        )
    elif module == "anyio._backends._asyncio":
        context = variable(frame, "context")
        if type(context) is Context:
            yield context, _name(variable(frame, "func"))


def _bound(call: object, args: tuple[Any, ...]) -> Iterator[tuple[Context, str]]:
    """The context of a `Context.run`, and what runs in it."""
    if type(call) is BuiltinMethodType and type(call.__self__) is Context:
        yield call.__self__, _name(args[0] if args else None)


def _name(function: object) -> str:
    """Of a callable, whose own attributes may be anything."""
    while type(function) is functools.partial:
        function = function.func
    if isinstance(function, (FunctionType, MethodType, BuiltinMethodType)):
        return function.__qualname__
    return type(function).__qualname__


def _is_left(detector: Detector, scope: Scope) -> bool:
    """Whether a scope has left responses open, or more sessions than it may."""
    registry = detector.registry
    return bool(registry.left_open(scope)) or detector.sessions.is_crowded(
        scope, registry.clock()
    )
