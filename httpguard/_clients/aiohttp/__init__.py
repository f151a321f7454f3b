"""aiohttp: what is patched, and what is taken in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..patching import Package

if TYPE_CHECKING:
    from ..patching import Adopters, Patcher


def _patch(patcher: Patcher) -> None:
    from . import calls, connectors, taking
    from .client import AIOHTTP

    connectors.patch(patcher)
    taking.patch(patcher)
    calls.patch(patcher)
    AIOHTTP.calibrate()


def _adopters() -> Adopters:
    from .connectors import adopters

    return adopters()


PACKAGE: Final = Package("aiohttp", ("aiohttp",), ("aiohttp",), _patch, _adopters)
