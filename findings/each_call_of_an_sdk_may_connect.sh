#!/usr/bin/env bash
# A client of gql, meilisearch, SPARQLWrapper or splunk-sdk connects anew for each call.
#
# A program makes one client, and calls it ten times. `execute()` of gql's Client opens a
# session and closes it for each call, unless it stands in `with client as session:`.
# meilisearch, SPARQLWrapper and splunk-sdk connect for each call. hvac, py-consul, stripe
# and typesense have one connection for all.
#
# Versions: gql 4.4.0, meilisearch 0.43.0, hvac 2.4.0, py-consul 1.8.0 and stripe 16.1.0
# (requests 2.34.2, urllib3 2.8.0), typesense 2.1.1 (httpx 0.28.1), SPARQLWrapper 2.0.0 and
# splunk-sdk 2.1.1 (urllib.request and http.client), CPython 3.11.7.
#
# Seen (connections of ten calls):
#   gql, execute: 10
#   gql, in a with: 1
#   meilisearch: 10
#   SPARQLWrapper: 10
#   splunk-sdk: 10
#   hvac: 1
#   py-consul: 1
#   stripe: 1
#   typesense: 1
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'requests==2.34.2' \
  'urllib3==2.8.0' 'requests-toolbelt==1.0.0' 'gql==4.4.0' 'meilisearch==0.43.0' \
  'SPARQLWrapper==2.0.0' 'splunk-sdk==2.1.1' 'hvac==2.4.0' 'py-consul==1.8.0' \
  'stripe==16.1.0' 'typesense==2.1.1' 'httpx==0.28.1' 'httpcore==1.0.9' 'anyio==4.16.0' \
  'h11==0.16.0'
cat >"$work/program.py" <<'PY'
import http.server
import threading

import consul
import hvac
import meilisearch
import splunklib.client
import stripe
import typesense
from gql import Client, gql
from gql.transport.requests import RequestsHTTPTransport
from SPARQLWrapper import JSON, SPARQLWrapper

connections = []
ANSWERS = {
    "graphql": b'{"data": {"a": 1}}',
    "sparql": b'{"head": {}, "results": {"bindings": []}}',
    "customers": b'{"object": "list", "data": []}',
}


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        connections.append(self.client_address)
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = self.path.partition("?")[0]
        body = ANSWERS.get(path.rpartition("/")[2], b"{}")
        self.send_response(200)
        kind = "sparql-results+json" if path == "/sparql" else "json"
        self.send_header("Content-Type", f"application/{kind}")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Consul-Index", "1")
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
server.handle_error = lambda *_: None  # Connections that are closed.
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
port = server.server_port


def show(name, call):
    connections.clear()
    for _ in range(10):
        call()
    print(f"{name}: {len(set(connections))}")


question = gql("{ a }")
client = Client(transport=RequestsHTTPTransport(f"{url}/graphql"))
show("gql, execute", lambda: client.execute(question))
with client as session:
    show("gql, in a with", lambda: session.execute(question))
search = meilisearch.Client(url, "a key")
show("meilisearch", search.health)
sparql = SPARQLWrapper(f"{url}/sparql")
sparql.setReturnFormat(JSON)
sparql.setQuery("SELECT ?a WHERE { ?a ?b ?c }")
show("SPARQLWrapper", lambda: sparql.query().convert())
service = splunklib.client.Service(host="127.0.0.1", port=port, scheme="http", token="t")
show("splunk-sdk", lambda: service.get("/services").body.read())
vault = hvac.Client(url)
show("hvac", lambda: vault.read("a/secret"))
keys = consul.Consul("127.0.0.1", port)
show("py-consul", lambda: keys.catalog.datacenters())
payments = stripe.StripeClient("a key", base_addresses={"api": url})
show("stripe", lambda: payments.v1.customers.list())
node = {"host": "127.0.0.1", "port": port, "protocol": "http"}
typed = typesense.Client({"nodes": [node], "api_key": "a key"})
show("typesense", typed.debug.retrieve)
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
gql, execute: 10
gql, in a with: 1
meilisearch: 10
SPARQLWrapper: 10
splunk-sdk: 10
hvac: 1
py-consul: 1
stripe: 1
typesense: 1
TXT
