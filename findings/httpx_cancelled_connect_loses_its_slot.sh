#!/usr/bin/env bash
# httpx 0.28.1, httpcore 1.0.9, CPython 3.11: a task that is cancelled at one certain turn
# of the loop, as it is about to connect, leaves its connection in the pool: it is neither
# idle nor closed, and its slot is lost for good. With `max_connections=1` the next request
# raises PoolTimeout. It is a matter of luck where a cancellation falls; on a busy loop
# short time-outs by `asyncio.wait_for` find that turn.
#
# Seen:
#   cancelled at each of the first 30 turns: PoolTimeout after one of them: True
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -q --disable-pip-version-check \
  'httpx==0.28.1' 'httpcore==1.0.9' 'anyio==4.16.0' 2>/dev/null
cat >"$work/program.py" <<'PY'
import asyncio
import contextlib

import httpx


async def answer(reader, writer):
    with contextlib.suppress(ConnectionError, EOFError, asyncio.CancelledError):
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    writer.close()


async def loses(url, turns):
    limits = httpx.Limits(max_connections=1)
    async with httpx.AsyncClient(limits=limits, trust_env=False) as client:
        task = asyncio.create_task(client.get(url))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        try:
            await client.get(url, timeout=httpx.Timeout(5, pool=0.2))
        except httpx.PoolTimeout:
            return True
        return False


async def main():
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    lost = [turns for turns in range(30) if await loses(url, turns)]
    print("cancelled at each of the first 30 turns: PoolTimeout after one of them:", bool(lost))


asyncio.run(main())
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT'
cancelled at each of the first 30 turns: PoolTimeout after one of them: True
TXT
