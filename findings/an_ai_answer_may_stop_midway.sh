#!/usr/bin/env bash
# A stream that a proxy ends early, in good order, is a whole answer to openai, groq,
# anthropic, ollama, mistralai and huggingface_hub.
#
# A proxy gives up on a streamed answer and ends the HTTP body in good order. No end came in
# the stream itself, no `[DONE]`, `finish_reason`, `message_stop` or `"done": true`, and the
# loop ends as though all had been said. Where the body stops within an event, openai, groq
# and anthropic pass over it without a word; the others fail to parse it. A program can tell
# only by looking itself whether that end came.
#
# Versions: openai 3.57.0, groq 1.7.0, anthropic 2.14.0, ollama 0.6.3, mistralai 3.7.0 and
# huggingface_hub 2.4.0, CPython 3.11.
#
# Seen (of an answer that should have been longer; in the second the last event is a half):
#   openai: 'Take the', 'Take the'
#   groq: 'Take the', 'Take the'
#   anthropic: 'Take the', 'Take the'
#   anthropic, get_final_text(): 'Take the', 'Take the'
#   mistralai: 'Take the', ResponseValidationError
#   huggingface_hub: 'Take the', JSONDecodeError
#   ollama: 'Take the', JSONDecodeError
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'openai==3.57.0' \
  'groq==1.7.0' 'anthropic==2.14.0' 'ollama==0.6.3' 'mistralai==3.7.0' \
  'huggingface_hub==2.4.0' 'anyio==4.16.0' 'h11==0.16.0' 'httpcore==1.0.9' \
  'httpcore2==2.16.2' 'httpx==0.28.1' 'httpx2==2.16.2' 'opentelemetry-api==1.45.2' \
  'opentelemetry-semantic-conventions==0.66b2' 'pydantic==2.14.4' 'pydantic==2.14.4'
cat >"$work/program.py" <<'PY'
import http.server
import json
import threading

import anthropic
import groq
import huggingface_hub
import ollama
import openai
from mistralai.client import Mistral

WORDS = ("Take", " the")
CHAT = [
    {
        "model": "m",
        "created_at": "2026-01-01T00:00:00Z",
        "message": {"role": "assistant", "content": word},
        "done": False,
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
MESSAGE = {
    "id": "i",
    "type": "message",
    "role": "assistant",
    "content": [],
    "model": "m",
    "stop_reason": None,
    "stop_sequence": None,
    "usage": {"input_tokens": 1, "output_tokens": 1},
}
EVENTS = [
    {"type": "message_start", "message": MESSAGE},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    *(
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}}
        for word in WORDS
    ),
]
BODIES = {
    "/api/chat": "".join(json.dumps(part) + "\n" for part in CHAT),
    "/chat/completions": "".join(f"data: {json.dumps(part)}\n\n" for part in CHUNKS),
    "/messages": "".join(
        f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in EVENTS
    ),
}
HALVES = {
    "/api/chat": '{"model": "m", "mess',
    "/chat/completions": 'data: {"id": "i", "obj',
    "/messages": 'event: content_block_delta\ndata: {"type": "content_bl',
}
half = [False]


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = next(path for path in BODIES if self.path.endswith(path))
        body = (BODIES[path] + HALVES[path] * half[0]).encode()
        kind = "application/x-ndjson" if path == "/api/chat" else "text/event-stream"
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
KEY = {"api_key": "a key"}
ASK = {"model": "m", "messages": [{"role": "user", "content": "a question"}]}
claude = anthropic.Anthropic(base_url=url, **KEY)


def of_chunks(stream):
    return "".join(chunk.choices[0].delta.content for chunk in stream)


def of_anthropic():
    stream = claude.messages.create(max_tokens=9, stream=True, **ASK)
    return "".join(event.delta.text for event in stream if event.type == "content_block_delta")


def final_text():
    with claude.messages.stream(max_tokens=9, **ASK) as stream:
        return stream.get_final_text()


def of_mistral():
    with Mistral(server_url=url, **KEY).chat.stream(**ASK) as events:
        return of_chunks(event.data for event in events)


def of_ollama():
    parts = ollama.Client(host=url).chat(stream=True, **ASK)
    return "".join(part.message.content for part in parts)


def of_hub():
    client = huggingface_hub.InferenceClient(base_url=url, **KEY)
    return of_chunks(client.chat_completion(stream=True, **ASK))


def of_openai(client):
    return of_chunks(client.chat.completions.create(stream=True, **ASK))


def outcome(program, *, in_an_event):
    half[0] = in_an_event
    try:
        return repr(program())
    except Exception as error:
        return type(error).__name__


for name, program in {
    "openai": lambda: of_openai(openai.OpenAI(base_url=url, **KEY)),
    "groq": lambda: of_openai(groq.Groq(base_url=url, **KEY)),
    "anthropic": of_anthropic,
    "anthropic, get_final_text()": final_text,
    "mistralai": of_mistral,
    "huggingface_hub": of_hub,
    "ollama": of_ollama,
}.items():
    between, within = (outcome(program, in_an_event=within) for within in (False, True))
    print(f"{name}: {between}, {within}")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
openai: 'Take the', 'Take the'
groq: 'Take the', 'Take the'
anthropic: 'Take the', 'Take the'
anthropic, get_final_text(): 'Take the', 'Take the'
mistralai: 'Take the', ResponseValidationError
huggingface_hub: 'Take the', JSONDecodeError
ollama: 'Take the', JSONDecodeError
TXT
