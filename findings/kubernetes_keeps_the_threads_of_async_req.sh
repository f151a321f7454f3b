#!/usr/bin/env bash
# kubernetes keeps four threads and a connection for good for each `CoreV1Api()` that
# was called once with `async_req=True`.
#
# Each `CoreV1Api()` that is given no client has one of its own. The first call with
# `async_req=True` starts a pool of threads there, and enters the client's `close` with
# `atexit`, which keeps client, threads and connection until the process ends: a
# function that makes an API for a call, and waits for the result, adds four threads
# each time. Without `async_req` the same function leaves nothing. `with CoreV1Api() as
# api` leaves none of them.
#
# Versions: kubernetes 37.0.1 with urllib3 2.8.0, CPython 3.11.
#
# Seen (after ten calls, all results had, and `gc.collect()`):
#   no async_req: 0 threads, 0 connections
#   async_req=True, in a with: 0 threads, 0 connections
#   async_req=True: 40 threads, 10 connections
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check \
  'kubernetes==37.0.1' 'urllib3==2.8.0' 'aiohttp==3.14.5'
cat >"$work/program.py" <<'PY'
import gc
import http.server
import threading
import time

from kubernetes import client

connections = set()
PODS = b'{"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": []}'


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        super().setup()
        connections.add(self)

    def finish(self):
        connections.discard(self)
        super().finish()

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(PODS)))
        self.end_headers()
        self.wfile.write(PODS)

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def process_request_thread(self, *args):
        threading.current_thread().name = "server"
        super().process_request_thread(*args)


server = Server(("127.0.0.1", 0), Answer)
threading.Thread(target=server.serve_forever, daemon=True, name="server").start()
configuration = client.Configuration()
configuration.host = f"http://127.0.0.1:{server.server_port}"
client.Configuration.set_default(configuration)


def plain():
    client.CoreV1Api().list_namespaced_pod("default")


def in_a_thread():
    client.CoreV1Api().list_namespaced_pod("default", async_req=True).get()


def in_a_with():
    with client.CoreV1Api() as api:
        api.list_namespaced_pod("default", async_req=True).get()


def kept():
    names = [thread.name for thread in threading.enumerate()]
    return len(names) - 1 - names.count("server"), len(connections)


def settled(before):
    """What is left: as before, or after three seconds."""
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline and kept() != before:
        gc.collect()
        time.sleep(0.01)
    return kept()


for name, call in (
    ("no async_req", plain),
    ("async_req=True, in a with", in_a_with),
    ("async_req=True", in_a_thread),
):
    before = kept()
    for _ in range(10):
        call()
    threads, sockets = settled(before)
    print(f"{name}: {threads} threads, {sockets} connections")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
no async_req: 0 threads, 0 connections
async_req=True, in a with: 0 threads, 0 connections
async_req=True: 40 threads, 10 connections
TXT
