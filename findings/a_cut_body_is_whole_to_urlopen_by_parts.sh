#!/usr/bin/env bash
# A body that the server has cut is whole to urllib.request and http.client, read by parts
# or lines; `read()` raises.
#
# A server promises 200,000 bytes, sends half of them and hangs up. `read()` of
# urllib.request and http.client raises IncompleteRead. Each way to read by parts takes the
# half for the whole, without an error: `read(n)`, and so shutil.copyfileobj, `read1`,
# `readinto`, and loops over the lines, as csv makes them through io.TextIOWrapper. In a
# chunked body, parts raise too, and so they do in urllib3 2.8.0.
#
# Versions: CPython 3.10.13, 3.11.7, 3.12.1 and 3.13.0.
#
# Seen:
#   read(): IncompleteRead
#   urlretrieve: ContentTooShortError
#   read(n): 100000 bytes
#   shutil.copyfileobj: 100000 bytes
#   read1(): 100000 bytes
#   readinto: 100000 bytes
#   lines: 100000 bytes
#   csv: 100000 bytes
#   http.client, read(n): 100000 bytes
#   chunked, read(n): IncompleteRead
#   urllib3, read(n): ProtocolError
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'urllib3==2.8.0'
cat >"$work/program.py" <<'PY'
import csv
import http.client
import http.server
import io
import shutil
import sys
import threading
from urllib.request import urlcleanup, urlopen, urlretrieve

import urllib3

HALF = b"x" * 99 + b"\n"


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        if self.path == "/chunked":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"186a0\r\n" + HALF * 1_000 + b"\r\n")
        else:
            self.send_header("Content-Length", "200000")
            self.end_headers()
            self.wfile.write(HALF * 1_000)
        self.close_connection = True

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"


def parts(response, read):
    body = b""
    while part := read(response):
        body += part
    return body


def copied():
    file = io.BytesIO()
    with urlopen(url) as response:
        shutil.copyfileobj(response, file)
    return file.getvalue()


def into():
    room = bytearray(50_000)
    return parts(urlopen(url), lambda response: room[: response.readinto(room)])


def of_connection():
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port)
    connection.request("GET", "/")
    return parts(connection.getresponse(), lambda response: response.read(5_000))


def of_urllib3():
    response = urllib3.request("GET", url, preload_content=False)
    return parts(response, lambda response: response.read(5_000))


def retrieved():
    with open(urlretrieve(url)[0], "rb") as file:
        return file.read()


def by_lines():
    with urlopen(url) as response:
        return b"".join(response)


def by_csv():
    with urlopen(url) as response:
        rows = csv.reader(io.TextIOWrapper(response, "ascii", newline=""))
        return "".join(row[0] + "\n" for row in rows)


for name, read in (
    ("read()", lambda: urlopen(url).read()),
    ("urlretrieve", retrieved),
    ("read(n)", lambda: parts(urlopen(url), lambda response: response.read(5_000))),
    ("shutil.copyfileobj", copied),
    ("read1()", lambda: parts(urlopen(url), lambda response: response.read1())),
    ("readinto", into),
    ("lines", by_lines),
    ("csv", by_csv),
    ("http.client, read(n)", of_connection),
    ("chunked, read(n)",
     lambda: parts(urlopen(url + "/chunked"), lambda response: response.read(5_000))),
    ("urllib3, read(n)", of_urllib3),
):
    try:
        print(f"{name}: {len(read())} bytes")
    except Exception as error:
        print(f"{name}: {type(error).__name__}")
urlcleanup()
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
read(): IncompleteRead
urlretrieve: ContentTooShortError
read(n): 100000 bytes
shutil.copyfileobj: 100000 bytes
read1(): 100000 bytes
readinto: 100000 bytes
lines: 100000 bytes
csv: 100000 bytes
http.client, read(n): 100000 bytes
chunked, read(n): IncompleteRead
urllib3, read(n): ProtocolError
TXT
