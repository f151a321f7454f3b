"""A lease keeps no object of the program alive, and prints the text of each."""

from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING

import pytest
import requests
import structlog
import urllib3
from opentelemetry import context as otel
from structlog.contextvars import bind_contextvars, clear_contextvars

import httpguard
from httpguard._leases.lease import Lease
from httpguard._model.plain import as_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import GuardControl
    from tests.server import Server


class Text(str):  # noqa: SLOT000  # As theirs: it can be referred to weakly.
    """As frameworks have them."""


class Broken:
    def __str__(self) -> str:
        raise ValueError


class Bound:
    """What a program binds to its log context."""


@pytest.fixture(autouse=True)
def nothing_bound() -> Iterator[None]:
    clear_contextvars()
    yield
    clear_contextvars()


def test_method_and_url_are_kept_as_text(guard: GuardControl, server: Server) -> None:
    guard.install()
    pool = urllib3.HTTPConnectionPool(server.host, server.port)
    method, url = Text("GET"), Text("/bytes/90000")
    reference = weakref.ref(url)
    held = pool.urlopen(method, url, preload_content=False)
    held._request_url = None
    del url
    gc.collect()
    assert reference() is None
    # urllib3 and http.client keep this one.
    assert not [each for each in gc.get_referrers(method) if isinstance(each, Lease)]
    (found,) = guard.check().open
    assert (found.method, found.url) == ("GET", server.url("/bytes/90000"))
    held.close()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Text("GET"), "GET"),
        (b"/caf\xe9", "/caf\xe9"),
        (7, "7"),
        (Broken(), f"<{__name__}.Broken>"),
    ],
)
def test_the_text_of_an_object(value: object, text: str) -> None:
    assert (as_text(value), type(as_text(value))) == (text, str)


def test_what_is_bound_to_the_log_context_dies(
    guard: GuardControl, server: Server
) -> None:
    guard.install()
    assert structlog
    bound, name = Bound(), Text("order")
    references = [weakref.ref(each) for each in (bound, name)]
    bind_contextvars(request=bound, names=[bound, {"name": name}], name=name)
    token = otel.attach(otel.set_value("request", bound))
    held = requests.get(server.url("/bytes/90000"), stream=True)
    otel.detach(token)
    clear_contextvars()
    del bound, name, token
    gc.collect()
    assert [reference() for reference in references] == [None, None]
    guard.advance(100)
    assert guard.check().counters["held"] == 1
    held.close()


def test_it_dies_after_a_leak_too(guard: GuardControl, server: Server) -> None:
    guard.install()
    bound = Bound()
    reference = weakref.ref(bound)
    bind_contextvars(request=bound)
    token = otel.attach(otel.set_value("request", bound))
    requests.get(server.url("/bytes/90000"), stream=True)
    otel.detach(token)
    clear_contextvars()
    del bound, token
    gc.collect()
    assert guard.check().counters["dropped"] == 1
    assert reference() is None
    assert httpguard.snapshot().leaks
