#!/usr/bin/env bash
# After an error in chunks, the next call of an xmlrpc.client proxy is carried out and
# raises.
#
# A call is answered by 500 with a chunked body, as proxies send it. ServerProxy raises
# ProtocolError and keeps the connection, but it reads what is left only where there is a
# Content-Length. The next call, a good one, is sent on that connection, carried out by the
# server, and then fails with ResponseNotReady: who calls again has it done twice. Until
# then the connection is held by an error that nobody has. By a session of requests 2.34.2,
# which reads what is left, the same calls go well.
#
# Versions: xmlrpc.client of CPython 3.10.13, 3.11.7, 3.12.1 and 3.13.0.
#
# Seen (and the calls that were carried out):
#   500 with a length: ProtocolError
#   next call: 1, carried out ['pay']
#   500 in chunks: ProtocolError
#   next call: ResponseNotReady, carried out ['pay']
#   the same again: 1, carried out ['pay', 'pay']
#   requests, 500 in chunks: 500
#   requests, next call: 1, carried out ['pay']
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'requests==2.34.2' \
  'urllib3==2.8.0'
cat >"$work/program.py" <<'PY'
import http.server
import threading
import xmlrpc.client

import requests

PAID = xmlrpc.client.dumps((1,), methodresponse=True).encode()
carried_out = []
paid = threading.Event()


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        _, name = xmlrpc.client.loads(body)
        if name == "pay":
            carried_out.append(name)
            paid.set()
            self.answer(200, "Content-Length", str(len(PAID)), PAID)
        elif name == "fails_in_chunks":
            self.answer(500, "Transfer-Encoding", "chunked", b"4\r\nOops\r\n0\r\n\r\n")
        else:
            self.answer(500, "Content-Length", "4", b"Oops")

    def answer(self, status, name, value, body):
        self.send_response(status)
        self.send_header("Content-Type", "text/xml")
        self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
server.handle_error = lambda *_: None  # Connections that are dropped.
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
proxy = xmlrpc.client.ServerProxy(url)
session = requests.Session()


def result(call):
    try:
        return call()
    except Exception as error:
        return type(error).__name__


def by_requests(name):
    return session.post(url, xmlrpc.client.dumps((), name))


def paid_by_requests():
    ((number,), _) = xmlrpc.client.loads(by_requests("pay").content)
    return number


def pay(call=proxy.pay):
    paid.clear()
    got = result(call)
    paid.wait(5)  # The client may know sooner than the server.
    return f"{got}, carried out {carried_out}"


print("500 with a length:", result(proxy.fails))
print("next call:", pay())
carried_out.clear()
print("500 in chunks:", result(proxy.fails_in_chunks))
print("next call:", pay())
print("the same again:", pay())
carried_out.clear()
print("requests, 500 in chunks:", by_requests("fails_in_chunks").status_code)
print("requests, next call:", pay(paid_by_requests))
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
500 with a length: ProtocolError
next call: 1, carried out ['pay']
500 in chunks: ProtocolError
next call: ResponseNotReady, carried out ['pay']
the same again: 1, carried out ['pay', 'pay']
requests, 500 in chunks: 500
requests, next call: 1, carried out ['pay']
TXT
