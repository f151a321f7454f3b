"""The directory in which the process works."""

from __future__ import annotations

import os
from typing import Final

# As it was before anybody watched it: blockbuster, which tests of asyncio use, raises
# where this is called from a loop.
_getcwd: Final = os.getcwd


def working_directory() -> str:
    """It; empty: it was removed under us."""
    try:
        return _getcwd()
    except OSError:
        return ""
