"""The routes: every kind of body, redirects, errors, and servers that misbehave."""

from __future__ import annotations

import gzip
import io
import pickle
import tarfile
import zlib
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from ._handler import NO_HEADERS, Handler, route

if TYPE_CHECKING:
    from collections.abc import Mapping

_DIGEST: Final = 'Digest realm="test", nonce="abc", qop="auth", algorithm=MD5'


def lines(count: int) -> list[bytes]:
    """Numbered lines of 90 bytes."""
    return [b"%-88d|\n" % number for number in range(count)]


def _tar() -> bytes:
    """A tar archive of three files."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name in ("a", "b", "c"):
            member = tarfile.TarInfo(name)
            member.size = 30_000
            tar.addfile(member, io.BytesIO(bytes(member.size)))
    return archive.getvalue()


_TEXT: Final = b"".join(lines(1000))
_XML: Final = b"<rows>%s</rows>" % (b"<row>a row of text</row>" * 5000)
_EVENTS: Final = b"".join(b"data: event %d\n\n" % number for number in range(2000))
_PICKLE: Final = pickle.dumps(list(range(30_000)))
_ROWS: Final = [b'{"row": %d}\n' % number for number in range(1000)]
_GZIP: Final = {"Content-Encoding": "gzip"}
_SSE: Final = {"Content-Type": "text/event-stream"}

# Bodies with a Content-Length, by their route.
_FIXED: Final[dict[str, tuple[bytes, Mapping[str, str]]]] = {
    "gzip": (gzip.compress(_TEXT), _GZIP),
    "gzip-file": (gzip.compress(_TEXT * 5, 0), {"Content-Type": "application/gzip"}),
    "deflate": (zlib.compress(_TEXT), {"Content-Encoding": "deflate"}),
    "bad-gzip": (_TEXT, _GZIP),
    "empty": (b"", NO_HEADERS),
    "lines": (_TEXT, {"Content-Type": "text/plain; charset=utf-8"}),
    "xml": (_XML, {"Content-Type": "application/xml"}),
    "pickle": (_PICKLE, NO_HEADERS),
    "tar": (_tar(), {"Content-Type": "application/x-tar"}),
    "cacheable": (_TEXT, {"Cache-Control": "max-age=3600"}),
}


@route(*_FIXED)
def _fixed(handler: Handler, _: list[str]) -> None:
    """One of the bodies above."""
    body, headers = _FIXED[urlsplit(handler.path).path.split("/")[1]]
    handler.reply(body, headers=headers)


@route("in-chunks")
def _in_chunks(handler: Handler, rest: list[str]) -> None:
    """``/in-chunks/NAME``: that body in chunks of 8000 bytes."""
    body, headers = _FIXED[rest[0]]
    pieces = [body[at : at + 8000] for at in range(0, len(body), 8000)]
    handler.reply_chunked(pieces, headers)


@route("bytes")
def _bytes(handler: Handler, rest: list[str]) -> None:
    """``/bytes/N``: N bytes with their Content-Length."""
    handler.reply(b"x" * int(rest[0]))


@route("chunked")
def _chunked(handler: Handler, rest: list[str]) -> None:
    """``/chunked/N``: N chunks of one line."""
    handler.reply_chunked(lines(int(rest[0])))


@route("jsonlines")
def _jsonlines(handler: Handler, _: list[str]) -> None:
    """JSON documents, one a line, with a Content-Length."""
    handler.reply(b"".join(_ROWS), headers={"Content-Type": "application/jsonl"})


@route("pages")
def _pages(handler: Handler, rest: list[str]) -> None:
    """``/pages/N``: a JSON page that links to page N-1, down to page 0."""
    number = int(rest[0])
    link = {"Link": f'</pages/{number - 1}>; rel="next"'} if number else NO_HEADERS
    handler.reply_json({"items": ["x" * 90] * 1000}, headers=link)


@route("redirect")
def _redirect(handler: Handler, rest: list[str]) -> None:
    """``/redirect/K``: K hops with a small body, then ``/bytes/90000``."""
    hops = int(rest[0]) - 1
    target = f"/redirect/{hops}" if hops > 0 else "/bytes/90000"
    handler.reply(b"moved\n" * 100, status=302, headers={"Location": target})


@route("misled")
def _misled(handler: Handler, rest: list[str]) -> None:
    """``/misled/N``: a redirect with a body of N bytes to what is no UTF-8."""
    target = {"Location": "/bytes/10?caf\xe9"}
    handler.reply(b"x" * int(rest[0]), status=302, headers=target)


@route("redirect-to")
def _redirect_to(handler: Handler, _: list[str]) -> None:
    """``/redirect-to?url=``: one hop to anywhere."""
    target = {"Location": handler.query["url"]}
    handler.reply(b"moved\n" * 100, status=302, headers=target)


@route("chunked-status")
def _chunked_status(handler: Handler, rest: list[str]) -> None:
    """``/chunked-status/CODE``: that status with a body in chunks."""
    handler.reply_chunked([b"status\n"], status=int(rest[0]))


@route("status")
def _status(handler: Handler, rest: list[str]) -> None:
    """``/status/CODE``: that status with a body, where it may have one."""
    handler.reply(b"status\n" * 2000, status=int(rest[0]))


@route("flaky")
def _flaky(handler: Handler, rest: list[str]) -> None:
    """``/flaky/KEY``: 503 the first time a key is asked for, then 200.

    ``/flaky/KEY/N``: with so many bytes.
    """
    status = 200 if handler.server.calls(rest[0]) else 503
    handler.reply(b"x" * int(rest[1]) if rest[1:] else _TEXT, status=status)


@route("refused")
def _refused(handler: Handler, rest: list[str]) -> None:
    """``/refused/KEY``: 503 and a time to wait, the first time; then 200."""
    if handler.server.calls(rest[0]):
        handler.reply(_TEXT)
    else:
        handler.reply(_TEXT, status=503, headers={"Retry-After": "3600"})


@route("auth", "auth-digest")
def _auth(handler: Handler, rest: list[str]) -> None:
    """401 with a body, of so many bytes, to whoever brings no Authorization."""
    if "Authorization" in handler.headers:
        handler.reply(_TEXT)
    else:
        refusal = b"x" * int(rest[0]) if rest else _TEXT
        handler.reply(refusal, status=401, headers={"WWW-Authenticate": _DIGEST})


@route("echo")
def _echo(handler: Handler, _: list[str]) -> None:
    """What the client sent."""
    handler.reply(handler.body)


@route("early-hints")
def _early_hints(handler: Handler, _: list[str]) -> None:
    """103, and what it tells of only once the client has gone on, or hung up."""
    handler.wfile.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")
    handler.wait(handler.server.event("early-hints"))
    handler.reply(_TEXT)


@route("every-other")
def _every_other(handler: Handler, rest: list[str]) -> None:
    """``/every-other/KEY/N``: N bytes, and hangs up each second time."""
    if handler.server.calls(rest[0]) % 2:
        handler.close_connection = True
    else:
        handler.reply(b"x" * int(rest[1]))


@route("long-header")
def _long_header(handler: Handler, _: list[str]) -> None:
    """A field of more bytes than aiohttp takes."""
    handler.reply(_TEXT, headers={"X-Long": "x" * 9000})


@route("long-line")
def _long_line(handler: Handler, _: list[str]) -> None:
    """A line that is longer than what aiohttp takes for one."""
    handler.reply_chunked([b"x" * 1_500_000, b"\n"])


@route("cut")
def _cut(handler: Handler, _: list[str]) -> None:
    """Announces 90000 bytes, sends half, closes."""
    handler.start(200, {"Content-Length": "90000"})
    handler.wfile.write(b"x" * 45_000)
    handler.close_connection = True


@route("slow")
def _slow(handler: Handler, rest: list[str]) -> None:
    """``/slow/KEY``: ten bytes, and the rest once ``/finish/KEY`` is called."""
    handler.start(200, {"Content-Length": "90000"})
    handler.wfile.write(b"x" * 10)
    if handler.wait(handler.server.event("/".join(rest))):
        handler.wfile.write(b"x" * 89_990)
    else:
        handler.close_connection = True


@route("slow-chunked")
def _slow_chunked(handler: Handler, rest: list[str]) -> None:
    """The same in chunks, of which nobody knows how many come."""
    handler.start(200, {"Transfer-Encoding": "chunked"})
    handler.wfile.write(b"a\r\n%b\r\n" % (b"x" * 10))
    if handler.wait(handler.server.event("/".join(rest))):
        handler.wfile.write(b"a\r\n%b\r\n0\r\n\r\n" % (b"x" * 10))
    else:
        handler.close_connection = True


@route("finish")
def _finish(handler: Handler, rest: list[str]) -> None:
    """``/finish/KEY``: let a ``/slow/KEY`` go on."""
    handler.server.event("/".join(rest)).set()
    handler.reply(b"")


@route("close")
def _close(handler: Handler, _: list[str]) -> None:
    """Lines without a length: the end is the connection's."""
    handler.reply_until_close(_TEXT, {"Content-Type": "text/plain"})


@route("sse")
def _sse(handler: Handler, _: list[str]) -> None:
    """Server-sent events without a length, as most servers send them."""
    handler.reply_until_close(_EVENTS, _SSE)


@route("sse-chunked")
def _sse_chunked(handler: Handler, _: list[str]) -> None:
    """The same in chunks."""
    handler.reply_chunked([_EVENTS] * 2, _SSE)


@route("peer")
def _peer(handler: Handler, _: list[str]) -> None:
    """The port from which the client sent this."""
    handler.reply(b"%d" % handler.client_address[1])


@route("moved")
def _moved(handler: Handler, rest: list[str]) -> None:
    """``/moved/N``: one hop with a body of N bytes, then ``/bytes/10``."""
    handler.reply(b"x" * int(rest[0]), status=302, headers={"Location": "/bytes/10"})
