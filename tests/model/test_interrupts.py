"""What the program throws into our code is its own: time limits by signals."""

from __future__ import annotations

import ctypes
import functools
import signal
import threading
from typing import TYPE_CHECKING, Any

import pytest
import requests

import httpguard
from httpguard._clients import requests as _requests
from httpguard._clients.gate import GATE
from httpguard._leases import registry as _registry
from httpguard._leases.ends import Ends
from httpguard._pools.pool import PoolRef

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import GuardControl
    from tests.server import Server


class TimeIsUpError(Exception):
    """Of the program."""


class Limits:
    """As RQ has it: the handler is a method."""

    def over(self, _number: int, _frame: object, why: str = "") -> None:
        raise TimeIsUpError(why)


@pytest.fixture(params=["function", "method", "partial", "object"])
def handled(request: pytest.FixtureRequest) -> Iterator[None]:
    """Each kind of handler that a program may set."""
    limits = Limits()

    def over(number: int, frame: object) -> None:
        limits.over(number, frame)

    class Over:
        def __call__(self, number: int, frame: object) -> None:
            limits.over(number, frame)

    handlers: dict[str, Any] = {
        "function": over,
        "method": limits.over,
        "partial": functools.partial(limits.over, why="late"),
        "object": Over(),
    }
    before = signal.signal(signal.SIGUSR1, handlers[request.param])
    yield
    signal.signal(signal.SIGUSR1, before)


def late(*_args: Any, **_options: Any) -> None:
    signal.raise_signal(signal.SIGUSR1)


# Ours that run in a request, in the order in which they do.
POINTS: list[tuple[Any, str]] = [
    (PoolRef, "took"),
    (_registry, "capture"),
    (_requests, "note_retries"),
    (Ends, "end"),
]


@pytest.mark.usefixtures("handled")
@pytest.mark.parametrize(("owner", "name"), POINTS, ids=str)
def test_what_a_signal_handler_raises_is_the_programs(
    owner: Any,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    guard: GuardControl,
    server: Server,
) -> None:
    url = server.url("/bytes/90000")
    guard.install(check_interval=0, stack_depth=31)  # No stack is known yet.
    with requests.Session() as session:
        kept = session.get(url, stream=True)
        with monkeypatch.context() as patched:
            patched.setattr(owner, name, late)
            with pytest.raises(TimeIsUpError), session.get(url, stream=True) as one:
                assert one.content
        assert kept.content
    assert httpguard.snapshot().counters["errors"] == 0


def test_what_another_thread_throws_is_the_programs(
    monkeypatch: pytest.MonkeyPatch, guard: GuardControl, server: Server
) -> None:
    guard.install(check_interval=0)
    throw = functools.partial(
        ctypes.pythonapi.PyThreadState_SetAsyncExc,
        ctypes.c_ulong(threading.get_ident()),
        ctypes.py_object(TimeIsUpError),
    )
    response = requests.get(server.url("/bytes/90000"), stream=True)
    # No frame but ours is there when it comes.
    monkeypatch.setattr(GATE.registry, "clock", throw)
    with pytest.raises(TimeIsUpError):
        response.close()
    monkeypatch.undo()
    response.close()
    assert httpguard.snapshot().counters["errors"] == 0


def test_ours_are_still_swallowed(
    monkeypatch: pytest.MonkeyPatch, guard: GuardControl, server: Server
) -> None:
    def fail(*_args: Any, **_options: Any) -> None:
        raise TimeIsUpError

    guard.install(check_interval=0)
    monkeypatch.setattr(Ends, "end", fail)
    with requests.get(server.url("/bytes/90000"), stream=True) as response:
        assert response.content
    httpguard.check()
    assert httpguard.snapshot().counters["errors"] > 0
