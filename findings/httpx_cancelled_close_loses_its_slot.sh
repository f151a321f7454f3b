#!/usr/bin/env bash
# httpx 0.28.1, httpcore 1.0.9, CPython 3.11: a task that is cancelled as it leaves `async
# with client.stream(...)` loses its slot of the pool for good, though the block closed the
# response. To give the connection back httpcore waits for a lock, for one turn of the
# loop; a cancellation in that turn ends the close, the response says `is_closed`, and to
# close it again does nothing. A worker that puts what it has read into a queue and is
# cancelled by whoever takes it meets that turn each time. httpx2 2.16.2 loses none.
#
# Seen:
#   httpx: closed True, the next request PoolTimeout, after another close PoolTimeout
#   httpx2: closed True, the next request 200, after another close 200
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -q --disable-pip-version-check \
  'httpx==0.28.1' 'httpcore==1.0.9' 'anyio==4.16.0' 'httpx2==2.16.2' 2>/dev/null
cat >"$work/program.py" <<'PY'
import asyncio
import contextlib
import importlib


async def answer(reader, writer):
    with contextlib.suppress(ConnectionError, EOFError, asyncio.CancelledError):
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\n")
            writer.write(b"a line\n" * 1000)
            await writer.drain()
    writer.close()


async def ask(httpx, client, url):
    try:
        timeout = httpx.Timeout(30, pool=0.5)
        async with client.stream("GET", url, timeout=timeout) as response:
            return response.status_code
    except httpx.PoolTimeout as error:
        return type(error).__name__


async def look(name, url):
    httpx = importlib.import_module(name)
    limits = httpx.Limits(max_connections=1)
    async with httpx.AsyncClient(limits=limits, trust_env=False) as client:
        queue, kept = asyncio.Queue(), []

        async def work():
            async with client.stream("GET", url) as response:
                kept.append(response)
                async for line in response.aiter_lines():
                    await queue.put(line)
                    break

        task = asyncio.create_task(work())
        await queue.get()
        task.cancel()
        await asyncio.wait([task])
        (response,) = kept
        first = await ask(httpx, client, url)
        await response.aclose()
        again = await ask(httpx, client, url)
    print(
        f"{name}: closed {response.is_closed}, the next request {first},"
        f" after another close {again}"
    )


async def main():
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    for name in ("httpx", "httpx2"):
        await look(name, url)


asyncio.run(main())
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT'
httpx: closed True, the next request PoolTimeout, after another close PoolTimeout
httpx2: closed True, the next request 200, after another close 200
TXT
