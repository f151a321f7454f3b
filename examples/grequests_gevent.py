"""grequests under gevent: streamed responses that nobody closes, and the repair.

A greenlet's stack begins in grequests, not in this file: the report names grequests'
own line that made the request, with the URL, which leads to the line marked below.

Run:  python examples/grequests_gevent.py
"""

from __future__ import annotations

from gevent import monkey

# Before all else is imported, as gevent wants it.
monkey.patch_all()

import gc  # noqa: E402
import warnings  # noqa: E402

import gevent  # noqa: E402

# grequests patches too, less of it, and gevent remarks on that.
warnings.simplefilter("ignore", monkey.MonkeyPatchWarning)

import grequests  # noqa: E402
from _server import serve  # noqa: E402

import httpguard  # noqa: E402


def statuses(urls: list[str]) -> list[int]:
    """Stream, look at the status alone, and let go of the responses."""
    calls = [grequests.get(url) for url in urls]
    responses = grequests.map(calls, stream=True)  # LEAK
    return [response.status_code for response in responses]


def statuses_repaired(urls: list[str]) -> list[int]:
    """Each response is closed, read or not."""
    found = []
    calls = [grequests.get(url) for url in urls]
    for response in grequests.map(calls, stream=True):
        with response:
            found.append(response.status_code)
    return found


def settle() -> httpguard.Snapshot:
    """Let gevent and the collector let go of what is done with, and look."""
    # gevent keeps the greenlet that ended last until the next switch, and
    # grequests' calls and greenlets are cycles.
    gevent.sleep(0)
    gc.collect()
    return httpguard.check()


def main() -> None:
    """Three pages at once, both ways."""
    httpguard.install()
    with serve() as url:
        urls = [f"{url}page/{number}" for number in range(3)]
        print("repaired:", statuses_repaired(urls))
        print("leaks:", settle().counters["leaks"])
        print("leaky:", statuses(urls))
        snapshot = settle()
    for leak in snapshot.leaks:
        print(f"{leak.count} {leak.kind}, opened in {leak.site.function}()")


if __name__ == "__main__":
    main()
