#!/usr/bin/env bash
# Each stream that OpenAI's client reads to its end costs a connection; AsyncOpenAI's do
# not.
#
# A program makes five calls, one after the other, and reads each stream to its end. OpenAI
# leaves it at "[DONE]" and closes its response one chunk before the end of the body, so
# that the connection is closed, and the next call makes a new one. AsyncOpenAI reads on and
# keeps it, and so do Anthropic and calls without `stream=True`.
#
# Versions: openai 3.57.0 and anthropic 2.14.0 on httpx2 2.16.2, CPython 3.11.
#
# Seen (connections for five calls):
#   OpenAI: 1
#   OpenAI, stream: 5
#   OpenAI, stream in a with: 5
#   AsyncOpenAI, stream: 1
#   Anthropic, stream: 1
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'openai==3.57.0' \
  'anthropic==2.14.0' 'httpx2==2.16.2' 'httpcore2==2.16.2' 'anyio==4.16.0' 'h11==0.16.0' \
  'opentelemetry-api==1.45.2'
cat >"$work/program.py" <<'PY'
import asyncio
import http.server
import json
import threading

import anthropic
import openai

ASKED = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
connections = set()


def chunk(**choice):
    choice = {"index": 0, "finish_reason": "stop", **choice}
    made = {"id": "1", "created": 1, "model": "m", "choices": [choice]}
    return json.dumps(made | {"object": "chat.completion"})


def event(text, name="message"):
    text = f"event: {name}\ndata: {text}\n\n"
    return f"{len(text):x}\r\n{text}\r\n"


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        connections.add(self.client_address)
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not asked.get("stream"):
            body = chunk(message={"role": "assistant", "content": "hi"})
            return self.answer("application/json", "Content-Length", str(len(body)), body)
        if "messages" in self.path:
            body = event('{"type": "message_stop"}', "message_stop")
        else:
            body = 3 * event(chunk(delta={"content": "hi"})) + event("[DONE]")
        self.answer("text/event-stream", "Transfer-Encoding", "chunked", body + "0\r\n\r\n")

    def answer(self, kind, name, value, body):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
server.handle_error = lambda *_: None  # Connections that are dropped.
threading.Thread(target=server.serve_forever, daemon=True).start()
there = {"base_url": f"http://127.0.0.1:{server.server_port}", "api_key": "key"}
client = openai.OpenAI(**there)
other = anthropic.Anthropic(**there)


def in_a_with():
    with client.chat.completions.create(stream=True, **ASKED) as stream:
        list(stream)


async def of_a_task():
    tasks = openai.AsyncOpenAI(**there)
    for _ in range(5):
        stream = await tasks.chat.completions.create(stream=True, **ASKED)
        assert len([part async for part in stream]) == 3


for name, call, times in (
    ("OpenAI", lambda: client.chat.completions.create(**ASKED), 5),
    (
        "OpenAI, stream",
        lambda: list(client.chat.completions.create(stream=True, **ASKED)),
        5,
    ),
    ("OpenAI, stream in a with", in_a_with, 5),
    ("AsyncOpenAI, stream", lambda: asyncio.run(of_a_task()), 1),
    (
        "Anthropic, stream",
        lambda: list(other.messages.create(stream=True, max_tokens=1, **ASKED)),
        5,
    ),
):
    connections.clear()
    for _ in range(times):
        call()
    print(f"{name}: {len(connections)}")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
OpenAI: 1
OpenAI, stream: 5
OpenAI, stream in a with: 5
AsyncOpenAI, stream: 1
Anthropic, stream: 1
TXT
