"""Fixtures of httpx's tests: either package, in either loop."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import pytest

from ._loops import run_asyncio, run_trio

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(params=["httpx", "httpx2"])
def httpx(request: pytest.FixtureRequest) -> Any:
    """Either package."""
    return pytest.importorskip(request.param)


@pytest.fixture(params=[run_asyncio, run_trio])
def run(request: pytest.FixtureRequest) -> Any:
    """Either loop."""
    return request.param


@pytest.fixture
def no_collections() -> Iterator[None]:
    """What is found is found without the garbage collector."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()
