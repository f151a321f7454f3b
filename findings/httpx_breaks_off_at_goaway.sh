#!/usr/bin/env bash
# An HTTP/2 answer on its way when the server says that it will stop ends in an error of
# httpx, though the server finishes it.
#
# A server of HTTP/2 that is to stop, as at a restart, says so by GOAWAY, with the number of
# the last stream that it will still answer, and goes on to answer it. httpx breaks off
# where that frame comes: a body that is on its way, and whole a moment later, ends in
# RemoteProtocolError. httpx2 is like it.
#
# Versions: httpx 0.28.1 with httpcore 1.0.9, httpx2 2.16.2, h2 4.4.1, CPython 3.11.7.
#
# Seen (an answer of ten bytes, and GOAWAY between the first five and the last):
#   httpx, no GOAWAY: first last
#   httpx, GOAWAY: RemoteProtocolError
#   httpx2, no GOAWAY: first last
#   httpx2, GOAWAY: RemoteProtocolError
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'httpx==0.28.1' \
  'httpcore==1.0.9' 'httpx2==2.16.2' 'httpcore2==2.16.2' 'anyio==4.16.0' 'h11==0.16.0' \
  'h2==4.4.1' 'hpack==4.2.0' 'hyperframe==6.1.0'
cat >"$work/program.py" <<'PY'
import socket
import threading
import time

import h2.config
import h2.connection
import h2.events
import httpx
import httpx2


def serve(listening, going_away):
    link, _ = listening.accept()
    state = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    state.initiate_connection()
    link.sendall(state.data_to_send())
    while data := link.recv(65536):
        for event in state.receive_data(data):
            if isinstance(event, h2.events.RequestReceived):
                answer(link, state, event.stream_id, going_away)
        link.sendall(state.data_to_send())


def answer(link, state, stream, going_away):
    state.send_headers(stream, [(":status", "200"), ("content-length", "10")])
    state.send_data(stream, b"first")
    link.sendall(state.data_to_send())
    time.sleep(0.2)
    if going_away:
        # Eight bytes of type 7: the last stream, this one, and NO_ERROR.
        frame = b"\0\0\x08\x07\0" + bytes(4) + stream.to_bytes(4, "big") + bytes(4)
        link.sendall(frame)
        time.sleep(1)
    state.send_data(stream, b" last", end_stream=True)
    link.sendall(state.data_to_send())


for library in (httpx, httpx2):
    for going_away in (False, True):
        with socket.create_server(("127.0.0.1", 0)) as listening:
            given = (listening, going_away)
            threading.Thread(target=serve, args=given, daemon=True).start()
            url = f"http://127.0.0.1:{listening.getsockname()[1]}"
            try:
                with library.Client(http1=False, http2=True) as client:
                    seen = client.get(url).text
            except library.RemoteProtocolError as error:
                seen = type(error).__name__
            print(f"{library.__name__}, {'GOAWAY' if going_away else 'no GOAWAY'}: {seen}")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
httpx, no GOAWAY: first last
httpx, GOAWAY: RemoteProtocolError
httpx2, no GOAWAY: first last
httpx2, GOAWAY: RemoteProtocolError
TXT
