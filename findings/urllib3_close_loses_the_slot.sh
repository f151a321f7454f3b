#!/usr/bin/env bash
# `close()` of urllib3's response, and so `with`, does not give its slot of a blocking pool
# back.
#
# The `close()` of a response that was not read, and the end of its `with`, close the
# connection and do not give its slot back to a pool that blocks. The next request finds the
# pool empty. requests' `close()` gives it back, since it calls `release_conn()` as well.
#
# Versions: urllib3 2.8.0 and 1.26.20, requests 2.34.2, CPython 3.11.
#
# Seen:
#   urllib3 2.8.0
#   close(): next request EmptyPoolError
#   end of its with: next request EmptyPoolError
#   close() and release_conn(): next request 200
#   requests' close(): next request 200
#   urllib3 1.26.20
#   close(): next request EmptyPoolError
#   end of its with: next request EmptyPoolError
#   close() and release_conn(): next request 200
#   requests' close(): next request 200
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'requests==2.34.2' \
  'urllib3==2.8.0'
cat >"$work/program.py" <<'PY'
import http.server
import threading

import requests
import urllib3


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = b"x" * 200_000
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
server.handle_error = lambda *_: None  # Connections that are dropped.
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/"


def after(end):
    pool = urllib3.HTTPConnectionPool(
        "127.0.0.1", server.server_port, maxsize=1, block=True
    )
    end(pool.urlopen("GET", "/", preload_content=False))
    try:
        return pool.urlopen("GET", "/", pool_timeout=0.5).status
    except urllib3.exceptions.EmptyPoolError:
        return "EmptyPoolError"


def leave(response):
    with response:
        pass


def close_and_release(response):
    response.close()
    response.release_conn()


def of_requests():
    session = requests.Session()
    adapter = requests.adapters.HTTPAdapter(pool_maxsize=1, pool_block=True)
    session.mount("http://", adapter)
    session.get(url, stream=True).close()
    (key,) = adapter.poolmanager.pools.keys()
    pool = adapter.poolmanager.pools[key]
    return pool.urlopen("GET", "/", pool_timeout=0.5).status


print("urllib3", urllib3.__version__)
print("close(): next request", after(lambda response: response.close()))
print("end of its with: next request", after(leave))
print("close() and release_conn(): next request", after(close_and_release))
print("requests' close(): next request", of_requests())
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check \
  'urllib3==1.26.20'
"$work/venv/bin/python" "$work/program.py" | tee -a "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
urllib3 2.8.0
close(): next request EmptyPoolError
end of its with: next request EmptyPoolError
close() and release_conn(): next request 200
requests' close(): next request 200
urllib3 1.26.20
close(): next request EmptyPoolError
end of its with: next request EmptyPoolError
close() and release_conn(): next request 200
requests' close(): next request 200
TXT
