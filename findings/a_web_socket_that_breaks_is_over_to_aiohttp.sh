#!/usr/bin/env bash
# A web socket that breaks off, or that the server closes by an error, ends the loop of
# aiohttp and tornado as one that is over does; websockets and httpx-ws raise.
#
# `async for message in ws` of aiohttp ends where the connection breaks, and where the
# server says that it has failed (1011), restarts (1012) or turns away who asks too much
# (1008), as it does after a good end: the program has what came, no message of type ERROR,
# and no exception. Only `ws.close_code` tells, to who looks at it after the loop: 1006 for
# what broke. tornado's `read_message()` gives None for each. websockets raises for each but
# the good end, and httpx-ws, which has no loop, after that too.
#
# Versions: aiohttp 3.14.5, tornado 6.6.1, websockets 17.4, httpx-ws 0.9.0 with httpx 0.28.1,
# CPython 3.11.
#
# Seen (of ten messages the server sends three, but for a good end):
#   good end: aiohttp 10, close_code 1000; tornado 10; websockets 10; httpx-ws WebSocketDisconnect
#   connection ends: aiohttp 3, close_code 1006; tornado 3; websockets ConnectionClosedError; httpx-ws WebSocketNetworkError
#   connection reset: aiohttp 3, close_code 1006; tornado 3; websockets ConnectionClosedError; httpx-ws WebSocketNetworkError
#   closed by 1008: aiohttp 3, close_code 1008; tornado 3; websockets ConnectionClosedError; httpx-ws WebSocketDisconnect
#   closed by 1011: aiohttp 3, close_code 1011; tornado 3; websockets ConnectionClosedError; httpx-ws WebSocketDisconnect
#   closed by 1012: aiohttp 3, close_code 1012; tornado 3; websockets ConnectionClosedError; httpx-ws WebSocketDisconnect
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'aiohttp==3.14.5' \
  'tornado==6.6.1' 'websockets==17.4' 'httpx-ws==0.9.0' 'httpx==0.28.1' 'httpcore==1.0.9' \
  'anyio==4.16.0' 'wsproto==1.3.2'
cat >"$work/program.py" <<'PY'
import asyncio

import aiohttp
import httpx_ws
import tornado.websocket
import websockets
from aiohttp import web


async def answer(request):
    socket = web.WebSocketResponse(autoping=False)
    await socket.prepare(request)
    how = request.match_info["how"]
    for number in range(10 if how == "1000" else 3):
        await socket.send_str(str(number))
    await socket.ping()
    await socket.receive()  # The pong: all have come before the connection goes.
    if how == "reset":
        request.transport.abort()
    elif how == "end":
        request.transport.close()
    else:
        await socket.close(code=int(how))
    return socket


async def by_aiohttp(url):
    count = 0
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
        async for message in socket:
            assert message.type is aiohttp.WSMsgType.TEXT, message
            count += 1
    return f"{count}, close_code {int(socket.close_code)}"


async def by_tornado(url):
    count = 0
    socket = await tornado.websocket.websocket_connect(url)
    while await socket.read_message() is not None:
        count += 1
    return count


async def by_websockets(url):
    count = 0
    async with websockets.connect(url) as socket:
        async for _ in socket:
            count += 1
    return count


async def by_httpx(url):
    async with httpx_ws.aconnect_ws(url) as socket:
        while True:
            await socket.receive_text()


async def seen(read, url):
    try:
        return await asyncio.wait_for(read(url), 20)
    except Exception as error:
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        return type(error).__name__


async def main():
    app = web.Application()
    app.router.add_get("/{how}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"ws://127.0.0.1:{runner.addresses[0][1]}"
    for name, how in (
        ("good end", "1000"),
        ("connection ends", "end"),
        ("connection reset", "reset"),
        ("closed by 1008", "1008"),
        ("closed by 1011", "1011"),
        ("closed by 1012", "1012"),
    ):
        row = []
        for client, read in (
            ("aiohttp", by_aiohttp),
            ("tornado", by_tornado),
            ("websockets", by_websockets),
            ("httpx-ws", by_httpx),
        ):
            row.append(f"{client} {await seen(read, f'{url}/{how}')}")
        print(f"{name}: {'; '.join(row)}")


asyncio.run(main())
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
good end: aiohttp 10, close_code 1000; tornado 10; websockets 10; httpx-ws WebSocketDisconnect
connection ends: aiohttp 3, close_code 1006; tornado 3; websockets ConnectionClosedError; httpx-ws WebSocketNetworkError
connection reset: aiohttp 3, close_code 1006; tornado 3; websockets ConnectionClosedError; httpx-ws WebSocketNetworkError
closed by 1008: aiohttp 3, close_code 1008; tornado 3; websockets ConnectionClosedError; httpx-ws WebSocketDisconnect
closed by 1011: aiohttp 3, close_code 1011; tornado 3; websockets ConnectionClosedError; httpx-ws WebSocketDisconnect
closed by 1012: aiohttp 3, close_code 1012; tornado 3; websockets ConnectionClosedError; httpx-ws WebSocketDisconnect
TXT
