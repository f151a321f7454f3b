#!/usr/bin/env bash
# A task of httpx that is cancelled as it leaves `async with client.stream(...)`, or as it
# is about to connect, takes a slot of the pool along for good; httpx2 loses none.
#
# A task that is cancelled may take a slot of the pool along for good, and once all are
# gone, each request raises PoolTimeout. It does so as it leaves `async with
# client.stream(...)`, though the block closed the response: to give the connection back
# httpcore waits for a lock, for one turn of the loop; a cancellation in that turn ends the
# close, the response says `is_closed`, and to close it again does nothing. A worker that
# puts what it has read into a queue and is cancelled by whoever takes it meets that turn
# each time. And it does so at one turn as it is about to connect: its connection is neither
# idle nor closed from then on. That one is a matter of luck; on a busy loop short time-outs
# by `asyncio.wait_for` find it. httpx2 2.16.2 loses none.
#
# Versions: httpx 0.28.1, httpcore 1.0.9, CPython 3.11.
#
# Seen (of a pool of one connection):
#   httpx, cancelled as it leaves: closed True, the next request PoolTimeout, after another close PoolTimeout
#   httpx, cancelled at each of the first 30 turns: PoolTimeout after some of them
#   httpx2, cancelled as it leaves: closed True, the next request 200, after another close 200
#   httpx2, cancelled at each of the first 30 turns: none
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'httpx==0.28.1' \
  'httpcore==1.0.9' 'httpx2==2.16.2' 'httpcore2==2.16.2' 'anyio==4.16.0' 'h11==0.16.0'
cat >"$work/program.py" <<'PY'
import asyncio
import contextlib

import httpx
import httpx2


async def answer(reader, writer):
    with contextlib.suppress(ConnectionError, EOFError, asyncio.CancelledError):
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n")
            writer.write(b"a line of nine thousand bytes or so, in all\n" * 204 + 24 * b"x")
            await writer.drain()
    writer.close()


def pool_of_one(package):
    limits = package.Limits(max_connections=1)
    return package.AsyncClient(limits=limits, trust_env=False)


async def ask(package, client, url):
    try:
        timeout = package.Timeout(30, pool=0.5)
        return (await client.get(url, timeout=timeout)).status_code
    except package.PoolTimeout as error:
        return type(error).__name__


async def as_it_leaves(package, url):
    queue, kept = asyncio.Queue(), []

    async def work():
        async with client.stream("GET", url) as response:
            kept.append(response)
            async for line in response.aiter_lines():
                await queue.put(line)
                break

    async with pool_of_one(package) as client:
        task = asyncio.create_task(work())
        await queue.get()
        task.cancel()
        await asyncio.wait([task])
        (response,) = kept
        first = await ask(package, client, url)
        await response.aclose()
        again = await ask(package, client, url)
    return f"closed {response.is_closed}, the next request {first}, after another close {again}"


async def lost_at(package, url, turns):
    async with pool_of_one(package) as client:
        task = asyncio.create_task(client.get(url))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        return await ask(package, client, url) != 200


async def main():
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    for package in (httpx, httpx2):
        name = package.__name__
        print(f"{name}, cancelled as it leaves: {await as_it_leaves(package, url)}")
        lost = [turns for turns in range(30) if await lost_at(package, url, turns)]
        print(
            f"{name}, cancelled at each of the first 30 turns:"
            f" {'PoolTimeout after some of them' if lost else 'none'}"
        )


asyncio.run(main())
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
httpx, cancelled as it leaves: closed True, the next request PoolTimeout, after another close PoolTimeout
httpx, cancelled at each of the first 30 turns: PoolTimeout after some of them
httpx2, cancelled as it leaves: closed True, the next request 200, after another close 200
httpx2, cancelled at each of the first 30 turns: none
TXT
