"""What a random program asks the server for."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

# A number in front: so many redirects lead there.
BODIES: Final = (
    "bytes/90000",
    "bytes/200",
    "bytes/0",
    "lines",
    "chunked/40",
    "chunked/0",
    "gzip",
    "bad-gzip",
    "status/204",
    "status/404",
    "status/503",
    "cut",
    "close",
    "flaky",
    "1 bytes/90000",
    "2 chunked/40",
)


def ask(body: str, name: str) -> tuple[str, str, int]:
    """How to ask for a body.

    Args:
        body: One of those above.
        name: Unlike any other, so that the answer is told from all others.

    Returns:
        The path to ask for, the path that answers, and the redirects between.
    """
    hops, _, route = body.rpartition(" ")
    last = asked = f"/{route}/{name}"
    for _ in range(int(hops or 0)):
        asked = f"/redirect-to?url={quote(asked, safe='')}"
    return asked, last, int(hops or 0)
