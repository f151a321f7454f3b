"""What counts as a word about a response, of all that a program writes."""

from __future__ import annotations

import pytest

from benchmarks._recalled import is_said, without_slow

SLOW = (
    "WARNING:asyncio:Executing <Task pending name='Task-1' coro=<main() running at"
    " /a/httpx_async.py:27> created at /a/runners.py:100> took 0.203 seconds\n"
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", False),
        (SLOW, False),
        (SLOW + "ERROR:asyncio:Unclosed connection\n", True),
        ("main.py:3: ResourceWarning: unclosed <socket.socket fd=7>\n", True),
        ("ERROR:asyncio:Task exception was never retrieved\n", True),
    ],
)
def test_what_is_said_of_slow_tasks_is_about_no_response(
    text: str, *, said: bool
) -> None:
    left = without_slow(text)
    assert is_said(left) is said
    assert "httpx_async.py:27" not in left
