"""httpguard's exceptions."""

from __future__ import annotations

from typing import Any

from .. import _model  # noqa: TC001  # For typing.get_type_hints.


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
