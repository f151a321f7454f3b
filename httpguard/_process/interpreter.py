"""Which of the interpreters of this process runs the code, and of what kind it is."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Final

# CPython 3.13 and later; 3.10 to 3.12.
_MODULES: Final = ("_interpreters", "_xxsubinterpreters")
_MAIN: Final = 0


def is_main() -> bool:
    """Whether it is the main interpreter; True where Python cannot tell."""
    for name in _MODULES:
        try:
            current = import_module(name).get_current()
        except ImportError:
            continue
        # 3.13 and later add where it came from.
        return int(current[0] if isinstance(current, tuple) else current) == _MAIN
    return True


def has_the_lock() -> bool:
    """Whether one thread at a time runs Python code, as in most builds."""
    enabled = getattr(sys, "_is_gil_enabled", None)
    return enabled is None or bool(enabled())


def shortfall() -> str:
    """What is not found on this interpreter, as the log says it; empty on CPython."""
    if sys.implementation.name == "cpython":
        return ""
    return (
        f"on {sys.implementation.name} httpguard finds a dropped response once the "
        "collector has run, and not where a file object around it is dropped with it; "
        "a held one only while no thread reads from a socket; "
        "no session of requests"
    )
