"""elasticsearch's async client on httpx: it reads all answers, and is to be closed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from ._case import innocent, leaks
from ._sdk import Later

if TYPE_CHECKING:
    import elasticsearch

    from tests.server import Address
else:
    elasticsearch = Later("elasticsearch")

NODE: Final[Any] = "httpxasync"


@leaks("session", client="httpx", count=5)
def client_for_each_query(server: Address) -> object:
    """A client for each query, and all of them kept."""

    async def search() -> object:
        url = server.url("/elastic")
        client = elasticsearch.AsyncElasticsearch(url, node_class=NODE)  # LEAK
        assert (await client.search(index="i"))["took"] == 1
        return client

    async def program() -> object:
        return [await search() for _ in range(25)]

    loop = asyncio.new_event_loop()
    return loop, loop.run_until_complete(program())


@innocent(twin_of=client_for_each_query)
def one_client(server: Address) -> None:
    """One client for all of them, closed at the end."""

    async def program() -> None:
        url = server.url("/elastic")
        async with elasticsearch.AsyncElasticsearch(url, node_class=NODE) as client:
            for _ in range(25):
                assert (await client.search(index="i"))["took"] == 1

    asyncio.run(program())
