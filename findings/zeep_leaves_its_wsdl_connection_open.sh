#!/usr/bin/env bash
# zeep's AsyncTransport closes one of its two clients: the connection of the WSDL stays open
# until the collector comes.
#
# `AsyncTransport` has two clients of httpx, one for calls and one, which is not async, for
# the WSDL. The `async with` of an AsyncClient closes the first alone: the connection that
# brought the WSDL stays open, one for each client that was made, until the cycle collector
# comes. `transport.wsdl_client.close()` ends it.
#
# Versions: zeep 4.3.3 with httpx 0.28.1 and httpcore 1.0.9, CPython 3.11.7.
#
# Seen (of ten clients, each left by its `async with`, collector switched off):
#   left: 10 of the WSDL open, 0 of calls
#   collected: 0 of the WSDL open, 0 of calls
#   left, wsdl_client closed: 0 of the WSDL open, 0 of calls
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check \
  'zeep[async]==4.3.3' 'httpx==0.28.1' 'httpcore==1.0.9' 'anyio==4.16.0' 'h11==0.16.0' \
  'lxml==6.1.3'
cat >"$work/program.py" <<'PY'
import asyncio
import gc
import http.server
import threading
import time

from zeep import AsyncClient
from zeep.transports import AsyncTransport

WSDL = """<?xml version="1.0"?>
<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" targetNamespace="urn:t"
  xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:t="urn:t"
  xmlns:x="http://www.w3.org/2001/XMLSchema">
  <types><x:schema targetNamespace="urn:t"><x:element name="text" type="x:string"/>
  </x:schema></types>
  <message name="message"><part name="part" element="t:text"/></message>
  <portType name="type"><operation name="echo">
    <input message="t:message"/><output message="t:message"/></operation></portType>
  <binding name="binding" type="t:type">
    <soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
    <operation name="echo"><soap:operation soapAction="echo"/>
      <input><soap:body use="literal"/></input>
      <output><soap:body use="literal"/></output></operation></binding>
  <service name="service"><port name="port" binding="t:binding">
    <soap:address location="%s/call"/></port></service>
</definitions>"""
ENVELOPE = """<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>
<text xmlns="urn:t">an echo</text></e:Body></e:Envelope>"""
served = {}


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        served[self] = self.command
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = (WSDL % url if self.command == "GET" else ENVELOPE).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def finish(self):
        super().finish()
        served.pop(self, None)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
server.handle_error = lambda *_: None  # Connections that are closed.
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"


def show(when):
    time.sleep(0.5)
    wsdl = sum(command == "GET" for command in served.values())
    print(f"{when}: {wsdl} of the WSDL open, {len(served) - wsdl} of calls")


async def call(closing):
    transport = AsyncTransport()
    async with AsyncClient(f"{url}/?wsdl", transport=transport) as client:
        assert await client.service.echo("text") == "an echo"
    if closing:
        transport.wsdl_client.close()


gc.disable()
for _ in range(10):
    asyncio.run(call(closing=False))
show("left")
gc.collect()
show("collected")
for _ in range(10):
    asyncio.run(call(closing=True))
show("left, wsdl_client closed")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
left: 10 of the WSDL open, 0 of calls
collected: 0 of the WSDL open, 0 of calls
left, wsdl_client closed: 0 of the WSDL open, 0 of calls
TXT
