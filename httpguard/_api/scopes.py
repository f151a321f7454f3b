"""Scopes: `no_leaks` and `allow`."""

from __future__ import annotations

import abc
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from .._model.errors import HTTPGuardError, hide_own
from .._model.scope import CURRENT_SCOPE, Scope, current_scope
from .._process import installing as _installing
from .._process import process as _process
from .ending import pauses, refuse_what_is_unguarded, say_unfinished, sleep

if TYPE_CHECKING:
    from contextvars import Token

_F = TypeVar("_F", bound=Callable[..., Any])


class _Context(abc.ABC):
    """A scope as a context manager, sync and async, and as a decorator.

    Any number of threads and tasks may be in it at once, and more than once.
    """

    _reason: str | None = None

    def __init__(self) -> None:
        # The scopes that were entered and not left, in whatever contexts.
        self._tokens: dict[Scope, Token[Scope | None]] = {}
        # How often there was nothing to enter: as often there is nothing to leave.
        self._missed = 0

    def __enter__(self) -> None:
        scope = Scope(current_scope(), self._reason)
        self._tokens[scope] = CURRENT_SCOPE.set(scope)

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        scope, carried = self._leave()
        try:
            self._close(scope, raising=error is None)
        except HTTPGuardError as found:
            hide_own(found)
            raise
        finally:
            if scope is not None and carried:
                scope.over = True

    async def __aenter__(self) -> None:
        self.__enter__()

    async def __aexit__(
        self, kind: object, error: BaseException | None, traceback: object
    ) -> None:
        self.__exit__(kind, error, traceback)

    def __call__(self, function: _F) -> _F:
        """Run each call of a function in a scope of its own.

        An async function's to its end; one of `contextlib.contextmanager` or
        `contextlib.asynccontextmanager` with the block that it is used for.

        Raises:
            TypeError: It is no function whose body runs in a call: a generator
                function, a class, a fixture of pytest.
        """
        from .decorating import in_scope  # It imports inspect: 6 ms.

        return in_scope(function, self._again)

    def _leave(self) -> tuple[Scope | None, bool]:
        """Leave the innermost one that this context is in.

        Returns:
            It, and whether some context still carries it. None: there is none.
        """
        current = scope = CURRENT_SCOPE.get()
        while scope is not None and scope not in self._tokens:
            scope = scope.parent
        if scope is None and self._missed:
            self._missed -= 1
            return None, False
        try:
            # Entered in one context and left in another, as async fixtures do: any.
            scope, token = (
                self._tokens.popitem()
                if scope is None
                else (scope, self._tokens.pop(scope))
            )
        except KeyError:
            return None, False
        carried = current is not scope
        try:
            CURRENT_SCOPE.reset(token)
        except ValueError:  # The context that entered it cannot be reached.
            carried = True
        # Not what the token says: scopes may be left in another order than entered.
        if current is scope:
            current = scope.parent
            while current is not None and current.over:
                current = current.parent
        CURRENT_SCOPE.set(current)
        return scope, carried

    @abc.abstractmethod
    def _again(self) -> _Context:
        """A fresh one for one call of a decorated function."""

    def _close(self, scope: Scope | None, *, raising: bool) -> None:  # noqa: B027
        """What the end of the scope means: nothing, unless overridden."""


class no_leaks(_Context):  # noqa: N801  # Used like a function.
    """A scope that leaves nothing open: ``with httpguard.no_leaks(): ...``.

    Also ``async with``, and a decorator for sync and async functions and for those of
    `contextlib.contextmanager`. One object may be entered by many threads and tasks at
    once. Work that the scope hands to other threads or tasks belongs to it where
    context variables carry it there (`asyncio.to_thread`, tasks,
    ``contextvars.copy_context().run``). Its end waits for such threads, one second at
    most, and the log says what still goes on then. Where httpguard is not installed, it
    is installed for the time of the scope, with the settings of the environment; where
    these say ``HTTPGUARD_ENABLED=0``, nothing is checked.

    Raises:
        LeakError: At the end, responses opened inside leaked or are still open,
            whether strict mode is on or not; unless an exception of the body is
            on its way, which then passes and the leaks are only logged.
        ConfigError: It had to install, and a setting is not accepted, or this is a
            subinterpreter.
        HTTPGuardError: It cannot watch, at its beginning or, because httpguard was
            uninstalled or a client imported that it does not know, at its end: a
            check that did not run is no pass.
    """

    def __init__(self, *wrong: NoReturn) -> None:
        super().__init__()
        if wrong:
            msg = "no_leaks() takes no arguments: decorate with @httpguard.no_leaks()"
            raise TypeError(msg)

    def __enter__(self) -> None:
        try:
            if not _installing.enter_temporary():
                self._missed += 1
                return
            try:
                refuse_what_is_unguarded()
                super().__enter__()
            except BaseException:
                _installing.leave_temporary()
                raise
        except HTTPGuardError:
            raise
        except Exception as error:
            raise HTTPGuardError(
                f"no_leaks() cannot watch, and would prove nothing: {error!r}"
            ) from error

    async def __aexit__(
        self, kind: object, error: BaseException | None, traceback: object
    ) -> None:
        """As `__exit__`, but other tasks run while it waits."""
        try:
            scope, events = current_scope(), sys.modules.get("asyncio.events")
            if error is None and scope is not None and events is not None:
                looping = events._get_running_loop() is not None
                for pause in pauses(scope, looping=True) if looping else ():
                    await sleep(pause)
        finally:
            try:
                self.__exit__(kind, error, traceback)
            except HTTPGuardError as found:
                hide_own(found)
                raise

    def _again(self) -> no_leaks:
        return no_leaks()

    def _close(self, scope: Scope | None, *, raising: bool) -> None:
        if scope is None:
            return
        guard = _process.PROCESS.guard
        try:
            if guard is not None:
                if raising:
                    for pause in pauses(scope):
                        # Not `time.sleep`, which tests replace; gevent has both.
                        threading.Event().wait(pause)
                    say_unfinished(guard.scopes.unfinished(scope))
                guard.scopes.close(scope, raising=raising)
                if raising:
                    refuse_what_is_unguarded()
            elif raising:
                raise HTTPGuardError(
                    "no_leaks() could not check: httpguard was uninstalled inside of it"
                )
        finally:
            try:
                _installing.leave_temporary()
            except Exception as error:
                _process.failed("no_leaks", error)


class allow(_Context):  # noqa: N801  # Used like a function.
    """A scope whose responses are not judged: ``with httpguard.allow("why"):``.

    Also ``async with``, and a decorator for sync and async functions and for those of
    `contextlib.contextmanager`. One object may be entered by many threads and tasks at
    once. Responses opened inside stay unjudged for good, and so do those of the tasks
    that were started inside; they are shown in `snapshot`.

    Args:
        reason: Why they may stay open, for whoever reads the code or the
            snapshot.
    """

    def __init__(self, reason: str) -> None:
        super().__init__()
        if callable(reason):
            raise TypeError('allow() takes a reason first: @httpguard.allow("why")')
        self._reason = str(reason)

    def __enter__(self) -> None:
        try:
            super().__enter__()
        except Exception as error:
            self._missed += 1
            _process.failed("scope", error)

    def _again(self) -> allow:
        return allow(self._reason or "")
