#!/usr/bin/env bash
# `close()` of a cursor of pydruid, and of its connection, leaves a result open that was
# read in part.
#
# A cursor of `pydruid.db` reads its rows from a stream as they are asked for. Where not all
# rows were fetched, `close()` of the cursor, and of its connection, leaves that stream
# open: the socket stays for as long as the cursor is kept, and after that until the cycle
# collector comes. A cursor whose rows were all fetched holds none.
#
# Versions: pydruid 0.6.9 with requests 2.34.2 and urllib3 2.8.0, CPython 3.11.7.
#
# Seen (sockets of ten queries, collector switched off):
#   all rows, cursors closed: 0
#   all rows, connection closed: 0
#   all rows, all dropped: 0
#   all rows, collected: 0
#   one row, cursors closed: 10
#   one row, connection closed: 10
#   one row, all dropped: 10
#   one row, collected: 0
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'pydruid==0.6.9' \
  'requests==2.34.2' 'urllib3==2.8.0'
cat >"$work/program.py" <<'PY'
import gc
import http.server
import threading
import time

import pydruid.db

ROWS = b"[%s]" % b", ".join(b'{"number": %d}' % number for number in range(200_000))
served = []


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        super().setup()
        served.append(self)

    def finish(self):
        try:
            super().finish()
        finally:
            served.remove(self)

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for start in range(0, len(ROWS), 8000):
            part = ROWS[start : start + 8000]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
server.handle_error = lambda *_: None  # Connections that are closed.
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
druid = {"host": "127.0.0.1", "port": server.server_port, "path": "/druid/v2/sql"}


def open_now():
    time.sleep(0.5)
    return len(served)


def one(cursor):
    return cursor.fetchone()


def all_of_them(cursor):
    return cursor.fetchall()


gc.disable()
for name, fetch in (("all rows", all_of_them), ("one row", one)):
    connection = pydruid.db.connect(**druid)
    cursors = [connection.cursor() for _ in range(10)]
    for cursor in cursors:
        cursor.execute("SELECT number FROM numbers")
        fetch(cursor)
        cursor.close()
    print(f"{name}, cursors closed: {open_now()}")
    connection.close()
    print(f"{name}, connection closed: {open_now()}")
    del cursor, cursors, connection
    print(f"{name}, all dropped: {open_now()}")
    gc.collect()
    print(f"{name}, collected: {open_now()}")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
all rows, cursors closed: 0
all rows, connection closed: 0
all rows, all dropped: 0
all rows, collected: 0
one row, cursors closed: 10
one row, connection closed: 10
one row, all dropped: 10
one row, collected: 0
TXT
