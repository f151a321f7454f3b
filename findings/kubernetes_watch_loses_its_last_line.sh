#!/usr/bin/env bash
# A log followed by kubernetes' `Watch` has no last line where that does not end with a
# newline.
#
# The last line of a pod's log may have no newline at its end, as where the program is
# killed while it writes, or ends with `print("done", end="")`. `read_namespaced_pod_log`
# has that line; followed with `Watch().stream`, or with it and `follow=True`, the log ends
# a line early, though the stream ended well. Lines of urllib3 and requests from the same
# answer have it too.
#
# Versions: kubernetes 37.0.2 with urllib3 2.8.0, CPython 3.11.
#
# Seen:
#   read_namespaced_pod_log: ['line one', 'line two', 'the reason']
#   Watch().stream: ['line one', 'line two']
#   Watch().stream, follow=True: ['line one', 'line two']
#   unread, lines of urllib3: ['line one', 'line two', 'the reason']
#   requests, iter_lines: ['line one', 'line two', 'the reason']
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check \
  'kubernetes==37.0.2' 'requests==2.34.2' 'urllib3==2.8.0' 'aiohttp==3.14.5'
cat >"$work/program.py" <<'PY'
import http.server
import threading

import requests
from kubernetes import client
from kubernetes.watch import Watch


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for part in (b"line one\n", b"line two\n", b"the reason"):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
configuration = client.Configuration()
configuration.host = url
api = client.CoreV1Api(client.ApiClient(configuration))
log = api.read_namespaced_pod_log


def unread():
    with log("pod", "space", follow=True, _preload_content=False) as response:
        return [line.decode().rstrip("\n") for line in response]


def by_requests():
    with requests.get(url, stream=True) as response:
        return [line.decode() for line in response.iter_lines()]


for name, lines in (
    ("read_namespaced_pod_log", log("pod", "space").split("\n")),
    ("Watch().stream", list(Watch().stream(log, "pod", "space"))),
    ("Watch().stream, follow=True", list(Watch().stream(log, "pod", "space", follow=True))),
    ("unread, lines of urllib3", unread()),
    ("requests, iter_lines", by_requests()),
):
    print(f"{name}: {lines}")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
read_namespaced_pod_log: ['line one', 'line two', 'the reason']
Watch().stream: ['line one', 'line two']
Watch().stream, follow=True: ['line one', 'line two']
unread, lines of urllib3: ['line one', 'line two', 'the reason']
requests, iter_lines: ['line one', 'line two', 'the reason']
TXT
