"""Sockets of others: none of their code runs when we look for Python's."""

from __future__ import annotations

import socket
from typing import Any

from httpguard._leases.wire import real_socket


class Asked:
    """A program's own socket, which notes what it is asked for."""

    def __init__(self, **parts: Any) -> None:
        self.seen: list[str] = []
        vars(self).update(parts)

    def __getattr__(self, name: str) -> Any:
        self.seen.append(name)
        raise AttributeError(name)


def test_no_code_of_a_program_runs() -> None:
    asked = Asked()
    assert real_socket(asked) is None
    assert asked.seen == []


def test_the_socket_inside_is_found() -> None:
    with socket.socket() as inner:
        assert real_socket(Asked(fd=inner)) is inner
        assert real_socket(inner) is inner
