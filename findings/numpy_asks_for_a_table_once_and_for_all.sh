#!/usr/bin/env bash
# numpy's `loadtxt(url)` and `genfromtxt(url)` keep the file in the current directory
# and never ask for it again, also not for the rest of one that was cut.
#
# Both open a URL through numpy's DataSource, which puts the file into a folder by the
# host's name in the current directory. From then on each call with this URL reads that
# file, in the next process too, and asks the server for nothing: what has changed there
# is not seen. A body that breaks off at the end of a line is whole to DataSource, which
# copies the answer by parts, and so the half is kept as well. pandas asks each time,
# and raises where the body is cut.
#
# Versions: numpy 2.4.6, pandas 3.1.1, CPython 3.11.
#
# Seen (the first version has 1000 lines, or breaks off after 500 of them; the second has 2000):
#   /table, loadtxt: 1000 lines, asked
#   /table, pandas: 1000 lines, asked
#   /table has changed, loadtxt: 1000 lines, not asked
#   /table has changed, genfromtxt: 1000 lines, not asked
#   /table has changed, loadtxt in another process: 1000 lines, not asked
#   /table has changed, pandas: 2000 lines, asked
#   /cut, loadtxt: 500 lines, asked
#   /cut, pandas: IncompleteRead, asked
#   /cut has changed, loadtxt: 500 lines, not asked
#   /cut has changed, genfromtxt: 500 lines, not asked
#   /cut has changed, loadtxt in another process: 500 lines, not asked
#   /cut has changed, pandas: 2000 lines, asked
#   in the current directory: ./127.0.0.1:PORT/cut, ./127.0.0.1:PORT/table
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'numpy==2.4.6' \
  'pandas==3.1.1'
cat >"$work/program.py" <<'PY'
import http.server
import os
import subprocess
import sys
import tempfile
import threading

import numpy
import pandas

LINE = b"1.5 2.5\n"
asked = []
versions = {"/table": 1, "/cut": 1}


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        asked.append(self.path)
        lines = 1000 * versions[self.path]
        cut = self.path == "/cut" and lines == 1000
        self.send_response(200)
        self.send_header("Content-Length", str(len(LINE) * lines))
        self.end_headers()
        self.wfile.write(LINE * (500 if cut else lines))
        self.close_connection = True

    def log_message(self, *args):
        pass


def lines(call, url):
    try:
        return f"{len(call(url))} lines"
    except Exception as error:
        return type(error).__name__


def by_pandas(url):
    return pandas.read_csv(url, header=None)


if sys.argv[1:]:
    print(lines(numpy.loadtxt, sys.argv[1]))
    sys.exit()
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
server.handle_error = lambda *_: None  # Connections that are closed unread.
threading.Thread(target=server.serve_forever, daemon=True).start()
root = f"http://127.0.0.1:{server.server_port}"
program = os.path.abspath(__file__)


def in_a_process(url):
    return [None] * int(subprocess.check_output([sys.executable, program, url]).split()[0])


def seen(name, call, path):
    asked.clear()
    found = lines(call, root + path)
    print(f"{name}: {found}, {'asked' if asked else 'not asked'}")


with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    for path in versions:
        seen(f"{path}, loadtxt", numpy.loadtxt, path)
        seen(f"{path}, pandas", by_pandas, path)
        versions[path] = 2
        seen(f"{path} has changed, loadtxt", numpy.loadtxt, path)
        seen(f"{path} has changed, genfromtxt", numpy.genfromtxt, path)
        seen(f"{path} has changed, loadtxt in another process", in_a_process, path)
        seen(f"{path} has changed, pandas", by_pandas, path)
    kept = [os.path.join(at, name) for at, _, names in os.walk(".") for name in names]
    told = ", ".join(sorted(kept)).replace(str(server.server_port), "PORT")
    print("in the current directory:", told)
    os.chdir("/")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
/table, loadtxt: 1000 lines, asked
/table, pandas: 1000 lines, asked
/table has changed, loadtxt: 1000 lines, not asked
/table has changed, genfromtxt: 1000 lines, not asked
/table has changed, loadtxt in another process: 1000 lines, not asked
/table has changed, pandas: 2000 lines, asked
/cut, loadtxt: 500 lines, asked
/cut, pandas: IncompleteRead, asked
/cut has changed, loadtxt: 500 lines, not asked
/cut has changed, genfromtxt: 500 lines, not asked
/cut has changed, loadtxt in another process: 500 lines, not asked
/cut has changed, pandas: 2000 lines, asked
in the current directory: ./127.0.0.1:PORT/cut, ./127.0.0.1:PORT/table
TXT
