"""The public functions: thin, typed, and safe to call at any time."""

from __future__ import annotations

import abc
import contextlib
import functools
import logging
import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from .._model.errors import ConfigError
from .._model.scope import CURRENT_SCOPE, Scope
from .._process import process as _process

if TYPE_CHECKING:
    from contextvars import Token
    from types import TracebackType

    from .._model.leak import Snapshot

_UNSET: Final[Any] = object()
_F = TypeVar("_F", bound=Callable[..., Any])


def install(
    *,
    strict: bool = _UNSET,
    max_leaks: int = _UNSET,
    max_open: int | None = _UNSET,
    max_idle: float = _UNSET,
    check_interval: float = _UNSET,
    stack_depth: int = _UNSET,
    sample: float = _UNSET,
    app: Iterable[str] = _UNSET,
    ignore: Iterable[str] = _UNSET,
    max_wait: float | None = _UNSET,
    max_sessions: int | None = _UNSET,
    reclaim: bool = _UNSET,
    on_held: str = _UNSET,
    log: str | os.PathLike[str] | None = _UNSET,
    log_max_bytes: int = _UNSET,
    log_keep: int = _UNSET,
    explain: float = _UNSET,
    follow_executors: bool = _UNSET,
    enabled: bool = _UNSET,
    serve: int | str | None = _UNSET,
    serve_token: str | None = _UNSET,
) -> None:
    """Guard this process: patch urllib3 and requests, now or when imported.

    Every argument that is not given is read from the environment variable
    ``HTTPGUARD_<NAME>``, and is the default where that is unset. A second call
    replaces the settings and patches nothing twice.

    Args:
        strict: Raise `LeakError` past the thresholds instead of only logging.
        max_leaks: Strict mode raises when more than this many leaks were found.
        max_open: More responses than this open at once is reported; in strict
            mode the request that goes over it is closed and raises. None: no
            limit.
        max_idle: Seconds an open response may make no progress before it is
            `held`.
        check_interval: Seconds between sweeps of the watcher thread; 0: no
            thread.
        stack_depth: Application frames kept for each open response. Where 16 responses
            of a site have ended well and none has leaked, the eight innermost frames,
            to save time; but all of them inside of `no_leaks`.
        sample: Share of responses, 0 to 1, that are tracked. The counters stay
            exact.
        app: Module prefixes that count as the application's own code although
            they are installed in site-packages.
        ignore: URL patterns (they contain a ``/``) or module patterns that are
            never judged.
        max_wait: Seconds a request may wait for a connection of a blocking pool
            before that is reported, with who holds the connections. None: not
            reported.
        max_sessions: More sessions than this that one line has made and that are
            in use and not closed are leaks of the kind `session`. None: sessions
            are not judged.
        reclaim: Give slots of blocking pools that leaks have taken back, so that
            the program lives on.
        on_held: ``report`` a `held` response only, or ``close`` it after that; a
            later read of it raises urllib3's own error.
        log: A file to which every event is appended as a line of JSON, whatever
            the logs do; any number of processes may share it. None: no file.
        log_max_bytes: That file is rotated before it becomes larger; 0: never.
        log_keep: Rotated files to keep: ``FILE.1`` is the latest.
        explain: Seconds of processor time, for each site, that a sweep may search
            for what still refers to a `held` or `open` response. 0: it does not.
        follow_executors: Whether to patch ``ThreadPoolExecutor`` too, so that the
            stack of what its workers open goes on to the line that submitted the
            work. gevent's greenlets need no patch.
        enabled: False turns this call into nothing (and, if httpguard is
            installed, uninstalls it).
        serve: Serve the live page at this port of 127.0.0.1, or at this
            ``HOST:PORT``; 0: a free port. None: do not. `uninstall` closes it.
        serve_token: As ``token`` of `httpguard.serve`.

    Raises:
        ConfigError: A setting is not accepted; the message names it, its value
            and what is. Or this is a subinterpreter. Nothing has been patched then.
    """
    given = {name: value for name, value in locals().items() if value is not _UNSET}
    try:
        settings = _process.load_settings(given)
        if not settings.enabled:
            uninstall()
            return
        from .._model.settings import unknown_variables

        for name in unknown_variables(os.environ):
            logging.getLogger("httpguard").warning(
                "httpguard knows no setting %s; is it a typo?", name
            )
        _process.start(settings)
    except ConfigError:
        raise
    except Exception as error:
        _process.failed("install", error)


def uninstall() -> None:
    """Stop guarding: every patched attribute is the very object it was before.

    Does nothing if httpguard is not installed. Leaks that are known by then are
    reported first.
    """
    try:
        _process.stop()
    except Exception as error:
        _process.failed("uninstall", error)


def check() -> Snapshot:
    """Sweep now instead of waiting for the watcher.

    Returns:
        What is open and what leaked; empty if httpguard is not installed.

    Raises:
        LeakError: In strict mode, more than ``max_leaks`` leaks were found and
            some of them were not raised before.
    """
    guard = _process.current()
    return _nothing() if guard is None else guard.check()


def snapshot() -> Snapshot:
    """What is open, what leaked, and the counters. Changes and raises nothing.

    Returns:
        The state now; empty if httpguard is not installed.
    """
    guard = _process.current()
    return _nothing() if guard is None else guard.snapshot()


def _nothing() -> Snapshot:
    """What is known where httpguard is not installed."""
    from .._model.leak import Snapshot

    return Snapshot()


def touch(response: Any) -> bool:
    """Say that an idle response is still needed: its idle clock starts again.

    Args:
        response: Of requests or urllib3.

    Returns:
        Whether it is open and guarded.
    """
    guard = _process.current()
    return False if guard is None else guard.touch(response)


class _Context(abc.ABC):
    """A scope as a context manager, sync and async, and as a decorator."""

    _reason: str | None = None

    def __init__(self) -> None:
        """Nothing entered yet; each entry has a scope of its own."""
        self._entered: list[tuple[Scope, Token[Scope | None]] | None] = []

    def __enter__(self) -> None:
        """Responses opened from here on belong to this scope."""
        try:
            scope = Scope(CURRENT_SCOPE.get(), self._reason)
            self._entered.append((scope, CURRENT_SCOPE.set(scope)))
        except Exception as failure:
            self._entered.append(None)
            _process.failed("scope", failure)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """The scope ends."""
        entered = self._entered.pop()
        if entered is None:
            self._close(None, raising=False)
            return
        scope, token = entered
        # Entered in one context and left in another, as async fixtures do:
        # there is nothing to put back here.
        with contextlib.suppress(ValueError):
            CURRENT_SCOPE.reset(token)
        self._close(scope, raising=error is None)

    async def __aenter__(self) -> None:
        """As `__enter__`."""
        self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """As `__exit__`."""
        self.__exit__(kind, error, traceback)

    def __call__(self, function: _F) -> _F:
        """Run each call of a function, sync or async, in a scope of its own.

        Raises:
            TypeError: It is a generator function, whose body runs when nobody
                is in the scope.
        """
        import inspect

        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(
            function
        ):
            msg = f"{function!r} is a generator: use `with` inside it instead"
            raise TypeError(msg)
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def run_async(*args: Any, **kwargs: Any) -> Any:
                """Call it in a scope."""
                async with self._again():
                    return await function(*args, **kwargs)

            return cast("_F", run_async)

        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            with self._again():
                return function(*args, **kwargs)

        return cast("_F", run)

    @abc.abstractmethod
    def _again(self) -> _Context:
        """A fresh one for one call of a decorated function."""

    def _close(self, scope: Scope | None, *, raising: bool) -> None:  # noqa: B027
        """What the end of the scope means: nothing, unless overridden."""


class no_leaks(_Context):  # noqa: N801  # Used like a function.
    """A scope that leaves nothing open: ``with httpguard.no_leaks(): ...``.

    Also ``async with``, and a decorator for sync and async functions. Work that
    the scope hands to other threads or tasks belongs to it where context
    variables carry it there (`asyncio.to_thread`, tasks,
    ``contextvars.copy_context().run``). Where httpguard is not installed, it is
    installed for the time of the scope, with the settings of the environment.

    Raises:
        LeakError: At the end, responses opened inside leaked or are still open,
            whether strict mode is on or not; unless an exception of the body is
            on its way, which then passes and the leaks are only logged.
        ConfigError: It had to install, and a setting is not accepted.
    """

    def __enter__(self) -> None:
        """Install if need be."""
        try:
            _process.enter_temporary()
        except ConfigError:
            raise
        except Exception as error:
            _process.failed("no_leaks", error)
        super().__enter__()

    def _again(self) -> no_leaks:
        """A fresh one for one call of a decorated function."""
        return no_leaks()

    def _close(self, scope: Scope | None, *, raising: bool) -> None:
        """Judge what is left and raise it."""
        guard = _process.current()
        try:
            if guard is not None and scope is not None:
                guard.close_scope(scope, raising=raising)
        finally:
            try:
                _process.leave_temporary()
            except Exception as error:
                _process.failed("no_leaks", error)


class allow(_Context):  # noqa: N801  # Used like a function.
    """A scope whose responses are not judged: ``with httpguard.allow("why"):``.

    Also ``async with``, and a decorator for sync and async functions. Responses
    opened inside stay unjudged for good; they are shown in `snapshot`.

    Args:
        reason: Why they may stay open, for whoever reads the code or the
            snapshot.
    """

    def __init__(self, reason: str) -> None:
        """Keep the reason."""
        super().__init__()
        self._reason = str(reason)

    def _again(self) -> allow:
        """A fresh one for one call of a decorated function."""
        return allow(self._reason or "")
