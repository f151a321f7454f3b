"""Server-sent events, read by sseclient-py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests
from sseclient import SSEClient

from ._case import innocent, leaks

if TYPE_CHECKING:
    from tests.server import Address


def _client(response: Any) -> SSEClient:
    """A client that reads a response by iterating it."""
    return SSEClient(response)


@leaks()
def events_broken_off(server: Address) -> None:
    """The event that was waited for has come."""
    response = requests.get(server.url("/sse"), stream=True)  # LEAK
    for event in _client(response).events():
        if event.data == "event 7":
            break


@innocent(twin_of=events_broken_off)
def events_closed(server: Address) -> None:
    """The client closes its response."""
    events = _client(requests.get(server.url("/sse"), stream=True))
    for event in events.events():
        if event.data == "event 7":
            break
    events.close()


@innocent(twin_of=events_broken_off)
def chunked_events_broken_off(server: Address) -> None:
    """In a chunked body urllib3 closes up as its generator is collected."""
    response = requests.get(server.url("/sse-chunked"), stream=True)
    for event in _client(response).events():
        if event.data == "event 7":
            break


@leaks("held")
def events_kept(server: Address) -> object:
    """A subscription that nobody listens to any more."""
    events = _client(requests.get(server.url("/sse"), stream=True)).events()  # LEAK
    next(events)
    return events


@innocent(twin_of=events_kept)
def events_to_the_end(server: Address) -> object:
    """Until the server hangs up."""
    events = _client(requests.get(server.url("/sse"), stream=True)).events()
    assert sum(1 for _ in events) == 2000
    return events
