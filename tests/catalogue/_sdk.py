"""What programs on SDKs have in common."""

from __future__ import annotations

import asyncio
from importlib import import_module
from importlib.metadata import requires
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Coroutine


class Later:
    """A package that is imported when a program first uses it.

    Some SDKs have thousands of modules, which every worker would import as it collects
    the tests.

    Args:
        name: Of the package.

    Raises:
        ModuleNotFoundError: It is not installed.
    """

    def __init__(self, name: str) -> None:
        if find_spec(name) is None:
            msg = f"{name} is not installed"
            raise ModuleNotFoundError(msg, name=name)
        self._name = name

    def __getattr__(self, name: str) -> Any:
        return getattr(import_module(self._name), name)


def package_of(sdk: str) -> str:
    """``httpx``, or ``httpx2``, on which newer versions of the SDKs are built.

    Args:
        sdk: The name of its distribution.
    """
    needs = " ".join(one for one in requires(sdk) or () if "extra ==" not in one)
    return "httpx2" if "httpx2" in needs else "httpx"


def run_on(program: Coroutine[Any, Any, object]) -> object:
    """As `asyncio.run`, which would end generators that are kept."""
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(program)
    finally:
        loop.close()
