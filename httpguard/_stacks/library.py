"""Which library lost a response: the one that the application has called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .._model.errors import OWN_DIRECTORY
from .capture import CUT, frame_of, pairs
from .ownership import installed_package
from .submission import MARK

if TYPE_CHECKING:
    from types import CodeType

    from .._model.leak import Frame
    from .ownership import Origins
    from .raw import RawStack

# What decorators call their functions: no names that say anything.
_DECORATORS: Final = frozenset({"inner", "wrapped", "wrapper"})
# Installed packages that only call what the application has called.
_BETWEEN: Final = frozenset(
    {
        *("backoff", "beartype", "ddtrace", "decorator", "deprecated", "newrelic"),
        *("opentelemetry", "pydantic", "retry", "retrying", "sentry_sdk", "stamina"),
        *("tenacity", "typeguard", "wrapt"),
    }
)


def find_library(stack: RawStack, site: Frame, origins: Origins) -> tuple[str, str]:
    """The installed package that a site has called, and the function of it.

    Args:
        stack: What `capture` returned.
        site: What `find_site` returned for it.
        origins: Whose code a file is.

    Returns:
        Both empty where it has called the HTTP library itself.
    """
    below: CodeType | None = None
    for code, offset in pairs(stack):
        if code.co_filename.startswith(OWN_DIRECTORY) or code is MARK or code is CUT:
            continue
        if (
            origins[code.co_filename]
            and frame_of(code, offset, application=True) == site
        ):
            break
        if below is None or not (
            code.co_name in _DECORATORS
            or installed_package(code.co_filename) in _BETWEEN
        ):
            below = code
    else:
        below = None
    if below is None or origins.http_package(below.co_filename):
        return "", ""
    package = installed_package(below.co_filename)
    return (package, below.co_name) if package else ("", "")
