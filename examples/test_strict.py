"""Leaks fail a test: `no_leaks` for one test, strict mode for a whole program.

Run:  python -m pytest -s examples/test_strict.py
"""
# ruff: noqa: S101  # Tests assert.

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests
from _server import serve

import httpguard

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The local server's."""
    with serve() as running:
        yield running


@pytest.fixture
def strict() -> Iterator[None]:
    """Strict mode, as HTTPGUARD_STRICT=1 and `install()` give it to a program."""
    httpguard.install(strict=True, check_interval=0)
    yield
    httpguard.uninstall()


def first_line(url: str) -> str:
    """The code under test: leaves the loop, and the rest of the body, behind."""
    response = requests.get(url, stream=True, timeout=5)  # LEAK
    for line in response.iter_lines(decode_unicode=True):
        return str(line)
    return ""


def first_line_repaired(url: str) -> str:
    """The same, closed on every way out."""
    with requests.get(url, stream=True, timeout=5) as response:
        for line in response.iter_lines(decode_unicode=True):
            return str(line)
    return ""


@httpguard.no_leaks()
def test_repaired(url: str) -> None:
    """What a test that guards against leaks looks like."""
    assert first_line_repaired(url).startswith("0")


def test_no_leaks_raises(url: str) -> None:
    """A scope that promised to leave nothing open, and did."""
    with pytest.raises(httpguard.LeakError) as caught, httpguard.no_leaks():
        first_line(url)
    print(f"\n{caught.value}")
    (leak,) = caught.value.leaks
    assert (leak.kind, leak.site.function) == ("dropped", "first_line")


@pytest.mark.usefixtures("strict")
def test_strict_raises_at_the_next_request(url: str) -> None:
    """The leak is found after the line that made it: the next request raises."""
    assert first_line(url).startswith("0")
    with pytest.raises(httpguard.LeakError, match="leak dropped") as caught:
        requests.get(url, timeout=5)
    assert [leak.site.function for leak in caught.value.leaks] == ["first_line"]
    # Each leak is raised once.
    assert requests.get(url, timeout=5).ok
