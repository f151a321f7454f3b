"""http.client and urllib.request: what is patched, and what is taken in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..patching import Package

if TYPE_CHECKING:
    from ..patching import Adopters, Patcher


def _patch(patcher: Patcher) -> None:
    from . import connections

    connections.patch(patcher)


def _adopters() -> Adopters:
    from .connections import adopters

    return adopters()


PACKAGE: Final = Package(
    "http.client",
    ("http.client",),
    ("http.client", "urllib.request", "urllib.response", "urllib.error"),
    _patch,
    _adopters,
)
