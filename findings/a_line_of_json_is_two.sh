#!/usr/bin/env bash
# `iter_lines()` of httpx breaks a line of JSON at U+0085 or U+2028 in its words; ollama and
# huggingface_hub then fail midway.
#
# Lines of JSON end with `\n`, and a string in them may have any other character as it is.
# `iter_lines()` of httpx and httpx2, and of requests with `decode_unicode=True`, breaks a
# line at each that `str.splitlines` takes for an end too, such as U+2028, U+0085 or a form
# feed: one answer becomes two halves, neither of them JSON. What is built on it fails in
# the middle of an answer: ollama 0.6.3, and streams of huggingface_hub 2.4.0. aiohttp
# 3.14.5, urllib3 2.8.0, urllib.request, and requests' lines of bytes break at `\n` and `\r`
# alone.
#
# Versions: httpx 0.28.1, httpx2 2.16.2, requests 2.34.2, CPython 3.11.
#
# Seen (of 2 lines, of which one has U+0085 in a word):
#   requests: 2 lines, decoded 3
#   urllib3: 2 lines
#   urllib.request: 2 lines
#   aiohttp: 2 lines
#   httpx: 3 lines
#   httpx2: 3 lines
#   ollama: JSONDecodeError after 0 of 2 parts
#   huggingface_hub: JSONDecodeError after 0 of 2 parts
#   openai: 2 parts
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'requests==2.34.2' \
  'urllib3==2.8.0' 'httpx==0.28.1' 'httpx2==2.16.2' 'aiohttp==3.14.5' 'ollama==0.6.3' \
  'huggingface_hub==2.4.0' 'openai==3.57.0' 'anyio==4.16.0' 'h11==0.16.0' \
  'httpcore==1.0.9' 'httpcore2==2.16.2'
cat >"$work/program.py" <<'PY'
import asyncio
import http.server
import json
import threading
import urllib.request

import aiohttp
import httpx
import httpx2
import huggingface_hub
import ollama
import openai
import requests
import urllib3

WORDS = ("two\x85lines", "end")


def lines(parts, before="", end="\n"):
    texts = (json.dumps(part, ensure_ascii=False) for part in parts)
    return "".join(before + text + end for text in texts).encode()


CHAT = [
    {
        "model": "m",
        "created_at": "2026-01-01T00:00:00Z",
        "message": {"role": "assistant", "content": word},
        "done": word == "end",
    }
    for word in WORDS
]
CHUNKS = [
    {
        "id": "i",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [
            {"index": 0, "delta": {"role": "assistant", "content": word}, "finish_reason": None}
        ],
    }
    for word in WORDS
]
BODIES = {
    "/lines": ("application/x-ndjson", lines({"word": word} for word in WORDS)),
    "/api/chat": ("application/x-ndjson", lines(CHAT)),
    "/chat/completions": ("text/event-stream", lines(CHUNKS, "data: ", "\n\n")),
}


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        kind, body = BODIES[self.path.removeprefix("/v1")]
        self.send_response(200)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
ASK = {"model": "m", "messages": [{"role": "user", "content": "a question"}], "stream": True}


def of_requests():
    plain, decoded = (
        [*requests.get(url + "/lines", stream=True).iter_lines(decode_unicode=decode)]
        for decode in (False, True)
    )
    return f"{len(plain)} lines, decoded {len(decoded)}"


def of_httpx(package):
    with package.stream("GET", url + "/lines") as response:
        return f"{len([*response.iter_lines()])} lines"


async def of_aiohttp():
    async with aiohttp.ClientSession() as session, session.get(url + "/lines") as response:
        return f"{len([line async for line in response.content])} lines"


def parts(stream):
    count = 0
    try:
        for _ in stream:
            count += 1
    except ValueError as error:
        return f"{type(error).__name__} after {count} of 2 parts"
    return f"{count} parts"


def of_urllib3():
    response = urllib3.request("GET", url + "/lines", preload_content=False)
    return f"{len([*response])} lines"


hub = huggingface_hub.InferenceClient(base_url=url, api_key="a key")
ai = openai.OpenAI(base_url=url, api_key="a key")
for name, program in {
    "requests": of_requests,
    "urllib3": of_urllib3,
    "urllib.request": lambda: f"{len([*urllib.request.urlopen(url + '/lines')])} lines",
    "aiohttp": lambda: asyncio.run(of_aiohttp()),
    "httpx": lambda: of_httpx(httpx),
    "httpx2": lambda: of_httpx(httpx2),
    "ollama": lambda: parts(ollama.Client(host=url).chat(**ASK)),
    "huggingface_hub": lambda: parts(hub.chat_completion(**ASK)),
    "openai": lambda: parts(ai.chat.completions.create(**ASK)),
}.items():
    print(f"{name}: {program()}")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
requests: 2 lines, decoded 3
urllib3: 2 lines
urllib.request: 2 lines
aiohttp: 2 lines
httpx: 3 lines
httpx2: 3 lines
ollama: JSONDecodeError after 0 of 2 parts
huggingface_hub: JSONDecodeError after 0 of 2 parts
openai: 2 parts
TXT
