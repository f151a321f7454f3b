#!/usr/bin/env bash
# Leaving a stream of clickhouse-connect reads all that is left of the result: one row
# of it costs as much as all rows.
#
# A stream of rows, blocks or data frames is there so that a large result is not read at
# once. Where its `with` is left early, by `break` or an error in the program's own loop,
# the rest is fetched to its end first, and thrown away: the server sends all of it.
# `raw_stream()` is closed at once.
#
# Versions: clickhouse-connect 1.12.0 with urllib3 2.8.0, CPython 3.11.
#
# Seen (what the server has sent of 240 MB, one row or part was read):
#   query_rows_stream, break: all
#   query_rows_stream, an error: all
#   query_row_block_stream, break: all
#   query_df_stream, break: all
#   raw_stream, close(): a part
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check \
  'clickhouse-connect==1.12.0' 'urllib3==2.8.0' 'numpy==2.4.6' 'pandas==3.1.1'
cat >"$work/program.py" <<'PY'
import http.server
import struct
import threading

import clickhouse_connect

ROWS, BLOCKS = 10_000, 3_000


def text(word):
    return bytes([len(word)]) + word.encode()


# Blocks in the format Native: columns, rows, then name, type and values of each column.
# What goes before each block where the client tells its protocol's version: no overflow.
INFO = b"\1\0\2\xff\xff\xff\xff\0"
CHECK = b"\1\1" + text("check") + text("UInt8") + b"\1"
SETTINGS = b"\3\1" + b"".join(
    text(word) for word in ("name", "String", "max_threads", "value", "String", "8", "readonly")
)
SETTINGS += text("UInt8") + b"\0"
BLOCK = b"\1\x90\x4e" + text("number") + text("UInt64") + struct.pack(f"<{ROWS}Q", *range(ROWS))
ended = threading.Semaphore(0)
sent = [0]


class Server(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        query = self.rfile.read(int(self.headers["Content-Length"]))
        info = INFO if "client_protocol_version" in self.path else b""
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if b"numbers" in query:
            sent[0] = 0
            try:
                for _ in range(BLOCKS):
                    self.part(info + BLOCK)
                    sent[0] += 1
                self.wfile.write(b"0\r\n\r\n")
            except OSError:
                self.close_connection = True
            ended.release()
        else:
            found = SETTINGS if b"settings" in query else CHECK
            self.part(b"25.8.1\tUTC\n" if b"version()" in query else info + found)
            self.wfile.write(b"0\r\n\r\n")

    def part(self, body):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(body), body))

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
client = clickhouse_connect.get_client(
    host="127.0.0.1", port=server.server_port, compress=False, autogenerate_session_id=False
)
QUERY = "SELECT number FROM numbers(30000000)"


def left(stream):
    with stream:
        for _ in stream:
            break


def failed(stream):
    try:
        with stream:
            for _ in stream:
                raise KeyError
    except KeyError:
        return


def closed(response):
    response.read(1000)
    response.close()


for name, leave, make in (
    ("query_rows_stream, break", left, client.query_rows_stream),
    ("query_rows_stream, an error", failed, client.query_rows_stream),
    ("query_row_block_stream, break", left, client.query_row_block_stream),
    ("query_df_stream, break", left, client.query_df_stream),
    ("raw_stream, close()", closed, client.raw_stream),
):
    leave(make(QUERY))
    assert ended.acquire(timeout=60)
    print(f"{name}: {'all' if sent[0] == BLOCKS else 'a part'}")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
query_rows_stream, break: all
query_rows_stream, an error: all
query_row_block_stream, break: all
query_df_stream, break: all
raw_stream, close(): a part
TXT
