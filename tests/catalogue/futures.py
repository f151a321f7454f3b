"""requests-futures: the call is made where no line of the program runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests
from requests_futures.sessions import FuturesSession

from ._case import innocent, leaks

if TYPE_CHECKING:
    from tests.server import Address


@leaks(site="concurrent/futures/thread.py")
def result_dropped(server: Address) -> None:
    """The response arrives in a worker; only that worker's frames can be named."""
    with FuturesSession() as session:
        assert session.get(server.url("/lines"), stream=True).result().ok


@innocent(twin_of=result_dropped)
def result_closed(server: Address) -> object:
    """Whoever takes the result closes it."""
    with FuturesSession() as session:
        future = session.get(server.url("/lines"), stream=True)
        future.result().close()
    return future


@leaks("held", site="concurrent/futures/thread.py")
def result_not_taken(server: Address) -> object:
    """The future keeps the response for whoever will ask."""
    with FuturesSession() as session:
        return session.get(server.url("/lines"), stream=True)


@innocent(twin_of=result_not_taken)
def result_not_streamed(server: Address) -> object:
    """Read in the worker."""
    with FuturesSession() as session:
        return session.get(server.url("/lines"))


@leaks()
def hook_opens_another(server: Address) -> None:
    """A hook runs in the worker, and opens a stream of its own."""

    def follow(response: requests.Response, **_: Any) -> None:
        requests.get(server.url("/lines"), stream=True)  # LEAK

    with FuturesSession() as session:
        session.get(server.url("/lines"), hooks={"response": follow}).result()


@innocent(twin_of=hook_opens_another)
def hook_reads_another(server: Address) -> None:
    """And reads it."""

    def follow(response: requests.Response, **_: Any) -> None:
        assert requests.get(server.url("/lines"), stream=True).content

    with FuturesSession() as session:
        session.get(server.url("/lines"), hooks={"response": follow}).result()
