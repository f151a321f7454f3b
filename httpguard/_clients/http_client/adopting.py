"""What of http.client and urllib.request was there before httpguard came."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..gate import GATE
from ..patching import is_wrapped
from .client import HTTP_CLIENT, LENGTH, URLLIB_REQUEST
from .connections import begin_to_see, is_left_alone
from .pools import CONNECTIONS, HOSTS
from .responses import COUNTING, connection_class, is_real

if TYPE_CHECKING:
    from ..patching import Adopters


def adopters() -> Adopters:
    module = sys.modules.get("http.client")
    if module is None or not is_wrapped(connection_class().__dict__["request"]):
        return {}
    begin_to_see()
    return {connection_class(): _adopt_of, module.HTTPResponse: _adopt_left}


def _adopt_of(connection: Any) -> None:
    """A connection's response, if it is no other client's."""
    if is_left_alone(connection):
        return
    response = connection.__dict__.get("_HTTPConnection__response")
    if response is not None and _holds(response):
        GATE.adopt(
            HTTP_CLIENT,
            response,
            response,
            GATE.pool(connection, CONNECTIONS),
            method=connection._method or "",
            url="",
            status=response.status,
            length=None,
        )


def _adopt_left(response: Any) -> None:
    """A response to which urllib.request has given its URL, as nobody else does."""
    url = response.__dict__.get("url")
    if isinstance(url, str) and _holds(response):
        parts = urlsplit(url)
        GATE.adopt(
            URLLIB_REQUEST,
            response,
            response,
            HOSTS.meet((parts.scheme, parts.hostname or "unknown", parts.port)),
            method=getattr(response, "_method", None) or "",
            url=url,
            status=response.status,
            length=None,
        )


def _holds(response: Any) -> bool:
    """Whether a response holds a socket; if so, its reads are counted from here on."""
    if response.length == 0 or not is_real(response):
        return False
    if response.length is None:
        COUNTING.put_on()
    response.__dict__.setdefault(LENGTH, response.length)
    return True
