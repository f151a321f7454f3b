"""What programs on SDKs have in common."""

from __future__ import annotations

import asyncio
from importlib.metadata import requires
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from types import ModuleType


def package_of(sdk: ModuleType | str) -> str:
    """``httpx``, or ``httpx2``, on which newer versions of the SDKs are built.

    Args:
        sdk: Imported, or the name of its distribution.
    """
    name = sdk if isinstance(sdk, str) else sdk.__name__
    needs = " ".join(one for one in requires(name) or () if "extra ==" not in one)
    return "httpx2" if "httpx2" in needs else "httpx"


def run_on(program: Coroutine[Any, Any, object]) -> object:
    """As `asyncio.run`, which would end generators that are kept."""
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(program)
    finally:
        loop.close()
