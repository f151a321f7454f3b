"""supabase and elasticsearch, on httpx: they read all answers, and are to be closed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ._case import innocent, leaks
from ._sdk import Later

if TYPE_CHECKING:
    import supabase

    from tests.server import Address
else:
    supabase = Later("supabase")

_KEY = "a.b.c"


def _client(server: Address) -> Any:
    return supabase.create_client(server.url("/supabase"), _KEY)


@leaks("session", client="httpx", count=5)
def client_for_each_user(server: Address) -> object:
    """A client for each user, and all of them kept."""

    def login() -> object:
        client = _client(server)
        assert client.table("users").select("*").execute().data  # LEAK
        return client

    return [login() for _ in range(25)]


@innocent(twin_of=client_for_each_user)
def one_client(server: Address) -> object:
    """One client for all of them."""
    client = _client(server)
    for _ in range(25):
        assert client.table("users").select("*").execute().data
    assert client.storage.from_("bucket").download("object")
    return client


@innocent(twin_of=client_for_each_user)
def clients_dropped(server: Address) -> None:
    """Their sockets go with them."""
    for _ in range(25):
        assert _client(server).table("users").select("*").execute().data


@leaks(client="httpx")
def request_of_its_session(server: Address) -> object:
    """A request through the session of a client, whose answer is dropped."""
    session = _client(server).postgrest.session
    request = session.build_request("GET", server.url("/lines"))
    session.send(request, stream=True)  # LEAK
    return session


@innocent(twin_of=request_of_its_session)
def request_of_its_session_read(server: Address) -> object:
    """The same, read."""
    session = _client(server).postgrest.session
    assert session.get(server.url("/lines")).content
    return session


@innocent(twin_of=request_of_its_session)
def task_of_its_own(server: Address) -> None:
    """The async client."""

    async def program() -> None:
        client = await supabase.create_async_client(server.url("/supabase"), _KEY)
        assert (await client.table("users").select("*").execute()).data
        assert await client.storage.from_("bucket").download("object")

    asyncio.run(program())
