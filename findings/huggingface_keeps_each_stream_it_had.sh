#!/usr/bin/env bash
# huggingface_hub's `InferenceClient` keeps each streamed answer until it is closed itself,
# and those that nobody read open.
#
# `InferenceClient` enters each streamed answer into an exit stack of its own, which it
# leaves in its `close()` alone. So a client keeps each answer that it ever had, read or
# not. One that was asked for and not read keeps its connection open, however thoroughly the
# program forgets it. When the client is closed and dropped, its answers are gone.
#
# Versions: huggingface_hub 2.4.0 with httpx2 2.16.2, CPython 3.11.7.
#
# Seen (twenty calls, of which nothing is kept, and the collector has come):
#   read: 1 connection(s), 20 answers kept, 0 open
#   left: 20 connection(s), 20 answers kept, 0 open
#   forgotten: 20 connection(s), 20 answers kept, 20 open
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check \
  'huggingface_hub==2.4.0' 'httpx2==2.16.2' 'httpcore2==2.16.2' 'anyio==4.16.0' \
  'h11==0.16.0'
cat >"$work/program.py" <<'PY'
import gc
import http.server
import threading

import httpx2
from huggingface_hub import InferenceClient

EVENT = b'data: {"choices": [{"index": 0, "delta": {"content": "yes"}}]}\n\n'
connections = []


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        connections.append(self.client_address)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Content-Length", str(len(EVENT) * 1000))
        self.end_headers()
        self.wfile.write(EVENT * 1000)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
server.handle_error = lambda *_: None  # Connections that are closed.
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
question = [{"role": "user", "content": "Is it?"}]


def read(stream):
    return sum(1 for _ in stream)


def leave(stream):
    return next(iter(stream))


def forget(stream):
    pass


for name, use in (("read", read), ("left", leave), ("forgotten", forget)):
    connections.clear()
    client = InferenceClient(base_url=url)
    for _ in range(20):
        use(client.chat_completion(question, model="m", stream=True))
    gc.collect()
    answers = [one for one in gc.get_objects() if type(one) is httpx2.Response]
    still_open = sum(not answer.is_closed for answer in answers)
    made = len(set(connections))
    print(f"{name}: {made} connection(s), {len(answers)} answers kept, {still_open} open")
    del answers
    client.close()
    del client
    gc.collect()
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
read: 1 connection(s), 20 answers kept, 0 open
left: 20 connection(s), 20 answers kept, 0 open
forgotten: 20 connection(s), 20 answers kept, 20 open
TXT
