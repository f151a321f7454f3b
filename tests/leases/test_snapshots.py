"""What is open, as values: what is alike is read once, what differs is not mixed up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import urllib3

if TYPE_CHECKING:
    from tests.conftest import GuardControl
    from tests.server import Server


def test_lines_of_one_function_are_told_apart(
    guard: GuardControl, server: Server
) -> None:
    guard.install()
    kept = []
    with urllib3.PoolManager() as manager:
        for name in "ab":
            url = server.url(f"/bytes/90000?{name}=1")
            kept.append(manager.request("GET", url, preload_content=False))
            kept.append(manager.request("GET", url + "&c=2", preload_content=False))
        found = [
            (one.site.lineno, one.url.partition("?")[2]) for one in guard.check().open
        ]
        for response in kept:
            response.close()
    first = found[0][0]
    assert found == [
        (first, "a=…"),
        (first + 1, "a=…&c=…"),
        (first, "b=…"),
        (first + 1, "b=…&c=…"),
    ]
