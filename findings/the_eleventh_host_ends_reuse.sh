#!/usr/bin/env bash
# With an eleventh host in turn, requests and urllib3 make a new connection for each
# request.
#
# A program asks some hosts in turn, five times. With ten hosts each client has ten
# connections. With eleven, requests and urllib3 have a new one for every request, since
# they keep the pools of the ten hosts used last, and the one needed next is always the one
# just thrown away. `pool_maxsize` does not help, `pool_connections` and `num_pools` do. A
# pool is for a host and a port: here the hosts are ports of one.
#
# Versions: requests 2.34.2, urllib3 2.8.0, httpx 0.28.1, aiohttp 3.14.5, CPython 3.11.
#
# Seen:
#   requests, 10 hosts: 50 requests, 10 connections
#   urllib3, 10 hosts: 50 requests, 10 connections
#   httpx, 10 hosts: 50 requests, 10 connections
#   aiohttp, 10 hosts: 50 requests, 10 connections
#   requests, 11 hosts: 55 requests, 55 connections
#   urllib3, 11 hosts: 55 requests, 55 connections
#   httpx, 11 hosts: 55 requests, 11 connections
#   aiohttp, 11 hosts: 55 requests, 11 connections
#   requests, 11 hosts, pool_maxsize=100: 55 requests, 55 connections
#   requests, 11 hosts, pool_connections=11: 55 requests, 11 connections
#   urllib3, 11 hosts, num_pools=11: 55 requests, 11 connections
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'requests==2.34.2' \
  'urllib3==2.8.0' 'httpx==0.28.1' 'httpcore==1.0.9' 'aiohttp==3.14.5' 'anyio==4.16.0' \
  'h11==0.16.0'
cat >"$work/program.py" <<'PY'
import asyncio
import http.server
import threading

import aiohttp
import httpx
import requests
import urllib3
from requests.adapters import HTTPAdapter

connections = []


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        connections.append(self.client_address)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *args):
        pass


def serve():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


urls = [serve() for _ in range(11)]


def say(name):
    made = len(set(connections))
    print(f"{name}: {len(connections)} requests, {made} connections")
    connections.clear()


def rounds(get, hosts, name):
    for url in 5 * urls[:hosts]:
        get(url)
    say(name)


async def of_aiohttp(hosts):
    async with aiohttp.ClientSession() as session:
        for url in 5 * urls[:hosts]:
            async with session.get(url) as response:
                await response.read()
    say(f"aiohttp, {hosts} hosts")


def by_urllib3(hosts, name, **options):
    with urllib3.PoolManager(**options) as manager:
        rounds(lambda url: manager.request("GET", url), hosts, f"urllib3, {hosts} hosts{name}")


def by_requests(hosts, name, **options):
    with requests.Session() as session:
        session.mount("http://", HTTPAdapter(**options))
        rounds(session.get, hosts, f"requests, {hosts} hosts{name}")


for hosts in (10, 11):
    by_requests(hosts, "")
    by_urllib3(hosts, "")
    with httpx.Client(trust_env=False) as client:
        rounds(client.get, hosts, f"httpx, {hosts} hosts")
    asyncio.run(of_aiohttp(hosts))
by_requests(11, ", pool_maxsize=100", pool_maxsize=100)
by_requests(11, ", pool_connections=11", pool_connections=11)
by_urllib3(11, ", num_pools=11", num_pools=11)
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
requests, 10 hosts: 50 requests, 10 connections
urllib3, 10 hosts: 50 requests, 10 connections
httpx, 10 hosts: 50 requests, 10 connections
aiohttp, 10 hosts: 50 requests, 10 connections
requests, 11 hosts: 55 requests, 55 connections
urllib3, 11 hosts: 55 requests, 55 connections
httpx, 11 hosts: 55 requests, 11 connections
aiohttp, 11 hosts: 55 requests, 11 connections
requests, 11 hosts, pool_maxsize=100: 55 requests, 55 connections
requests, 11 hosts, pool_connections=11: 55 requests, 11 connections
urllib3, 11 hosts, num_pools=11: 55 requests, 11 connections
TXT
