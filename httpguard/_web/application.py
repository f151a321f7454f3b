"""The page as a WSGI application, and as one of ASGI around that."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files
from typing import Any, Final

from .._model.errors import HTTPGuardError
from .access import Access, Token, prefix_of
from .answer import JSON, Answer, Environ, say
from .source import Program  # noqa: TC001  # For typing.get_type_hints.
from .view import View

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
_PUBLIC: Final = frozenset({"/healthz"})
_KINDS: Final = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_SHARED: Final = (
    *("page.css", "page.js", "chart.js", "elements.js", "format.js", "leaks.js"),
    *("tables.js", "icon.svg"),
)
# Path and file in static/: no other path reaches a file.
_FILES: Final = {"/": "index.html"} | {f"/static/{name}": name for name in _SHARED}


class WSGIApplication:
    """The live page of this process, to be mounted under any prefix.

    Of a server with several workers it shows the one that answers.
    """

    def __init__(self, program: Program, access: Access) -> None:
        self.view = View(program.find)
        self._program = program
        self._access = access
        self._routes: dict[str, Callable[[Environ], Answer]] = {
            "/api/snapshot": self._snapshot,
            "/healthz": lambda _: say(200, "ok"),
            "/metrics": self._metrics,
            **dict.fromkeys(_FILES, lambda each: _load(each["PATH_INFO"])),
        }
        program.parts.add(self)

    def __call__(
        self, environ: Environ, start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Answer a request; what fails inside is a 500 and a line in the log."""
        try:
            answer = self._answer(environ)
            if answer.tag and environ.get("HTTP_IF_NONE_MATCH") == answer.tag:
                answer = Answer(304, tag=answer.tag)
        except Exception as error:
            self._program.failed("web", error)
            answer = say(500, "httpguard failed here; the program's log says how.")
        start_response(answer.line, list(answer.all_headers()))
        return [] if environ.get("REQUEST_METHOD") == "HEAD" else [answer.body]

    def pause(self) -> None:
        """No thread of its own runs."""

    resume = pause

    def forget(self) -> None:
        """In a forked child: all that is known is the parent's."""
        self.view.forget()

    def _answer(self, environ: Environ) -> Answer:
        path = environ.get("PATH_INFO", "")
        refusal = self._access.refuse(environ, public=path in _PUBLIC)
        if refusal is not None:
            return refusal
        if environ["REQUEST_METHOD"] not in {"GET", "HEAD"}:
            return say(405, "This page is only read.", ("Allow", "GET, HEAD"))
        if not path:
            # Mounted at /guard and asked for so: its files are beside /guard/.
            query = environ.get("QUERY_STRING", "")
            home = f"{prefix_of(environ)}/{query and '?'}{query}"
            return say(308, "See below.", ("Location", home))
        route = self._routes.get(path)
        return say(404, "There is nothing here.") if route is None else route(environ)

    def _snapshot(self, environ: Environ) -> Answer:
        document = self.view.document()
        body = document.plain
        headers: tuple[tuple[str, str], ...] = ()
        if document.packed and "gzip" in environ.get("HTTP_ACCEPT_ENCODING", ""):
            body, headers = document.packed, (("Content-Encoding", "gzip"),)
        return Answer(200, JSON, body, headers, document.tag)

    def _metrics(self, environ: Environ) -> Answer:
        try:
            body, kind = self._program.metrics(environ.get("HTTP_ACCEPT", ""))
        except HTTPGuardError as error:  # prometheus_client is not installed.
            return say(501, str(error))
        return Answer(200, kind, body)


def mounted(program: Program, token: str | None) -> WSGIApplication:
    """The page for a server of the program's own."""
    secret = None if token is None else Token(token, "httpguard")
    return WSGIApplication(program, Access(secret))


@lru_cache(maxsize=64)
def _load(path: str) -> Answer:
    name = _FILES[path]
    body = files(__package__).joinpath("static", name).read_bytes()
    tag = f'"{sha256(body).hexdigest()[:16]}"'
    return Answer(200, _KINDS[name.rpartition(".")[2]], body, tag=tag)


class ASGIApplication:
    """The live page of this process, to be mounted under any prefix.

    Of a server with several workers it shows the one that answers.

    Args:
        application: What answers, in a thread, so that the event loop never waits.
    """

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    async def __call__(
        self, scope: MutableMapping[str, Any], receive: Receive, send: Send
    ) -> None:
        """Answer a request; end the lifespan and refuse web sockets politely."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "http":
            for message in await _in_thread(self._ask, _environ(scope)):
                await send(message)
        else:
            await send({"type": "websocket.close", "code": 1008})

    def _ask(self, environ: Environ) -> list[Message]:
        start: Message = {"type": "http.response.start"}

        def start_response(line: str, headers: list[tuple[str, str]]) -> None:
            start["status"] = int(line.partition(" ")[0])
            start["headers"] = [
                (name.lower().encode("latin-1"), value.encode("latin-1"))
                for name, value in headers
            ]

        body = b"".join(self._application(environ, start_response))
        return [start, {"type": "http.response.body", "body": body}]


async def _in_thread(ask: Callable[[Environ], Any], environ: Environ) -> Any:
    try:
        asyncio.get_running_loop()
    except RuntimeError:  # Another library's loop.
        return await sys.modules["trio"].to_thread.run_sync(ask, environ)
    return await asyncio.to_thread(ask, environ)


async def _live(receive: Receive, send: Send) -> None:
    """The life of a server whose only application this is."""
    kind = ""
    while kind != "lifespan.shutdown":
        kind = (await receive())["type"]
        await send({"type": f"{kind}.complete"})


def _environ(scope: MutableMapping[str, Any]) -> Environ:
    """A scope as WSGI has it.

    Servers and frameworks have not agreed whether ``path`` has the prefix
    (``root_path``) in it; the specification of 2024 says that it has.
    """
    prefix = str(scope.get("root_path") or "").rstrip("/")
    path = str(scope["path"])
    if prefix and (path == prefix or path.startswith(f"{prefix}/")):
        path = path[len(prefix) :]
    environ = {
        "REQUEST_METHOD": scope["method"],
        "PATH_INFO": path.encode().decode("latin-1"),
        "SCRIPT_NAME": prefix.encode().decode("latin-1"),
        "QUERY_STRING": scope.get("query_string", b"").decode("latin-1"),
        "wsgi.url_scheme": scope.get("scheme", "http"),
    }
    for name, value in scope["headers"]:
        key = "HTTP_" + name.decode("latin-1").upper().replace("-", "_")
        text = value.decode("latin-1")
        # Over HTTP/2 each cookie may come in a header of its own.
        glue = "; " if key == "HTTP_COOKIE" else ", "
        environ[key] = f"{environ[key]}{glue}{text}" if key in environ else text
    return environ
