#!/usr/bin/env bash
# What a call creates and has no answer for is told as created by another, by boto3, azure,
# google-cloud-storage, elasticsearch and opensearch: a lock is then nobody's.
#
# A program creates what must not be there yet: a lock, a marker, a document. The store does
# so, and the connection breaks before the answer. These clients ask once more of
# themselves, the store finds what is there, and the call raises what means that somebody
# else was first. A delete that was carried out raises "not found" in the same way, of kubernetes
# too. kubernetes creates by POST, which it sends once, and raises that the connection
# broke; so does boto3 with `total_max_attempts=1`.
#
# Versions: boto3 1.43.117, azure-storage-blob 12.31.1, google-cloud-storage 3.17.1,
# elasticsearch 9.5.1, opensearch-py 3.2.0, kubernetes 37.0.1, CPython 3.11.
#
# Seen (the first answer of each call is lost; how often it was sent):
#   boto3, S3, IfNoneMatch: PreconditionFailed, sent 2, it is there
#   boto3, DynamoDB, attribute_not_exists: ConditionalCheckFailedException, sent 2, it is there
#   boto3, one attempt: ConnectionClosedError, sent 1, it is there
#   azure, overwrite=False: ResourceExistsError, sent 2, it is there
#   google, if_generation_match=0: PreconditionFailed, sent 2, it is there
#   elasticsearch, create: ConflictError, sent 2, it is there
#   opensearch, create: ConflictError, sent 2, it is there
#   kubernetes, create: ProtocolError, sent 1, it is there
#   azure, delete: ResourceNotFoundError, sent 2, it is gone
#   kubernetes, delete: NotFoundException, sent 2, it is gone
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'boto3==1.43.117' \
  'botocore==1.43.117' 'azure-storage-blob==12.31.1' 'azure-core==1.41.0' \
  'google-cloud-storage==3.17.1' 'google-api-core==2.44.0' 'google-auth==2.63.0' \
  'google-resumable-media==2.11.0' 'elasticsearch==9.5.1' 'elastic-transport==9.4.2' \
  'opensearch-py==3.2.0' 'kubernetes==37.0.1' 'requests==2.34.2' 'urllib3==2.8.0'
cat >"$work/program.py" <<'PY'
import http.server
import json
import logging
import threading

import boto3
import elasticsearch
import kubernetes
import opensearchpy
from azure.storage.blob import BlobClient
from botocore.config import Config
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

logging.disable(logging.CRITICAL)
there, sent = set(), []
XML, JSON = "application/xml", "application/json"
# What each service says of what is there already: how its path begins, status and body.
REFUSALS = {
    "/s3/": (412, XML, b"<Error><Code>PreconditionFailed</Code></Error>"),
    "/azure/": (409, XML, b"<Error><Code>BlobAlreadyExists</Code><Message>m</Message></Error>"),
    "/upload/": (412, JSON, b'{"error": {"code": 412}}'),
    "/books/": (409, JSON, b'{"error": {"type": "version_conflict_engine_exception"}}'),
    "/api/": (409, JSON, b'{"kind": "Status", "reason": "AlreadyExists"}'),
    "/": (400, "application/x-amz-json-1.0", b'{"__type": "#ConditionalCheckFailedException"}'),
}


class Store(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, lost, status, kind=JSON, body=b"{}"):
        sent.append(self.path)
        if lost:
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", kind)
        self.send_header("X-Elastic-Product", "Elasticsearch")
        self.end_headers()
        self.wfile.write(body)

    def do_PUT(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        lost = "it" not in there
        there.add("it")
        begins = next(path for path in REFUSALS if self.path.startswith(path))
        self.answer(lost, *REFUSALS[begins])

    do_POST = do_PUT

    def do_DELETE(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        lost = "it" in there
        there.discard("it")
        self.answer(lost, 404)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Store)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"


def aws(service, **options):
    keys = {"aws_access_key_id": "an id", "aws_secret_access_key": "a key"}
    return boto3.client(service, endpoint_url=url, region_name="us-east-1", **keys, **options)


def lock(s3):
    s3.put_object(Bucket="s3", Key="lock", Body=b"mine", IfNoneMatch="*")


table = aws("dynamodb")
once = aws("s3", config=Config(retries={"total_max_attempts": 1}))
blob = BlobClient(url + "/azure", "c", "lock")
google = storage.Client(
    project="p", credentials=AnonymousCredentials(), client_options={"api_endpoint": url}
)
key = google.bucket("b").blob("lock")
elastic = elasticsearch.Elasticsearch(url)
opens = opensearchpy.OpenSearch(url)
cluster = kubernetes.client.ApiClient(kubernetes.client.Configuration(host=url))
core = kubernetes.client.CoreV1Api(cluster)
named = {"metadata": {"name": "lock"}}
item = {"TableName": "t", "Item": {"id": {"S": "lock"}}}
unless = {"ConditionExpression": "attribute_not_exists(id)"}

for name, call in (
    ("boto3, S3, IfNoneMatch", lambda: lock(aws("s3"))),
    ("boto3, DynamoDB, attribute_not_exists", lambda: table.put_item(**item, **unless)),
    ("boto3, one attempt", lambda: lock(once)),
    ("azure, overwrite=False", lambda: blob.upload_blob(b"mine", overwrite=False)),
    ("google, if_generation_match=0", lambda: key.upload_from_string(b"", if_generation_match=0)),
    ("elasticsearch, create", lambda: elastic.create(index="books", id="1", document={})),
    ("opensearch, create", lambda: opens.create(index="books", id="1", body={})),
    ("kubernetes, create", lambda: core.create_namespaced_config_map("default", named)),
    ("azure, delete", blob.delete_blob),
    ("kubernetes, delete", lambda: core.delete_namespaced_config_map("lock", "default")),
):
    sent.clear()
    there.clear()
    there.update(["it"] * name.endswith("delete"))
    try:
        call()
    except Exception as error:
        code = getattr(error, "response", None)
        found = code["Error"]["Code"] if isinstance(code, dict) else type(error).__name__
        print(f"{name}: {found}, sent {len(sent)}, it is {'there' if there else 'gone'}")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
boto3, S3, IfNoneMatch: PreconditionFailed, sent 2, it is there
boto3, DynamoDB, attribute_not_exists: ConditionalCheckFailedException, sent 2, it is there
boto3, one attempt: ConnectionClosedError, sent 1, it is there
azure, overwrite=False: ResourceExistsError, sent 2, it is there
google, if_generation_match=0: PreconditionFailed, sent 2, it is there
elasticsearch, create: ConflictError, sent 2, it is there
opensearch, create: ConflictError, sent 2, it is there
kubernetes, create: ProtocolError, sent 1, it is there
azure, delete: ResourceNotFoundError, sent 2, it is gone
kubernetes, delete: NotFoundException, sent 2, it is gone
TXT
