#!/usr/bin/env bash
# `with client.with_options(...)` of openai, anthropic and groq closes the client it came
# from, whose calls then fail, of the latter two as "Connection error.".
#
# `with_options()` gives a client with another time-out. It shares the connections of the
# one it came from, and to leave its `with` closes them for both. The next call of the first
# client says "Connection error." of anthropic and groq, as for a server that is away; of
# openai "the client has been closed". No request is sent.
#
# Versions: openai 3.57.0, anthropic 2.14.0, groq 1.7.0 (httpx2 2.16.2, httpx 0.28.1),
# CPython 3.11.
#
# Seen (a call of the first client, after `with client.with_options(timeout=5)`):
#   openai: RuntimeError('Cannot send a request, as the client has been closed.'), 0 sent
#   openai, async: RuntimeError('Cannot send a request, as the client has been closed.'), 0 sent
#   anthropic: APIConnectionError('Connection error.'), 0 sent
#   anthropic, async: APIConnectionError('Connection error.'), 0 sent
#   groq: APIConnectionError('Connection error.'), 0 sent
#   groq, async: APIConnectionError('Connection error.'), 0 sent
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'openai==3.57.0' \
  'anthropic==2.14.0' 'groq==1.7.0' 'httpx==0.28.1' 'httpcore==1.0.9' 'httpx2==2.16.2' \
  'httpcore2==2.16.2' 'anyio==4.16.0' 'h11==0.16.0' 'opentelemetry-api==1.45.2'
cat >"$work/program.py" <<'PY'
import asyncio
import http.server
import threading

import anthropic
import groq
import openai

asked = []


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        asked.append(self.path)
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
there = {"base_url": f"http://127.0.0.1:{server.server_port}", "api_key": "key"}
words = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


def chat(client):
    return client.chat.completions.create(**words)


def message(client):
    return client.messages.create(max_tokens=9, **words)


def plain(client, ask):
    with client.with_options(timeout=5) as hurried:
        ask(hurried)
    assert len(asked) == 1
    ask(client)


async def of_a_task(client, ask):
    async with client.with_options(timeout=5) as hurried:
        await ask(hurried)
    assert len(asked) == 1
    await ask(client)


for name, call in (
    ("openai", lambda: plain(openai.OpenAI(**there), chat)),
    ("openai, async", lambda: asyncio.run(of_a_task(openai.AsyncOpenAI(**there), chat))),
    ("anthropic", lambda: plain(anthropic.Anthropic(**there), message)),
    ("anthropic, async",
     lambda: asyncio.run(of_a_task(anthropic.AsyncAnthropic(**there), message))),
    ("groq", lambda: plain(groq.Groq(**there), chat)),
    ("groq, async", lambda: asyncio.run(of_a_task(groq.AsyncGroq(**there), chat))),
):
    asked.clear()
    try:
        call()
        print(f"{name}: well")
    except Exception as error:
        print(f"{name}: {error!r}, {len(asked) - 1} sent")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
openai: RuntimeError('Cannot send a request, as the client has been closed.'), 0 sent
openai, async: RuntimeError('Cannot send a request, as the client has been closed.'), 0 sent
anthropic: APIConnectionError('Connection error.'), 0 sent
anthropic, async: APIConnectionError('Connection error.'), 0 sent
groq: APIConnectionError('Connection error.'), 0 sent
groq, async: APIConnectionError('Connection error.'), 0 sent
TXT
