#!/usr/bin/env bash
# A request of httpx that is given a connection as it raises PoolTimeout loses it: each
# time-out may make the pool smaller by one, for good; httpx2 does not.
#
# In a pool of one connection, a response is closed just when the wait of the next request
# for it is over, in a turn of a busy loop. httpcore gives that request a new connection,
# and the request raises PoolTimeout and leaves it: nobody opens it, it is neither idle nor
# closed, and its slot is lost for good. So each PoolTimeout may make the pool smaller by
# one, and a pool that could not keep up for a while never can again. httpx2 2.16.2 hands
# the connection over.
#
# Versions: httpx 0.28.1, httpcore 1.0.9, CPython 3.11.
#
# Seen:
#   httpx: PoolTimeout, all later requests: PoolTimeout
#   httpx2: answered, all later requests: answered
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'httpx==0.28.1' \
  'httpcore==1.0.9' 'httpx2==2.16.2' 'httpcore2==2.16.2' 'anyio==4.16.0' 'h11==0.16.0'
cat >"$work/program.py" <<'PY'
import asyncio
import contextlib
import time

import httpx
import httpx2


async def answer(reader, writer):
    """Half of what it announces, so that a response is open until it is closed."""
    with contextlib.suppress(ConnectionError, EOFError, asyncio.CancelledError):
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 500)
    writer.close()


async def of(package, url):
    async def ask():
        try:
            async with client.stream("GET", url):
                return "answered"
        except package.PoolTimeout:
            return "PoolTimeout"

    limits = package.Limits(max_connections=1)
    timeout = package.Timeout(5, pool=0.2)
    async with package.AsyncClient(
        limits=limits, timeout=timeout, trust_env=False
    ) as client:
        async with client.stream("GET", url):
            waiting = asyncio.create_task(ask())
            await asyncio.sleep(0.05)
            time.sleep(0.4)  # Other work of the loop, until the wait is over.
        first = await waiting
        later = {await ask() for _ in range(3)}
    print(f"{package.__name__}: {first}, all later requests: {', '.join(later)}")


async def main():
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    for package in (httpx, httpx2):
        await of(package, url)


asyncio.run(main())
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
httpx: PoolTimeout, all later requests: PoolTimeout
httpx2: answered, all later requests: answered
TXT
