"""The few routes that SDKs need: of S3, Docker, Kubernetes and others."""

from __future__ import annotations

import json
import struct
import zlib
from typing import Final

from ._handler import Handler, route
from ._routes import lines

_OBJECT: Final = b"x" * 90_000
_LARGE_OBJECT: Final = b"x" * 2_000_000
_OBJECT_HEADERS: Final = {
    "ETag": '"0123456789abcdef0123456789abcdef"',
    "Last-Modified": "Wed, 01 Jan 2025 00:00:00 GMT",
    "Content-Type": "application/octet-stream",
}
_NO_SUCH_KEY: Final = (
    b'<?xml version="1.0"?><Error><Code>NoSuchKey</Code><Message>no such key'
    b"</Message><Resource>/bucket/missing</Resource><RequestId>1</RequestId>"
    b"<HostId>1</HostId><Key>missing</Key><BucketName>bucket</BucketName></Error>"
)
_CONTAINER: Final = {"Id": "x", "Name": "/x", "Config": {"Tty": False}}
_POD: Final = {
    "type": "ADDED",
    "object": {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "pod"}},
}


@route("bucket")
def _bucket(handler: Handler, rest: list[str]) -> None:
    """S3: an object of 90000 bytes under any key but ``missing`` and ``large``."""
    if handler.command == "PUT":
        handler.reply(b"", headers=_OBJECT_HEADERS)
    elif rest == ["missing"]:
        headers = {"Content-Type": "application/xml"}
        handler.reply(_NO_SUCH_KEY, status=404, headers=headers)
    elif rest == ["large"]:
        handler.reply(_LARGE_OBJECT, headers=_OBJECT_HEADERS)
    else:
        handler.reply(_OBJECT, headers=_OBJECT_HEADERS)


@route("v1.41")
def _docker(handler: Handler, rest: list[str]) -> None:
    """Docker: what is asked for is the last part of the path."""
    what = rest[-1]
    if what == "json":
        handler.reply_json(_CONTAINER)
    elif what in {"export", "get"}:
        handler.reply(_OBJECT, headers={"Content-Type": "application/x-tar"})
    elif what == "logs":
        last = handler.query.get("tail") != "all"
        handler.reply_chunked(
            [_log_frame(line) for line in lines(500)],
            {"Connection": "close" if last else "keep-alive"},
        )
    elif what in {"create", "events"}:
        handler.reply_chunked([b'{"status": "Pulling"}\r\n'] * 500)
    elif what == "version":
        handler.reply_json({"ApiVersion": "1.41"})
    else:
        handler.reply(b'{"message": "no such thing"}', status=404)


@route("api")
def _kubernetes(handler: Handler, rest: list[str]) -> None:
    """Kubernetes: a pod's log, and pods as a list or a watch."""
    if rest[-1] == "log":
        handler.reply(b"".join(lines(1000)), headers={"Content-Type": "text/plain"})
    elif "watch" in handler.query:
        handler.reply_chunked([_json_line(_POD)] * 500)
    else:
        handler.reply_json({"kind": "PodList", "apiVersion": "v1", "items": []})


@route("model")
def _bedrock(handler: Handler, _: list[str]) -> None:
    """Bedrock: 500 events."""
    headers = {"Content-Type": "application/vnd.amazon.eventstream"}
    handler.reply_chunked([_event(b'{"bytes": "eA=="}')] * 500, headers)


@route("download")
def _google(handler: Handler, _: list[str]) -> None:
    """Google's storage: an object of two million bytes."""
    handler.reply(_LARGE_OBJECT)


@route("users")
def _discord(handler: Handler, _: list[str]) -> None:
    """Discord: who one is."""
    handler.reply_json({"id": "1", "username": "x"})


@route("slack")
def _slack(handler: Handler, _: list[str]) -> None:
    """Slack: whatever is asked."""
    handler.reply_json({"ok": True})


def _event(payload: bytes) -> bytes:
    """A chunk as AWS frames it: lengths and headers, each with its checksum."""
    headers = b"".join(
        struct.pack(">B", len(name)) + name + struct.pack(">BH", 7, len(value)) + value
        for name, value in (
            (b":event-type", b"chunk"),
            (b":message-type", b"event"),
            (b":content-type", b"application/json"),
        )
    )
    start = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    start += struct.pack(">I", zlib.crc32(start))
    message = start + headers + payload
    return message + struct.pack(">I", zlib.crc32(message))


def _log_frame(line: bytes) -> bytes:
    """A line as Docker multiplexes it: stream, length, text."""
    return struct.pack(">BxxxL", 1, len(line)) + line


def _json_line(document: object) -> bytes:
    """A JSON document on a line of its own."""
    return json.dumps(document).encode() + b"\n"
