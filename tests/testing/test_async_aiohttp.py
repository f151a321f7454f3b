"""Async tests of aiohttp under pytest-asyncio: a leak is its own test's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.program import line_of

from .suites import found

if TYPE_CHECKING:
    from .suites import Suite

pytest_plugins = ["pytester"]
pytest.importorskip("aiohttp")

_TESTS = """
    import aiohttp, asyncio, pytest_asyncio

    pytestmark = pytest.mark.asyncio
    BIG = shop.URL.replace("90000", "2000000")

    @pytest_asyncio.fixture
    async def session():
        async with aiohttp.ClientSession() as session:
            yield session

    async def test_drops(session):
        assert (await session.get(BIG)).status == 200  # leaks once

    async def test_drops_two(session):
        for url in (BIG, BIG):
            await session.get(url)  # leaks twice

    kept = []

    async def test_twin_that_its_session_closes(session):
        kept.append(await session.get(BIG))

    @pytest.mark.parametrize("path", ["slow", "slow-chunked"])
    async def test_twin_whose_body_may_arrive(session, path):
        await session.get(BIG.replace("bytes/2000000", f"{path}/of-a-twin"))

    async def test_twin_that_a_task_reads(session):
        async def read():
            async with session.get(BIG) as response:
                await response.content.readexactly(1)
                await asyncio.sleep(3600)

        kept.append(asyncio.create_task(read()))
        await asyncio.sleep(0.1)

    async def test_twin(session):
        async with session.get(BIG) as response:
            assert response.status == 200
"""


def test_what_only_its_session_has_is_dropped(suite: Suite) -> None:
    source = suite.test(_TESTS)
    result = suite.run(plugins=("pytest_asyncio.plugin",))
    result.assert_outcomes(passed=5, failed=2)
    assert found(result) == [
        f"{count} dropped at test_it.py:{line_of(source, mark)} in {test}"
        for count, mark, test in (
            (1, "# leaks once", "test_drops"),
            (2, "# leaks twice", "test_drops_two"),
        )
    ]
