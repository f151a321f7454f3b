"""Bodies that are cut, or not what their ``Content-Encoding`` says."""

from __future__ import annotations

import contextlib
import gc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.exceptions import ContentDecodingError
from urllib3.exceptions import DecodeError, HTTPError
from urllib3.util import Retry

import httpguard
from httpguard import LeakKind

if TYPE_CHECKING:
    from tests.conftest import GuardControl
    from tests.server import Server


class Patient(HTTPAdapter):
    """Has a time-out for all requests."""

    def send(self, *args: Any, **options: Any) -> requests.Response:
        options["timeout"] = 60
        return super().send(*args, **options)


def session(
    *, block: bool, adapter: type[HTTPAdapter] = HTTPAdapter
) -> requests.Session:
    made = requests.Session()
    made.mount("http://", adapter(pool_maxsize=3, pool_block=block))
    return made


@pytest.mark.parametrize("adapter", [HTTPAdapter, Patient])
def test_a_plain_call_that_loses_the_slot_of_a_pool(
    adapter: type[HTTPAdapter], guard: GuardControl, server: Server
) -> None:
    guard.install()
    blocking = session(block=True, adapter=adapter)
    url = server.url("/bad-gzip")
    for _ in range(2):
        with pytest.raises(ContentDecodingError):
            blocking.get(url)  # LEAK
        gc.collect()
    (leak,) = guard.check().leaks
    assert (leak.kind, leak.count, leak.client) == (LeakKind.DROPPED, 2, "requests")
    assert leak.site.filename == __file__
    line = Path(__file__).read_text().splitlines()[leak.site.lineno - 1]
    assert line.endswith("# LEAK")
    assert leak.culprit is None
    assert leak.hint.startswith("open it with `with requests.get(..., stream=True)")
    # That does repair it, and a pool that does not block has lost nothing.
    for _ in range(4):
        with (
            pytest.raises(ContentDecodingError),
            blocking.get(url, stream=True) as response,
        ):
            assert response.content is None
        with pytest.raises(ContentDecodingError):
            session(block=False, adapter=adapter).get(url)
    assert guard.check().counters["leaks"] == 2


@pytest.mark.parametrize("compared", [False, True])
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("block", [False, True])
def test_a_cut_body_holds_nothing_asked_for_again_or_not(
    guard: GuardControl, server: Server, *, block: bool, streamed: bool, compared: bool
) -> None:
    """urllib3 asks for it again, requests does not; botocore has it not compared."""
    guard.install()
    url, again = server.url("/cut"), Retry(3, backoff_factor=0)
    http = urllib3.PoolManager(retries=again, maxsize=1, block=block)
    calls = session(block=block)
    calls.mount("http://", HTTPAdapter(1, 1, again, block))
    with httpguard.no_leaks():
        for _ in range(2):
            with contextlib.suppress(HTTPError):
                answer = http.request(
                    "GET",
                    url,
                    preload_content=not streamed,
                    enforce_content_length=compared,
                )
                assert len(answer.data) == 45_000
            with contextlib.suppress(requests.RequestException):
                assert len(calls.get(url, stream=streamed).content) == 45_000
    assert guard.check().leaks == ()
    guard.advance(1000)
    assert guard.check().leaks == ()


def test_the_slots_come_back_where_that_is_asked_for(
    guard: GuardControl, server: Server
) -> None:
    guard.install(reclaim=True)
    blocking = session(block=True)
    for _ in range(2):
        with pytest.raises(ContentDecodingError):
            blocking.get(server.url("/bad-gzip"))
        gc.collect()
        guard.check()
    assert guard.check().counters["reclaimed"] == 2
    assert len(blocking.get(server.url("/bytes/900")).content) == 900


def test_the_error_is_as_it_was() -> None:
    before = DecodeError("text", ValueError("why"))
    httpguard.install()
    during = DecodeError("text", before.args[1])
    httpguard.uninstall()
    assert (during.args, str(during)) == (before.args, str(before))
    assert "__init__" not in vars(DecodeError)
