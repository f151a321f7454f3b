"""Programs that leak, each with the nearest one that does not.

Every module holds cases of one kind of program. A leaking one says ``# LEAK``
at the line that is to be named: the application's own line that opened the
response, or made the session. They run against a real server, over real sockets.
Sessions are judged in `sessions` alone: the other programs are about responses, and
drop their sessions.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from ._case import CASES, Case

_NEEDED = frozenset({"httpguard", "tests", "requests", "urllib3"})

__all__ = ["CASES", "Case", "load"]


def load(*clients: str) -> list[Case]:
    """All the cases whose packages are installed.

    Args:
        *clients: How the names of their modules begin; none: whatever they are.

    Returns:
        In the order of the modules' names, and within one of its source.
    """
    for module in iter_modules(__path__):
        if not module.name.startswith("_") and module.name.startswith(clients or ""):
            _import(f"{__name__}.{module.name}")
    return [
        case for case in CASES if case.runnable and case.name.startswith(clients or "")
    ]


def _import(name: str) -> None:
    """Import a module of the catalogue, unless it needs a package that is absent."""
    try:
        import_module(name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in _NEEDED:
            raise
