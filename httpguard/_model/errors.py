"""httpguard's exceptions."""

from __future__ import annotations

import os
from typing import Any, Final

from .. import _model  # noqa: TC001  # For typing.get_type_hints.

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
    what is accepted. Only `install` (and `no_leaks`, where it has to install) and
    `serve`, `wsgi_app` and `asgi_app` raise it.
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
