"""Libraries on top of aiohttp: cloud storage, chat, long polling and websockets."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Any

from aiohttp import web

from ._aiohttp import BIG, SOON, harmless, leaking

if TYPE_CHECKING:
    import aiohttp

    from tests.server import Address

    Session = aiohttp.ClientSession


async def _s3(stack: AsyncExitStack, server: Address) -> Any:
    """An S3 client of the local server; the credentials are made up."""
    from aiobotocore.config import AioConfig
    from aiobotocore.session import get_session

    client = get_session().create_client(
        "s3",
        endpoint_url=server.url(""),
        region_name="us-east-1",
        aws_access_key_id="access",
        aws_secret_access_key="secret",
        config=AioConfig(retries={"total_max_attempts": 1}),
    )
    return await stack.enter_async_context(client)


@leaking(needs=("aiobotocore",), loops=("asyncio",))
async def object_not_read(_: Session, server: Address) -> AsyncExitStack:
    """The object's metadata was all that mattered."""
    stack = AsyncExitStack()
    s3 = await _s3(stack, server)
    answer = await s3.get_object(Bucket="bucket", Key="large")  # LEAK
    assert answer["ContentLength"] == 2_000_000
    return stack


@harmless(twin_of=object_not_read, needs=("aiobotocore",), loops=("asyncio",))
async def object_read(_: Session, server: Address) -> AsyncExitStack:
    """Its body in with."""
    stack = AsyncExitStack()
    s3 = await _s3(stack, server)
    answer = await s3.get_object(Bucket="bucket", Key="large")
    async with answer["Body"] as body:
        assert len(await body.read()) == 2_000_000
    await s3.head_object(Bucket="bucket", Key="large")
    await s3.put_object(Bucket="bucket", Key="large", Body=b"x")
    with suppress(s3.exceptions.NoSuchKey):
        await s3.get_object(Bucket="bucket", Key="missing")
    return stack


@leaking(needs=("aiobotocore",), loops=("asyncio",))
async def object_half_read(_: Session, server: Address) -> AsyncExitStack:
    """A file of which the first bytes tell the kind."""
    stack = AsyncExitStack()
    s3 = await _s3(stack, server)
    answer = await s3.get_object(Bucket="bucket", Key="large")  # LEAK
    assert await answer["Body"].read(16)
    return stack


@harmless(twin_of=object_half_read, needs=("aiobotocore",), loops=("asyncio",))
async def object_half_read_and_closed(_: Session, server: Address) -> AsyncExitStack:
    """And then closed."""
    stack = AsyncExitStack()
    s3 = await _s3(stack, server)
    answer = await s3.get_object(Bucket="bucket", Key="large")
    assert await answer["Body"].read(16)
    answer["Body"].close()
    return stack


@leaking("held", needs=("aiobotocore",), loops=("asyncio",))
async def object_kept(_: Session, server: Address) -> AsyncExitStack:
    """A body to be read later."""
    stack = AsyncExitStack()
    s3 = await _s3(stack, server)
    answer = await s3.get_object(Bucket="bucket", Key="large")  # LEAK
    stack.callback(id, answer["Body"])
    return stack


@harmless(twin_of=object_kept, needs=("aiobotocore",), loops=("asyncio",))
async def object_of_a_closed_client(_: Session, server: Address) -> Any:
    """The end of a client is the end of its connections."""
    async with AsyncExitStack() as stack:
        s3 = await _s3(stack, server)
        return await s3.get_object(Bucket="bucket", Key="large")


@leaking(needs=("gcsfs",))
async def session_of_a_file_system(_: Session, server: Address) -> AsyncExitStack:
    """A library's session, used past the library."""
    stack = AsyncExitStack()
    files = await _google(stack, server)
    session = await files._set_session()
    response = await session.get(server.url("/download/x"))  # LEAK
    assert response.status == 200
    return stack


@harmless(twin_of=session_of_a_file_system, needs=("gcsfs",))
async def file_system(_: Session, server: Address) -> AsyncExitStack:
    """What the library reads itself."""
    stack = AsyncExitStack()
    files = await _google(stack, server)
    for _attempt in range(2):
        _headers, body = await files._call("GET", server.url("/download/x"))
        assert len(body) == 2_000_000
    return stack


async def _google(stack: AsyncExitStack, server: Address) -> Any:
    """A file system of gcsfs."""
    import gcsfs

    files = gcsfs.GCSFileSystem(
        token="anon",
        asynchronous=True,
        endpoint_url=server.url(""),
        loop=asyncio.get_running_loop(),
        skip_instance_cache=True,
    )
    session = await files._set_session()
    stack.push_async_callback(session.close)
    stack.callback(id, files)  # It closes the session when it is collected.
    return files


@leaking(count=2, needs=("discord",))
async def past_discord(_: Session, server: Address) -> AsyncExitStack:
    """discord.py's session has no limit: connections pile up."""
    stack = AsyncExitStack()
    http = await _discord(stack, server)
    session = http._HTTPClient__session
    for _attempt in range(2):
        await session.get(server.url(BIG))  # LEAK
    return stack


@harmless(twin_of=past_discord, needs=("discord",))
async def by_discord(_: Session, server: Address) -> AsyncExitStack:
    """What the library asks and fetches."""
    stack = AsyncExitStack()
    http = await _discord(stack, server)
    assert len(await http.get_from_cdn(server.url(BIG))) == 2_000_000
    return stack


async def _discord(stack: AsyncExitStack, server: Address) -> Any:
    """A client of discord.py, logged in at the local server."""
    import discord
    from discord.http import Route

    client = discord.Client(intents=discord.Intents.none())
    await client._async_setup_hook()
    before, Route.BASE = Route.BASE, server.url("")
    try:
        await client.http.static_login("token")
    finally:
        Route.BASE = before
    stack.push_async_callback(client.http.close)
    return client.http


@leaking(needs=("slack_sdk",))
async def past_slack(session: Session, server: Address) -> None:
    """A file of which the address came by an event."""
    slack = await _slack(session, server)
    assert (await slack.api_test())["ok"]
    headers = {"Authorization": f"Bearer {slack.token}"}
    response = await session.get(server.url(BIG), headers=headers)  # LEAK
    assert response.ok


@harmless(twin_of=past_slack, needs=("slack_sdk",))
async def by_slack(session: Session, server: Address) -> None:
    """What the library asks."""
    slack = await _slack(session, server)
    for _ in range(3):
        assert (await slack.api_test())["ok"]


async def _slack(session: Session, server: Address) -> Any:
    """A client of slack_sdk."""
    from slack_sdk.web.async_client import AsyncWebClient

    return AsyncWebClient("x", base_url=server.url("/slack/"), session=session)


@leaking(count=3)
async def polls_again(session: Session, server: Address) -> None:
    """Each poll that takes too long is left, and the next one begun."""
    for number in range(3):
        url = server.url(f"/slow/aiohttp-poll-{number}")
        response = await session.get(url)  # LEAK
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(response.content.readexactly(100), 0.01)


@harmless(twin_of=polls_again)
async def polls_again_in_with(session: Session, server: Address) -> None:
    """Each poll is closed before the next one."""
    for number in range(3):
        url = server.url(f"/slow/aiohttp-poll-{number}")
        async with session.get(url) as response:
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(response.content.readexactly(100), 0.01)


@leaking("held")
async def events_that_nobody_awaits(session: Session, server: Address) -> Any:
    """Who handles an event never comes back for the next one."""
    response = await session.get(server.url("/chunked/30000"))  # LEAK

    async def events() -> None:
        async for _ in response.content:
            await asyncio.sleep(3600)

    task = asyncio.create_task(events())
    await asyncio.sleep(SOON)
    return task


@harmless(twin_of=events_that_nobody_awaits)
async def events_that_are_awaited(session: Session, server: Address) -> Any:
    """A client of a chat, as it waits for what is said."""

    async def events() -> None:
        while True:
            url = server.url("/slow/aiohttp-events")
            async with session.get(url) as response:
                await response.json()

    task = asyncio.create_task(events())
    await asyncio.sleep(SOON)
    return task


@harmless(twin_of=events_that_nobody_awaits)
async def a_websocket(session: Session, _: Address) -> AsyncExitStack:
    """Nothing is read of the answer by which it began."""
    stack = AsyncExitStack()

    async def talk(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(message.data)
        return socket

    application = web.Application()
    application.router.add_get("/", talk)
    runner = web.AppRunner(application)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0]
    socket = await session.ws_connect(f"http://{host}:{port}/")
    await socket.send_str("x")
    assert (await socket.receive()).data == "x"
    stack.push_async_callback(socket.close)
    return stack
