"""azure-core, the pipeline beneath Azure's SDKs, over requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from azure.core import PipelineClient
from azure.core.rest import HttpRequest, HttpResponse

from ._case import innocent, leaks

if TYPE_CHECKING:
    from tests.server import Address


def _client(server: Address) -> PipelineClient[HttpRequest, HttpResponse]:
    """A client of the local server."""
    return PipelineClient(server.url(""))


@leaks()
def streamed_and_dropped(server: Address) -> None:
    """A streamed answer, and its status alone."""
    client = _client(server)
    request = HttpRequest("GET", server.url("/bytes/90000"))
    assert client.send_request(request, stream=True).status_code == 200  # LEAK


@innocent(twin_of=streamed_and_dropped)
def not_streamed(server: Address) -> object:
    """Read by the pipeline."""
    client = _client(server)
    return client.send_request(HttpRequest("GET", server.url("/pages/0")))


@leaks()
def bytes_broken_off(server: Address) -> None:
    """``iter_bytes``, broken off."""
    client = _client(server)
    request = HttpRequest("GET", server.url("/bytes/90000"))
    assert next(client.send_request(request, stream=True).iter_bytes())  # LEAK


@innocent(twin_of=bytes_broken_off)
def bytes_in_with_block(server: Address) -> object:
    """A response is a context manager."""
    client = _client(server)
    request = HttpRequest("GET", server.url("/bytes/90000"))
    with client.send_request(request, stream=True) as response:
        assert next(response.iter_bytes())
    return response
