"""The root of httpguard's exceptions, and the one for settings."""

from __future__ import annotations


class HTTPGuardError(Exception):
    """Everything httpguard raises derives from this."""

    # What a traceback shows is the name to catch it by.
    __module__ = "httpguard"


class ConfigError(HTTPGuardError, ValueError):
    """A setting has a value that is not accepted.

    The message names the setting (or the environment variable), the value and
    what is accepted. Only `install` (and `no_leaks`, where it has to install)
    raises it.
    """

    __module__ = "httpguard"


class BaselineError(HTTPGuardError, ValueError):
    """A baseline file cannot be read or written.

    The message names the file, the line, and what is accepted.
    """

    __module__ = "httpguard"
