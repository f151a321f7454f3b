"""grequests makes a Session for each request, unless it is given one.

Thirty pages at once are thirty sessions, each with a connection that no other request
can use, and none of them is kept for the next round. One shared session, with a pool
as large as the number of requests at once, opens as many connections once.

Run:  python examples/grequests_sessions.py
"""

from __future__ import annotations

from gevent import monkey

# Before all else is imported, as gevent wants it.
monkey.patch_all()

import gc  # noqa: E402
import warnings  # noqa: E402

# grequests patches too, less of it, and gevent remarks on that.
warnings.simplefilter("ignore", monkey.MonkeyPatchWarning)

import grequests  # noqa: E402
import requests  # noqa: E402
from _server import serve  # noqa: E402
from requests.adapters import HTTPAdapter  # noqa: E402

import httpguard  # noqa: E402

PAGES = 30
ROUNDS = 3
KEPT: list[object] = []


def fetch(urls: list[str]) -> int:
    """A session for each page."""
    calls = [grequests.get(url) for url in urls]  # LEAK
    KEPT.extend(calls)  # To look at later: each keeps its session, and that its socket.
    return sum(response.ok for response in grequests.map(calls))


def fetch_repaired(session: requests.Session, urls: list[str]) -> int:
    """One session for all pages and all rounds."""
    calls = [grequests.get(url, session=session) for url in urls]
    return sum(response.ok for response in grequests.map(calls))


def connected() -> int:
    """How many connections were opened so far."""
    gc.collect()
    return httpguard.check().counters["connected"]


def main() -> None:
    """Three rounds, both ways."""
    httpguard.install(max_idle=0)
    with serve() as url:
        urls = [f"{url}page/{number}" for number in range(PAGES)]
        with requests.Session() as session:
            session.mount("http://", HTTPAdapter(pool_maxsize=PAGES))
            pages = sum(fetch_repaired(session, urls) for _ in range(ROUNDS))
        before = connected()
        print("repaired:", pages, "pages,", before, "connections")
        print("session leaks:", httpguard.snapshot().counters["session"])
        pages = sum(fetch(urls) for _ in range(ROUNDS))
        print("leaky:", pages, "pages,", connected() - before, "connections")
        print("found:", httpguard.snapshot().counters["session"] > 0)


if __name__ == "__main__":
    main()
