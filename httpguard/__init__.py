"""httpguard finds the HTTP responses that a program never closes."""

from __future__ import annotations

from ._api import allow, check, install, no_leaks, snapshot, touch, uninstall
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
    "check",
    "install",
    "no_leaks",
    "snapshot",
    "touch",
    "uninstall",
]
