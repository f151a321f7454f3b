"""httpguard finds the HTTP responses that a program never closes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ._api.functions import (
    allow,
    check,
    install,
    no_leaks,
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
from ._model.errors import BaselineError, ConfigError, HTTPGuardError, LeakError
from ._model.version import __version__ as __version__

if TYPE_CHECKING:
    from ._model.leak import Frame, Leak, LeakKind, OpenResponse, PoolUse, Snapshot
    from ._model.settings import Settings

__all__ = [
    "BaselineError",
    "ConfigError",
    "Frame",
    "HTTPGuardError",
    "Leak",
    "LeakError",
    "LeakKind",
    "OpenResponse",
    "PoolUse",
    "Settings",
    "Snapshot",
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

# Dataclasses take most of the time of an import. A program that imports us may
# never install the guard; `install` imports these.
_LATER: Final = {
    "Settings": "_model.settings",
    "Frame": "_model.leak",
    "Leak": "_model.leak",
    "LeakKind": "_model.leak",
    "OpenResponse": "_model.leak",
    "PoolUse": "_model.leak",
    "Snapshot": "_model.leak",
}

# Type checkers shall say of a name that is not there that it is not there.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """A public name whose module is imported when it is asked for."""
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        value = getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        """All names, imported or not."""
        return sorted({*globals(), *__all__})
