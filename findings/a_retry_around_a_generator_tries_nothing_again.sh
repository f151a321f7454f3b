#!/usr/bin/env bash
# A retry of tenacity, backoff or google.api_core around a generator, as one that yields
# the lines of a stream, tries nothing again; stamina's gives the first lines once more.
#
# To call a generator function runs none of it, so that the call never fails, and what
# is raised as its lines are read passes the retry by: a 503 ends the loop at once, with
# no word of the retry. The same goes for async generators, and for a retry above
# `@contextmanager`. google.api_core has `StreamingRetry` for generators. It and stamina's
# try them again from their start: what breaks off after two lines gives these once more
# with each try.
#
# Versions: tenacity 9.2.1, backoff 2.2.1, google-api-core 2.44.0, stamina 26.1.0,
# CPython 3.11.
#
# Seen (the first two answers are a 503, or break off after two lines of three; five attempts):
#   tenacity, a list, busy: 3 requests one two three
#   tenacity, a generator, busy: HTTPError, 1 requests
#   tenacity, an async generator, busy: HTTPStatusError, 1 requests
#   tenacity, a context manager, busy: HTTPError, 1 requests
#   backoff, a list, busy: 3 requests one two three
#   backoff, a generator, busy: HTTPError, 1 requests
#   backoff, an async generator, busy: HTTPStatusError, 1 requests
#   backoff, a context manager, busy: HTTPError, 1 requests
#   google.api_core, a list, busy: 3 requests one two three
#   google.api_core, a generator, busy: HTTPError, 1 requests
#   google.api_core, an async generator, busy: HTTPStatusError, 1 requests
#   google.api_core, a context manager, busy: HTTPError, 1 requests
#   stamina, a list, busy: 3 requests one two three
#   stamina, a generator, busy: 3 requests one two three
#   stamina, an async generator, busy: 3 requests one two three
#   stamina, a context manager, busy: HTTPError, 1 requests
#   tenacity, a list, cut: 3 requests one two three
#   tenacity, a generator, cut: ChunkedEncodingError, 1 requests one two
#   backoff, a list, cut: 3 requests one two three
#   backoff, a generator, cut: ChunkedEncodingError, 1 requests one two
#   google.api_core, a list, cut: 3 requests one two three
#   google.api_core, a generator, cut: ChunkedEncodingError, 1 requests one two
#   stamina, a list, cut: 3 requests one two three
#   stamina, a generator, cut: 3 requests one two one two one two three
#   google's StreamingRetry, a generator, busy: 3 requests one two three
#   google's StreamingRetry, a generator, cut: 3 requests one two one two one two three
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'tenacity==9.2.1' \
  'backoff==2.2.1' 'google-api-core==2.44.0' 'stamina==26.1.0' 'requests==2.34.2' \
  'urllib3==2.8.0' 'httpx==0.28.1' 'httpcore==1.0.9' 'h11==0.16.0' 'anyio==4.16.0'
cat >"$work/program.py" <<'PY'
import asyncio
import contextlib
import http.server
import threading

import backoff
import httpx
import requests
import stamina
import tenacity
from google.api_core.retry import Retry, StreamingRetry

asked = []


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        asked.append(self.path)
        fails = len(asked) < 3
        self.send_response(503 if fails and self.path == "/busy" else 200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"8\r\none\ntwo\n\r\n")
        if fails and self.path == "/cut":
            self.close_connection = True
        else:
            self.wfile.write(b"6\r\nthree\n\r\n0\r\n\r\n")

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
server.handle_error = lambda *_: None  # Connections that are closed unread.
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
stamina.instrumentation.set_on_retry_hooks([])


def as_list(path):
    with requests.get(url + path, stream=True) as response:
        response.raise_for_status()
        return list(response.iter_lines(decode_unicode=True))


def as_generator(path):
    with requests.get(url + path, stream=True) as response:
        response.raise_for_status()
        yield from response.iter_lines(decode_unicode=True)


@contextlib.contextmanager
def as_manager(path):
    with requests.get(url + path, stream=True) as response:
        response.raise_for_status()
        yield response


async def as_async_generator(path):
    async with httpx.AsyncClient() as client, client.stream("GET", url + path) as response:
        response.raise_for_status()
        async for line in response.aiter_lines():
            yield line


async def collect(retry, path, lines):
    async for line in retry(as_async_generator)(path):
        lines.append(line)


def within(retry, path, lines):
    with retry(as_manager)(path) as response:
        lines += response.iter_lines(decode_unicode=True)


WAYS = {
    "a list": lambda retry, path, lines: lines.extend(retry(as_list)(path)),
    "a generator": lambda retry, path, lines: lines.extend(retry(as_generator)(path)),
    "an async generator": lambda retry, path, lines: asyncio.run(collect(retry, path, lines)),
    "a context manager": within,
}
RETRIES = {
    "tenacity": tenacity.retry(stop=tenacity.stop_after_attempt(5)),
    "backoff": backoff.on_exception(
        backoff.constant, Exception, interval=0, jitter=None, max_tries=5
    ),
    "google.api_core": Retry(predicate=lambda error: True, initial=0.01),
    "stamina": stamina.retry(on=Exception, attempts=5, wait_initial=0, wait_jitter=0),
}


def tried(name, way, path):
    asked.clear()
    lines, error = [], ""
    try:
        WAYS[way](RETRIES[name], path, lines)
    except Exception as found:
        error = f" {type(found).__name__},"
    print(f"{name}, {way}, {path[1:]}:{error} {len(asked)} requests {' '.join(lines)}".rstrip())


for name in RETRIES:
    for way in WAYS:
        tried(name, way, "/busy")
for name in RETRIES:
    tried(name, "a list", "/cut")
    tried(name, "a generator", "/cut")
RETRIES["google's StreamingRetry"] = StreamingRetry(predicate=lambda error: True, initial=0.01)
tried("google's StreamingRetry", "a generator", "/busy")
tried("google's StreamingRetry", "a generator", "/cut")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
tenacity, a list, busy: 3 requests one two three
tenacity, a generator, busy: HTTPError, 1 requests
tenacity, an async generator, busy: HTTPStatusError, 1 requests
tenacity, a context manager, busy: HTTPError, 1 requests
backoff, a list, busy: 3 requests one two three
backoff, a generator, busy: HTTPError, 1 requests
backoff, an async generator, busy: HTTPStatusError, 1 requests
backoff, a context manager, busy: HTTPError, 1 requests
google.api_core, a list, busy: 3 requests one two three
google.api_core, a generator, busy: HTTPError, 1 requests
google.api_core, an async generator, busy: HTTPStatusError, 1 requests
google.api_core, a context manager, busy: HTTPError, 1 requests
stamina, a list, busy: 3 requests one two three
stamina, a generator, busy: 3 requests one two three
stamina, an async generator, busy: 3 requests one two three
stamina, a context manager, busy: HTTPError, 1 requests
tenacity, a list, cut: 3 requests one two three
tenacity, a generator, cut: ChunkedEncodingError, 1 requests one two
backoff, a list, cut: 3 requests one two three
backoff, a generator, cut: ChunkedEncodingError, 1 requests one two
google.api_core, a list, cut: 3 requests one two three
google.api_core, a generator, cut: ChunkedEncodingError, 1 requests one two
stamina, a list, cut: 3 requests one two three
stamina, a generator, cut: 3 requests one two one two one two three
google's StreamingRetry, a generator, busy: 3 requests one two three
google's StreamingRetry, a generator, cut: 3 requests one two one two one two three
TXT
