"""httpguard finds the HTTP responses that a program never closes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._api import public
from ._api.install import (
    check,
    install,
    snapshot,
    touch,
    uninstall,
)
from ._api.metrics import (
    instrument_opentelemetry,
    prometheus_collector,
    render_prometheus,
)
from ._api.pages import asgi_app, serve, wsgi_app
from ._api.scopes import allow, no_leaks
from ._model.errors import BaselineError, ConfigError, HTTPGuardError, LeakError
from ._model.version import __version__ as __version__

if TYPE_CHECKING:
    from ._api.public import (
        ASGIApplication,
        Counters,
        Frame,
        Instrumentation,
        Leak,
        LeakKind,
        OpenResponse,
        Page,
        PoolUse,
        Settings,
        Snapshot,
        WSGIApplication,
    )

__all__ = [
    "ASGIApplication",
    "BaselineError",
    "ConfigError",
    "Counters",
    "Frame",
    "HTTPGuardError",
    "Instrumentation",
    "Leak",
    "LeakError",
    "LeakKind",
    "OpenResponse",
    "Page",
    "PoolUse",
    "Settings",
    "Snapshot",
    "WSGIApplication",
    "allow",
    "asgi_app",
    "check",
    "install",
    "instrument_opentelemetry",
    "no_leaks",
    "prometheus_collector",
    "render_prometheus",
    "serve",
    "snapshot",
    "touch",
    "uninstall",
    "wsgi_app",
]

# Type checkers shall say of a name that is not there that it is not there.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """A public type whose module is imported when it is asked for."""
        if name not in public.FILES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(public, name)
        return value

    def __dir__() -> list[str]:
        """All names, imported or not."""
        return sorted({*globals(), *__all__})
