"""The public functions: thin, typed, and safe to call at any time.

The words of `install` on the settings are written: see `_model.settings`.
"""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Callable, Iterable  # noqa: TC003  # For get_type_hints.
from typing import Any, ParamSpec

from .._model.errors import ConfigError, LeakError, hide_own
from .._process import installing as _installing
from .._process import process as _process
from . import public  # For typing.get_type_hints.

_P = ParamSpec("_P")


def _as_given(declared: Callable[_P, None]) -> Callable[_P, None]:
    """Install with what was given: the default, if it is given, beats a variable.

    The signature is that of what is declared, with the real defaults.
    """

    @functools.wraps(declared)
    def install(*args: _P.args, **given: _P.kwargs) -> None:
        declared(*args, **given)  # Python knows best what is wrong with a call.
        _install(given)

    return install


def _install(given: dict[str, Any]) -> None:
    """Install, or step aside."""
    try:
        settings = _installing.load_settings(given)
        if not settings.enabled:
            _installing.stop()
            return
        from .._model.settings import unknown_variables

        for text in unknown_variables(os.environ):
            logging.getLogger("httpguard").warning(text)
        _installing.start(settings)
    except ConfigError:
        raise
    except Exception as error:
        _process.failed("install", error)


@_as_given
def install(
    *,
    strict: bool = False,
    max_leaks: int = 0,
    max_open: int | None = None,
    max_idle: float = 60.0,
    check_interval: float = 5.0,
    stack_depth: int = 32,
    sample: float = 1.0,
    app: Iterable[str] = (),
    vendored: Iterable[str] = (),
    ignore: Iterable[str] = (),
    max_wait: float | None = 5.0,
    max_sessions: int | None = 20,
    reclaim: bool = False,
    on_held: str = "report",
    log: str | os.PathLike[str] | None = None,
    log_max_bytes: int = 67108864,
    log_keep: int = 3,
    explain: float = 0.02,
    follow_executors: bool = False,
    enabled: bool = True,
    serve: int | str | tuple[str, int] | None = None,
    serve_token: str | None = None,
) -> None:
    """Guard this process: patch the HTTP clients, now or when they are imported.

    Every argument that is not given is read from the environment variable
    ``HTTPGUARD_<NAME>``, and is the default where that is unset or empty. A variable
    says None as ``none``, and separates several by commas. A second call replaces the
    settings and patches nothing twice.

    Args:
        strict: Raise `LeakError` past the thresholds instead of only logging.
        max_leaks: Strict mode raises when more than this many leaks were found.
        max_open: More responses than this open at once is reported; in strict mode the
            request that goes over it is closed and raises. None: no limit.
        max_idle: Seconds an open response may make no progress before it is `held`.
        check_interval: Seconds between sweeps of the watcher thread. 0: no thread,
            sweeps happen in `check()` and in guarded calls only.
        stack_depth: Application frames kept for each open response. Where 16 responses
            of a site have ended well and none has leaked, the six innermost frames, to
            save time; but all of them inside of `no_leaks`.
        sample: Share of responses, 0 to 1, whose stack is kept and whose leaks are
            reported. The counters stay exact.
        app: Module prefixes that count as the application's own code although they are
            installed in site-packages.
        vendored: Packages in which copies of urllib3 and requests lie, to be guarded
            too: `shop._vendor` of `shop._vendor.urllib3`. Those of pip and of snowflake
            are known.
        ignore: Patterns of URLs (they contain a `/`: `http://127.0.0.1:*/health`,
            `*/events`) and of modules (`vendored.client`) that are never judged.
        max_wait: Seconds a request may wait for a connection of a blocking pool before
            that is reported, with who holds the connections. None: not reported.
        max_sessions: More sessions than this that one line has made and that are in use
            and not closed are leaks of the kind `session`; one to each live thread is
            none. None: sessions are not judged.
        reclaim: Give slots of blocking pools back that leaks take from then on, so that
            the program lives on.
        on_held: `report` a `held` response only, or `close` it after that; a later read
            of it raises the client's own error.
        log: A file to which every event is appended as a line of JSON, whatever the
            logs do; any number of processes may share it. None: no file.
        log_max_bytes: That file is rotated before it becomes larger. 0: never.
        log_keep: Rotated files that stay: `FILE.1` is the latest.
        explain: Seconds of processor time, for each site, that a sweep may search for
            what still refers to a `held` or `open` response. 0: it does not.
        follow_executors: Patch thread pools too, so that the stack of what their
            workers open goes on to the line that submitted the work. gevent's greenlets
            need no patch.
        enabled: False turns `install` into nothing (and, if httpguard is installed,
            uninstalls it). With `HTTPGUARD_ENABLED=0`, `no_leaks` checks nothing
            either.
        serve: Serve the live page at this port of 127.0.0.1 (0: a free one), or at this
            `HOST:PORT`. None: do not. `uninstall` closes it.
        serve_token: What whoever wants to see the page has to know, as `token` of
            `serve`. Needed for any but a loopback address.

    Raises:
        ConfigError: A setting is not accepted; the message names it, its value
            and what is. Or this is a subinterpreter. Nothing has been patched then.
    """


def uninstall() -> None:
    """Stop guarding: every patched attribute is the very object it was before.

    Does nothing if httpguard is not installed. Leaks that are known by then are
    reported first.
    """
    try:
        _installing.stop()
    except Exception as error:
        _process.failed("uninstall", error)


def check() -> public.Snapshot:
    """Sweep now instead of waiting for the watcher.

    Returns:
        What is open and what leaked; empty if httpguard is not installed.

    Raises:
        LeakError: In strict mode, more than ``max_leaks`` leaks were found and
            some of them were not raised before.
    """
    guard = _process.PROCESS.guard
    try:
        return public.Snapshot() if guard is None else guard.check()
    except LeakError as error:
        hide_own(error)
        raise


def snapshot() -> public.Snapshot:
    """What is open, what leaked, and the counters. Reports and raises nothing.

    What was collected by now is judged and counted; its reports come with the next
    sweep or guarded call.

    Returns:
        The state now; empty if httpguard is not installed.
    """
    guard = _process.PROCESS.guard
    return public.Snapshot() if guard is None else guard.snapshot()


def touch(response: Any) -> bool:
    """Say that an idle response is still needed: its idle clock starts again.

    Args:
        response: Of any client that is guarded; or what has it: an error of requests
            or urllib.request, a body of botocore, a stream of openai.

    Returns:
        Whether it is open and guarded.
    """
    guard = _process.PROCESS.guard
    return False if guard is None else guard.touch(response)
