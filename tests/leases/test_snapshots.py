"""What is open, as values: what is alike is read once, what differs is not mixed up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import urllib3

import httpguard
from httpguard import LeakKind

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


def test_what_has_not_changed_is_not_made_again(
    guard: GuardControl, server: Server
) -> None:
    guard.install()

    def drop() -> None:
        manager.request("GET", server.url("/bytes/90000"), preload_content=False)

    with urllib3.PoolManager() as manager:
        drop()
        (first,) = guard.check().leaks
        (same,) = httpguard.snapshot().leaks
        drop()
        (second,) = guard.check().leaks
    assert same is first
    assert (first.count, second.count) == (1, 2)
    assert second.last_seen > first.last_seen
    assert second.site == first.site


def test_a_leak_that_is_resolved_is_made_anew(
    guard: GuardControl, server: Server
) -> None:
    guard.install()
    url = server.url("/bytes/90000")
    with urllib3.PoolManager() as manager:
        response = manager.request("GET", url, preload_content=False)
        guard.advance(1000)
        (held,) = guard.check().leaks
        response.drain_conn()
        (resolved,) = guard.check().leaks
    assert (held.kind, held.count, held.resolved) == (LeakKind.HELD, 1, 0)
    assert (resolved.count, resolved.resolved) == (1, 1)
    assert resolved.site == held.site
