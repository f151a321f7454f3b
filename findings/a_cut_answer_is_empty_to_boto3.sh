#!/usr/bin/env bash
# JSON that breaks off is an answer with nothing in it to boto3: `scan()` returns no items,
# and raises nothing.
#
# A service answers in JSON, and the connection breaks off in the middle of the body.
# botocore tells urllib3 not to compare the body with its Content-Length, and takes JSON
# that it cannot parse for a message that no call reads: the call returns as though there
# was nothing to list, after one request. A paginator ends there, and so does a program that
# loops until there is no next token. Answers in XML raise, and so does an object of S3 when
# its body is read.
#
# Versions: boto3 and botocore 1.44.8 with urllib3 2.8.0, CPython 3.11.
#
# Seen (100 of each, a half of the body):
#   dynamodb, scan: 1 request(s), nothing
#   dynamodb, paginator of scan: 1 request(s), 0 items
#   sqs, list_queues: 1 request(s), nothing
#   logs, get_log_events: 1 request(s), nothing
#   lambda, list_functions: 1 request(s), nothing
#   iam, list_users: 1 request(s), ResponseParserError
#   s3, get_object: 1 request(s), ResponseStreamingError
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'boto3==1.44.8' \
  'botocore==1.44.8' 'urllib3==2.8.0' 's3transfer==0.19.3'
cat >"$work/program.py" <<'PY'
import http.server
import json
import threading

import boto3

asked, body = [], []


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        asked.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body[0])))
        self.end_headers()
        self.wfile.write(body[0][: len(body[0]) // 2])
        self.close_connection = True

    do_GET = do_POST

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()


def aws(service):
    return boto3.client(
        service,
        endpoint_url=f"http://127.0.0.1:{server.server_port}",
        region_name="us-east-1",
        aws_access_key_id="an id",
        aws_secret_access_key="a key",
    )


def call(service, operation, **options):
    answer = getattr(aws(service), operation)(**options)
    del answer["ResponseMetadata"]
    return answer or "nothing"


def read():
    return aws("s3").get_object(Bucket="b", Key="k")["Body"].read()


def pages():
    found = aws("dynamodb").get_paginator("scan").paginate(TableName="t")
    return f"{sum(len(page.get('Items', ())) for page in found)} items"


members = "<member><UserName>a name</UserName></member>" * 100
users = f"<ListUsersResponse><ListUsersResult>{members}</ListUsersResult></ListUsersResponse>"
items = {"Items": [{"id": {"S": "an id"}}] * 100, "Count": 100}
for name, program, whole in (
    ("dynamodb, scan", lambda: call("dynamodb", "scan", TableName="t"), items),
    ("dynamodb, paginator of scan", pages, items),
    ("sqs, list_queues", lambda: call("sqs", "list_queues"), {"QueueUrls": ["a url"] * 100}),
    (
        "logs, get_log_events",
        lambda: call("logs", "get_log_events", logGroupName="g", logStreamName="s"),
        {"events": [{"message": "a line"}] * 100},
    ),
    (
        "lambda, list_functions",
        lambda: call("lambda", "list_functions"),
        {"Functions": [{"FunctionName": "a name"}] * 100},
    ),
    ("iam, list_users", lambda: call("iam", "list_users"), users),
    ("s3, get_object", read, users),
):
    asked.clear()
    body[:] = [(whole if isinstance(whole, str) else json.dumps(whole)).encode()]
    try:
        outcome = program()
    except Exception as error:
        outcome = type(error).__name__
    print(f"{name}: {len(asked)} request(s), {outcome}")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
dynamodb, scan: 1 request(s), nothing
dynamodb, paginator of scan: 1 request(s), 0 items
sqs, list_queues: 1 request(s), nothing
logs, get_log_events: 1 request(s), nothing
lambda, list_functions: 1 request(s), nothing
iam, list_users: 1 request(s), ResponseParserError
s3, get_object: 1 request(s), ResponseStreamingError
TXT
