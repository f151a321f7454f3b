"""The few routes that the SDKs of model services and of databases need."""

from __future__ import annotations

import json
from typing import Final

from ._handler import Handler, route

_STREAM: Final = {"Content-Type": "text/event-stream"}
_WORDS: Final = ("a", "b", "c") * 100


@route("openai")
def _openai(handler: Handler, rest: list[str]) -> None:
    """OpenAI, and what speaks its dialect: chat completions, files, speech."""
    if rest[-1] == "completions":
        asked = json.loads(handler.body)
        if asked["model"] == "missing":
            error = {"error": {"message": "no such model", "type": "x", "code": "y"}}
            handler.reply(json.dumps(error).encode(), status=404, headers=_STREAM)
        elif asked.get("stream"):
            handler.reply_chunked([*map(_chunk, _WORDS), b"data: [DONE]\n\n"], _STREAM)
        else:
            handler.reply_json(
                _completion(message={"role": "assistant", "content": "a"})
            )
    else:
        handler.reply_chunked([b"x" * 1000] * 90)


@route("anthropic")
def _anthropic(handler: Handler, _: list[str]) -> None:
    """Anthropic: messages."""
    message: dict[str, object] = {
        "id": "1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }
    if not json.loads(handler.body).get("stream"):
        handler.reply_json(message)
        return
    block = {"type": "text", "text": ""}
    events: list[dict[str, object]] = [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": block},
        *(
            {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "text_delta", "text": word},
            }
            for word in _WORDS
        ),
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": 1},
        },
        {"type": "message_stop"},
    ]
    handler.reply_chunked(
        [
            b"event: %b\n%b" % (str(event["type"]).encode(), _event(event))
            for event in events
        ],
        _STREAM,
    )


@route("genai")
def _genai(handler: Handler, rest: list[str]) -> None:
    """Google: ``generateContent``, streamed or not."""
    part = {"content": {"parts": [{"text": "a"}], "role": "model"}}
    if "stream" in rest[-1]:
        handler.reply_chunked([_event({"candidates": [part]})] * 100, _STREAM)
    else:
        handler.reply_json({"candidates": [part]})


@route("supabase")
def _supabase(handler: Handler, rest: list[str]) -> None:
    """Supabase: rows of any table, bytes of any object."""
    if rest[0] == "rest":
        handler.reply_json([{"id": 1}])
    else:
        handler.reply(b"x" * 90_000)


@route("elastic")
def _elastic(handler: Handler, _: list[str]) -> None:
    """Elasticsearch: no hits."""
    found = {"hits": {"hits": []}, "_shards": {}, "took": 1, "timed_out": False}
    handler.reply_json(found, headers={"X-Elastic-Product": "Elasticsearch"})


def _completion(**choice: object) -> dict[str, object]:
    choices = [{"index": 0, "finish_reason": None, **choice}]
    return {"id": "1", "created": 1, "model": "m", "object": "x", "choices": choices}


def _chunk(word: str) -> bytes:
    return _event(_completion(delta={"content": word}))


def _event(document: object) -> bytes:
    return b"data: %b\n\n" % json.dumps(document).encode()
