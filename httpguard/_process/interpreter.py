"""Which of the interpreters of this process runs the code."""

from __future__ import annotations

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
