"""Where `httpguard top` gets its figures: a page's JSON, found by URL or by process."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import ssl
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from .._model.errors import HTTPGuardError
from .._model.redaction import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

_PATIENCE: Final = 10.0
_PROBE_PATIENCE: Final = 1.0
_MOST_BYTES: Final = 16_000_000
# A host and its port alone.
_BARE: Final = re.compile(r"(?:[\w.-]+|\[[0-9a-fA-F:.]+\]):\d+(?:/|$)")
_HTTP: Final = {
    "http": http.client.HTTPConnection,
    "https": http.client.HTTPSConnection,
}


class UnreachableError(HTTPGuardError):
    """There is no page there, or it does not let us in. The message says which."""


class Source:
    """A page; connected to when it is asked."""

    def __init__(self, url: str, token: str | None) -> None:
        if _BARE.match(url):
            url = f"http://{url}"
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            parts, port = urlsplit(""), None
        if parts.scheme not in _HTTP or not parts.hostname:
            raise UnreachableError(
                f"{printable(url)!r} is neither a URL (http://HOST:PORT/) "
                "nor the number of a process"
            )
        self.url = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        self._connect = partial(_HTTP[parts.scheme], parts.hostname, port)
        self._path = parts.path.rstrip("/")
        self._headers = {"Accept": "application/json"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"

    def fetch(self) -> dict[str, Any]:
        try:
            status, _, body = self._get("/api/snapshot", _PATIENCE)
        except (OSError, http.client.HTTPException, ssl.SSLError) as error:
            raise UnreachableError(
                f"no answer from {self.url}: {error or type(error).__name__}"
            ) from None
        if status == http.HTTPStatus.UNAUTHORIZED:
            raise UnreachableError(
                f"{self.url} wants its token: --token, or HTTPGUARD_SERVE_TOKEN"
            )
        try:
            state = json.loads(body)
        except ValueError:
            state = None
        ours = isinstance(state, dict) and "httpguard" in state
        if status != http.HTTPStatus.OK or not ours:
            raise UnreachableError(
                f"{self.url} is no page of httpguard (it answers with {status})"
            )
        return dict(state)

    def is_ours(self) -> bool:
        try:
            _, server, _ = self._get("/healthz", _PROBE_PATIENCE)
        except (OSError, http.client.HTTPException):
            return False
        return server.startswith("httpguard/")

    def _get(self, path: str, patience: float) -> tuple[int, str, bytes]:
        connection = self._connect(timeout=patience)
        try:
            connection.request("GET", self._path + path, headers=self._headers)
            answer = connection.getresponse()
            server = answer.getheader("Server", "")
            return answer.status, server, answer.read(_MOST_BYTES)
        finally:
            connection.close()


def find(target: str, token: str | None) -> Source:
    """The page that a person means, by a URL, or by the number of a process.

    Of that and of its children every listening socket is asked for ``/healthz``, and
    what answers as httpguard is the page. The program writes nothing down for this.
    """
    if not target.isdecimal():
        return Source(target, token)
    pages = dict(_pages_of(int(target), token))
    if not pages:
        raise UnreachableError(
            f"process {target} serves no page of httpguard: "
            "start it with HTTPGUARD_SERVE=0, or call httpguard.serve() in it"
        )
    if len(pages) > 1:
        lines = "".join(f"\n  {url} (process {pid})" for url, pid in pages.items())
        raise UnreachableError(
            f"process {target} and its children serve several pages; which one?{lines}"
        )
    return Source(next(iter(pages)), token)


def _pages_of(pid: int, token: str | None) -> Iterator[tuple[str, int]]:
    """URLs of pages, with the process that serves each."""
    import psutil

    try:
        process = psutil.Process(pid)
        # The process itself must be open to us; of its children, those that are.
        family = [(process, _listening(process))]
    except (psutil.NoSuchProcess, OverflowError):
        raise UnreachableError(f"there is no process {pid}") from None
    except psutil.AccessDenied:
        raise UnreachableError(
            f"process {pid} is another user's: give the URL of its page"
        ) from None
    for child in process.children(recursive=True):
        with contextlib.suppress(psutil.Error):
            family.append((child, _listening(child)))
    for member, addresses in family:
        for host, port in addresses:
            url = f"http://{host}:{port}/"
            if Source(url, token).is_ours():
                yield url, member.pid


def _listening(process: Any) -> list[tuple[str, int]]:
    # The name until psutil 6.
    connections = getattr(process, "net_connections", None) or process.connections
    found = set()
    for each in connections(kind="tcp"):
        if each.status != "LISTEN":
            continue
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(each.laddr.ip, each.laddr.ip)  # noqa: S104  # Not bound here.
        found.add((f"[{host}]" if ":" in host else host, each.laddr.port))
    return sorted(found)
