#!/usr/bin/env bash
# `close()` of mechanize's pages and browsers leaves the connection open until the collector
# comes.
#
# mechanize's `close()` of what `open()` has returned, of the response of its `urlopen`, and
# of the browser, closes no socket of a large page that was not read to its end: the
# connection stays until the cycle collector comes. The pages that a browser has left, which
# it closes itself, keep theirs too. To read a page to its end closes it at once, and so
# does `title()`, which looks into it. The response of urllib.request is closed by its
# `close()`.
#
# Versions: mechanize 0.4.10, CPython 3.11.
#
# Seen (of 10 pages of 100,000 bytes; open sockets, then after the browser's `close()`, then
# after a collection):
#   open(): 10, 10, 0
#   open().close(): 10, 10, 0
#   mechanize.urlopen().close(): 10, 10, 0
#   open().read(): 0, 0, 0
#   open() and title(): 0, 0, 0
#   urllib.request.urlopen().close(): 0, 0, 0
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'mechanize==0.4.10' \
  'psutil==7.2.2'
cat >"$work/program.py" <<'PY'
import gc
import http.server
import threading
import urllib.request

import mechanize
import psutil

PAGE = b"<html><head><title>A page</title></head><body>" + b"x" * 100_000 + b"</body></html>"


class Pages(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(PAGE)))
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages)
server.daemon_threads = True
server.handle_error = lambda *_: None  # Connections that are dropped.
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/"
gc.disable()  # It comes when it comes.


def sockets():
    connections = psutil.Process().net_connections()
    return sum(bool(c.raddr) and c.raddr.port == server.server_port for c in connections)


def titled(browser):
    browser.open(url)
    return browser.title()


for name, visit in {
    "open()": lambda browser: browser.open(url),
    "open().close()": lambda browser: browser.open(url).close(),
    "mechanize.urlopen().close()": lambda browser: mechanize.urlopen(url).close(),
    "open().read()": lambda browser: browser.open(url).read(),
    "open() and title()": titled,
    "urllib.request.urlopen().close()": lambda browser: urllib.request.urlopen(url).close(),
}.items():
    browser = mechanize.Browser()
    browser.set_handle_robots(False)
    for _ in range(10):
        visit(browser)
    seen = [sockets()]
    browser.close()
    seen.append(sockets())
    gc.collect()
    print(f"{name}: {', '.join(map(str, [*seen, sockets()]))}")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
open(): 10, 10, 0
open().close(): 10, 10, 0
mechanize.urlopen().close(): 10, 10, 0
open().read(): 0, 0, 0
open() and title(): 0, 0, 0
urllib.request.urlopen().close(): 0, 0, 0
TXT
