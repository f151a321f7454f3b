#!/usr/bin/env bash
# A streamed call of ollama or cohere sends nothing, and raises nothing, before its first
# event is asked for.
#
# A call with `stream=True`, or of the method that streams, is sent at once by openai,
# anthropic, groq and mistralai. Those of ollama and cohere are generators: nothing is sent
# before the first event is asked for. So `pull("m", stream=True)` of ollama, whose progress
# nobody wants, pulls nothing, and a `try: ... except` around the call misses each error.
#
# Versions: ollama 0.6.3, cohere 7.3.1, openai 3.57.0, anthropic 2.14.0, groq 1.7.0 and
# mistralai 3.7.0, CPython 3.11.
#
# Seen (requests after the call, and where a 401 is raised):
#   openai: 1, in the call
#   anthropic: 1, in the call
#   groq: 1, in the call
#   mistralai: 1, in the call
#   ollama, chat: 0, in the loop
#   ollama, pull: 0, in the loop
#   cohere, Client: 0, in the loop
#   cohere, ClientV2: 0, in the loop
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'ollama==0.6.3' \
  'cohere==7.3.1' 'openai==3.57.0' 'anthropic==2.14.0' 'groq==1.7.0' 'mistralai==3.7.0' \
  'anyio==4.16.0' 'h11==0.16.0' 'httpcore==1.0.9' 'httpcore2==2.16.2' 'httpx==0.28.1' \
  'httpx2==2.16.2' 'opentelemetry-api==1.45.2' \
  'opentelemetry-semantic-conventions==0.66b2' 'pydantic==2.14.4' 'requests==2.34.2' \
  'urllib3==2.8.0' 'pydantic==2.14.4'
cat >"$work/program.py" <<'PY'
import http.server
import threading

import anthropic
import cohere
import groq
import ollama
import openai
from mistralai.client import Mistral

asked = []
WORDS = [{"role": "user", "content": "hello"}]


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        asked.append(self.path)
        self.rfile.read(int(self.headers["Content-Length"]))
        body = b'{"error": {"message": "no"}}'
        self.send_response(401)
        self.send_header("WWW-Authenticate", "Bearer")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
there = {"api_key": "key", "base_url": url}
chat = {"model": "m", "messages": WORDS, "stream": True}


def look(name, call):
    asked.clear()
    stream, where = [], "nowhere"
    try:
        stream = call()
    except Exception:
        where = "in the call"
    sent = len(asked)
    try:
        for _ in stream:
            pass
    except Exception:
        where = "in the loop"
    assert len(asked) == 1
    print(f"{name}: {sent}, {where}")


look("openai", lambda: openai.OpenAI(**there).chat.completions.create(**chat))
look("anthropic", lambda: anthropic.Anthropic(**there).messages.create(max_tokens=9, **chat))
look("groq", lambda: groq.Groq(**there).chat.completions.create(**chat))
mistral = Mistral(api_key="key", server_url=url)
look("mistralai", lambda: mistral.chat.stream(model="m", messages=WORDS))
look("ollama, chat", lambda: ollama.Client(url).chat(**chat))
look("ollama, pull", lambda: ollama.Client(url).pull("m", stream=True))
old, new = cohere.Client("key", base_url=url), cohere.ClientV2("key", base_url=url)
look("cohere, Client", lambda: old.chat_stream(message="hello"))
look("cohere, ClientV2", lambda: new.chat_stream(model="m", messages=WORDS))
PY
"$work/venv/bin/python" -W ignore "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
openai: 1, in the call
anthropic: 1, in the call
groq: 1, in the call
mistralai: 1, in the call
ollama, chat: 0, in the loop
ollama, pull: 0, in the loop
cohere, Client: 0, in the loop
cohere, ClientV2: 0, in the loop
TXT
