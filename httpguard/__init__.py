"""httpguard finds the HTTP responses that a program never closes."""

from __future__ import annotations

from ._api import (
    allow,
    check,
    install,
    instrument_opentelemetry,
    no_leaks,
    prometheus_collector,
    render_prometheus,
    snapshot,
    touch,
    uninstall,
)
from ._config import Settings
from ._errors import BaselineError, ConfigError, HTTPGuardError
from ._leak import (
    Frame,
    Leak,
    LeakError,
    LeakKind,
    OpenResponse,
    PoolUse,
    Snapshot,
)
from ._live import asgi_app, serve, wsgi_app

__version__ = "0.1.0"

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
