"""What a library keeps for itself is not where a person would cut."""

from __future__ import annotations

from typing import Any

from httpguard._holders.steps import describe


class Library:
    """As one of aiohttp's."""


Library.__module__ = "aiohttp.streams"


class Proxy:
    """Of the program: to ask for its class runs a line of it."""

    held: Any
    asked = 0

    @property  # type: ignore[misc]  # As proxies have it.
    def __class__(self) -> Any:
        Proxy.asked += 1
        return list


def test_no_line_of_a_proxy_runs() -> None:
    library: Any = Library()
    proxy, response = Proxy(), object()
    library._kept = proxy
    proxy.held = response
    line = describe("global", [library, vars(library), proxy, vars(proxy), response])
    assert Proxy.asked == 0
    assert "[cut: " in line
