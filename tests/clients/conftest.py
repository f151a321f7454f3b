"""Fixtures of httpx's tests: either package, in either loop."""

from __future__ import annotations

from typing import Any

import pytest

from ._loops import run_asyncio, run_trio


@pytest.fixture(params=["httpx", "httpx2"])
def httpx(request: pytest.FixtureRequest) -> Any:
    """Either package."""
    return pytest.importorskip(request.param)


@pytest.fixture(params=[run_asyncio, run_trio])
def run(request: pytest.FixtureRequest) -> Any:
    """Either loop."""
    return request.param
