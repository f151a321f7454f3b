"""Async tests of httpx under pytest-asyncio and anyio: a leak is its own test's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .suites import found

if TYPE_CHECKING:
    from .suites import Suite

pytest_plugins = ["pytester"]
pytest.importorskip("httpx")
pytest.importorskip("trio")

_SHOP = """\
import httpx

async def leaves(client, url):
    request = client.build_request("GET", url)
    return await client.send(request, stream=True)
"""

_TESTS = """
        import asyncio, gc, httpx, store

        @{fixture}
        async def client({backend}):
            async with httpx.AsyncClient() as client:
                yield client

        async def test_drops(client):
            await store.leaves(client, shop.URL)

        async def test_drops_in_a_task(client):
            async def work():
                await store.leaves(client, shop.URL)
            {both}

        kept = []

        async def test_twin_that_its_client_closes(client):
            kept.append(await store.leaves(client, shop.URL))

        async def test_twin(client):
            response = await store.leaves(client, shop.URL)
            await response.aread()
            assert (await client.get(shop.URL)).status_code == 200

        async def test_twin_in_a_task(client):
            async def work():
                async with client.stream("GET", shop.URL) as response:
                    assert response.status_code == 200
            {both}
"""


def test_async_tests_of_httpx(suite: Suite) -> None:
    suite.write("store.py", _SHOP)
    suite.test(
        "import pytest_asyncio\npytestmark = pytest.mark.asyncio\n"
        + _dedented(
            fixture="pytest_asyncio.fixture",
            backend="",
            both="await asyncio.gather(work(), work())",
        )
    )
    suite.test(
        "import anyio\npytestmark = pytest.mark.anyio\n"
        + _dedented(
            fixture="pytest.fixture",
            backend="anyio_backend",
            both="""async with anyio.create_task_group() as tasks:
        tasks.start_soon(work)
        tasks.start_soon(work)""",
        ),
        "test_any.py",
    )
    result = suite.run(plugins=("pytest_asyncio.plugin", "anyio.pytest_plugin"))
    # Of anyio, once under asyncio and once under trio.
    leaking = ("test_drops", "test_drops_in_a_task")
    failed = {
        line.split(" ")[1].partition("::")[2]
        for line in result.outlines
        if line.startswith("FAILED ")
    }
    backends = ("", "[asyncio]", "[trio]")
    assert failed == {name + backend for name in leaking for backend in backends}
    assert found(result) == ["9 dropped at store.py:5 in leaves"]


def _dedented(**words: str) -> str:
    import textwrap

    return textwrap.dedent(_TESTS).format(**words)


def test_what_pytest_httpx_answers_has_no_lease(suite: Suite) -> None:
    pytest.importorskip("pytest_httpx")
    suite.write("store.py", _SHOP)
    suite.test(
        """
        import asyncio, gc, httpx, store

        def test_twin(httpx_mock):
            httpx_mock.add_response(text="x")
            client = httpx.Client()
            client.send(client.build_request("GET", "http://h.invalid/"), stream=True)
            gc.collect()

        def test_twin_in_a_task(httpx_mock):
            httpx_mock.add_response(text="x")
            asyncio.run(store.leaves(httpx.AsyncClient(), "http://h.invalid/"))
            gc.collect()

        def test_drops():
            asyncio.run(store.leaves(httpx.AsyncClient(), shop.URL))
        """
    )
    result = suite.run(plugins=("pytest_httpx",))
    result.assert_outcomes(passed=2, failed=1)
    assert found(result) == ["1 dropped at store.py:5 in leaves"]
