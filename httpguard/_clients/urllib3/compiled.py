"""What is compiled, where it could be: the Python code does the same."""

from __future__ import annotations

from typing import Any

from ..._stacks import capture

begin_lease: Any
near_site: Any
open_lease: Any
try:
    from ._speedups import begin_lease, near_site, open_lease
except ImportError:  # No compiler, or an interpreter it is not made for.
    begin_lease = open_lease = None
    near_site = capture.near_site

__all__ = ["begin_lease", "near_site", "open_lease"]
