"""The types that the public functions take and return, imported when asked for.

A program that imports httpguard may never install it, and dataclasses take most of
the time of an import. Annotations name the types through this module, so that
`typing.get_type_hints` finds them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .._model.report import REPORT

if TYPE_CHECKING:
    from opentelemetry._logs import LoggerProvider
    from opentelemetry.metrics import MeterProvider
    from prometheus_client.registry import Collector

    from .._metrics.measures import Instrumentation
    from .._model.leak import Frame, Leak, LeakKind
    from .._model.settings import Settings
    from .._model.snapshot import Counters, OpenResponse, PoolUse, Snapshot
    from .._web import ASGIApplication, Page, WSGIApplication

    __all__ = [
        "ASGIApplication",
        "Collector",
        "Counters",
        "Frame",
        "Instrumentation",
        "Leak",
        "LeakKind",
        "LoggerProvider",
        "MeterProvider",
        "OpenResponse",
        "Page",
        "PoolUse",
        "Settings",
        "Snapshot",
        "WSGIApplication",
    ]

# Where each of ours is.
FILES: Final = {
    **dict.fromkeys(("Frame", "Leak", "LeakKind"), "_model.leak"),
    **dict.fromkeys(
        ("Counters", "OpenResponse", "PoolUse", "Snapshot"), "_model.snapshot"
    ),
    "Settings": "_model.settings",
    "Instrumentation": "_metrics.measures",
    **dict.fromkeys(("ASGIApplication", "Page", "WSGIApplication"), "_web"),
}
# Those of others, which may not be installed.
_FOREIGN: Final = {
    "Collector": "prometheus_client.registry",
    "LoggerProvider": "opentelemetry._logs",
    "MeterProvider": "opentelemetry.metrics",
}

# Type checkers shall say of a name that is not there that it is not there.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """A type whose module is imported now."""
        if name in FILES:
            module = f"httpguard.{FILES[name]}"
        elif name in _FOREIGN:
            module = _FOREIGN[name]
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        value = globals()[name] = getattr(import_module(module), name)
        return value


def _describe(leak: Leak) -> str:
    """A leak's report, in a process too that has only unpickled it."""
    from .._text.leaks import describe

    return describe(leak)


REPORT.by(_describe)
