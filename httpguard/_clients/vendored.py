"""Copies of urllib3 and requests that other packages bring along."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .requests import requests_package
from .urllib3.callers import Codes
from .urllib3.client import Urllib3
from .urllib3.package import urllib3_package

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .patching import Package

_KNOWN: Final = ("pip._vendor", "snowflake.connector.vendored")


def places(named: Iterable[str]) -> tuple[str, ...]:
    """The packages in which copies may lie.

    Args:
        named: By the setting ``vendored``: such packages, or the copies in them.
    """
    found = [name.removesuffix(".urllib3").removesuffix(".requests") for name in named]
    return tuple(dict.fromkeys((*_KNOWN, *found)))


def packages(named: Iterable[str]) -> tuple[str, ...]:
    """The copies that there may be. Argument as of `places`."""
    return tuple(
        f"{place}.{name}" for place in places(named) for name in ("urllib3", "requests")
    )


def copies(place: str) -> tuple[Package, ...]:
    """The copies in a package."""
    codes = Codes(Urllib3(f"{place}.urllib3"))
    return urllib3_package(codes), requests_package(f"{place}.requests", codes)
