"""httpguard's exceptions, and what the program throws into our code."""

from __future__ import annotations

import functools
import os
import sys
from typing import TYPE_CHECKING, Any, Final

from .. import _model  # noqa: TC001  # For typing.get_type_hints.

if TYPE_CHECKING:
    from types import CodeType

OWN_DIRECTORY: Final = (
    os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
)
"""httpguard's own."""


def hide_own(error: BaseException) -> None:
    """Take our frames off the outer end of a traceback.

    For the handler of a function of ours that says ``raise`` after it: from CPython
    3.11 on that adds no frame, and the traceback begins with whatever lies below. On
    3.10 ``raise`` knows the traceback as it was before.
    """
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(
        OWN_DIRECTORY
    ):
        trace = trace.tb_next
    error.__traceback__ = trace


class HTTPGuardError(Exception):
    """Everything httpguard raises derives from this."""

    # What a traceback shows is the name to catch it by.
    __module__ = "httpguard"


class ConfigError(HTTPGuardError, ValueError):
    """A setting has a value that is not accepted.

    The message names the setting (or the environment variable), the value and
    what is accepted. Only `install` (and `no_leaks`, where it has to install),
    `Settings`, `serve`, `wsgi_app` and `asgi_app` raise it.
    """

    __module__ = "httpguard"


class BaselineError(HTTPGuardError, ValueError):
    """A baseline file cannot be read or written.

    The message names the file, the line, and what is accepted.
    """

    __module__ = "httpguard"


class LeakError(HTTPGuardError):
    """Responses leaked, past what the settings or the scope allow.

    Args:
        message: The whole text: what was found, and every site.
        leaks: The leaks it is about, one for each kind and site.
    """

    __module__ = "httpguard"

    leaks: tuple[_model.Leak, ...]

    def __init__(self, message: str, leaks: tuple[_model.Leak, ...] = ()) -> None:
        super().__init__(message)
        self.leaks = leaks

    def __reduce__(self) -> tuple[Any, ...]:
        """Survive pickling, as worker processes need."""
        return (type(self), (str(self), self.leaks))


def hand_back(error: Exception) -> None:
    """Raise an error again that is none of ours, wherever one of ours is caught.

    A signal handler raises wherever its thread happens to be: so do the time limits of
    celery and RQ, and those that programs make of SIGALRM. To catch such an error
    would be to run on after the time is over.
    """
    if _is_the_programs(error):
        raise error


def _is_the_programs(error: Exception) -> bool:
    """Whether a signal handler or another thread has thrown it into our code."""
    codes = set()
    entry, last = error.__traceback__, ""
    while entry is not None:
        codes.add(entry.tb_frame.f_code)
        last = entry.tb_frame.f_code.co_filename
        entry = entry.tb_next
    if not codes:
        return False
    if last.startswith(OWN_DIRECTORY):
        # By `PyThreadState_SetAsyncExc`: our own lines raise no such thing.
        package = type(error).__module__.partition(".")[0]
        return package not in sys.stdlib_module_names and package != "httpguard"
    signal = sys.modules.get("signal")
    return signal is not None and any(
        _code(signal.getsignal(number)) in codes for number in signal.valid_signals()
    )


def _code(handler: Any) -> CodeType | None:
    """The code that runs when a signal comes, if it is Python's."""
    while isinstance(handler, functools.partial):
        handler = handler.func
    handler = getattr(handler, "__func__", handler)
    if not hasattr(handler, "__code__"):
        handler = vars(type(handler)).get("__call__")
    return getattr(handler, "__code__", None)
