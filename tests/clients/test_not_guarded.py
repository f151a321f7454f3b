"""Clients with a network of their own: what they ask is not seen, nor harmed."""

from __future__ import annotations

import asyncio
import gc
import io
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import GuardControl
    from tests.server import Server


def pycurl(url: str) -> tuple[int, object]:
    """The length of a body, and what is left open."""
    curl = pytest.importorskip("pycurl")
    body, handle = io.BytesIO(), curl.Curl()
    handle.setopt(curl.URL, url)
    handle.setopt(curl.WRITEDATA, body)
    handle.perform()
    return len(body.getvalue()), handle


def curl_cffi(url: str) -> tuple[int, object]:
    requests = pytest.importorskip("curl_cffi").requests
    session = requests.Session()
    return len(session.get(url).content), session.get(url, stream=True)


def rnet(url: str) -> tuple[int, object]:
    client = pytest.importorskip("rnet").Client()

    async def ask() -> tuple[int, object]:
        response = await client.get(url)
        return len(await response.bytes()), await client.get(url)

    return asyncio.run(ask())


def pyreqwest(url: str) -> tuple[int, object]:
    simple: Any = pytest.importorskip("pyreqwest.simple.sync_request")
    response = simple.pyreqwest_get(url).send()
    return len(response.bytes()), response


@pytest.mark.parametrize("ask", [pycurl, curl_cffi, rnet, pyreqwest])
def test_they_answer_as_without(
    ask: Callable[[str], tuple[int, object]], guard: GuardControl, server: Server
) -> None:
    guard.install(strict=True, max_leaks=0, max_open=1)
    length, kept = ask(server.url("/bytes/9000"))
    assert length == 9000
    guard.advance(1000)
    state = guard.check()
    assert (state.leaks, state.open) == ((), ())
    del kept
    gc.collect()
    state = guard.check()
    assert state.leaks == ()
    assert (state.counters["opened"], state.counters["errors"]) == (0, 0)
