"""What is compiled, where it could be: the Python code does the same."""

from __future__ import annotations

from typing import Any

begin_lease: Any
try:
    from ._speedups import begin_lease
except ImportError:  # No compiler, or an interpreter it is not made for.
    begin_lease = None

__all__ = ["begin_lease"]
