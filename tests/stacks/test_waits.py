"""Whoever waits for a response is in use, whatever he waits with."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import selectors
import socket
import threading
import time
from select import select as wait_readable
from typing import TYPE_CHECKING, Any

import pytest
import requests

from httpguard import LeakKind
from httpguard._clients import client_packages
from httpguard._leases.lease import lease_of
from httpguard._leases.readers import being_read
from httpguard._stacks.ownership import Origins
from httpguard._stacks.waits import reachable

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import GuardControl
    from tests.server import Server

    Wait = Callable[[Any], object]

ORIGINS = Origins(clients=client_packages())


class Client:
    """Keeps what it waits for."""

    def __init__(self, raw: Any) -> None:
        self.raw = raw
        self.poller = select.poll()
        self.poller.register(raw, select.POLLIN)

    def wait(self) -> None:
        self.poller.poll()


def by_select(raw: Any) -> None:
    select.select([raw], [], [])


def by_another_name(raw: Any) -> None:
    number = raw.fileno()
    del raw
    wait_readable([number], [], [])


def by_poll(raw: Any) -> None:
    Client(raw).wait()


def by_epoll(raw: Any) -> None:
    with select.epoll() as poller:
        poller.register(raw.fileno(), select.EPOLLIN)
        poller.poll()


def by_selector(raw: Any) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(raw, selectors.EVENT_READ)
        del raw
        selector.select()


def by_event_loop(raw: Any) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        over = asyncio.Event()
        loop.add_reader(raw.fileno(), over.set)
        await over.wait()

    asyncio.run(main())


def by_receiving(raw: Any) -> None:
    sock = raw._connection.sock
    sock.settimeout(None)
    sock.recv(1, socket.MSG_PEEK)


def by_a_method_alone(raw: Any) -> None:
    raw._connection.sock.settimeout(None)
    take = raw._connection.sock.recv
    del raw
    take(1, socket.MSG_PEEK)


def by_a_poll_alone(raw: Any) -> None:
    poller = select.poll()
    poller.register(raw, select.POLLIN)
    wait = poller.poll
    wait()


def by_splicing(raw: Any) -> None:
    raw._connection.sock.settimeout(None)
    ends = os.pipe()
    number = raw.fileno()
    del raw
    os.splice(number, ends[1], 10)
    for end in ends:
        os.close(end)


def by_the_file_below(raw: Any) -> None:
    file = raw._fp.fp
    file.raw._sock.settimeout(None)
    del raw
    file.read(1_000_000)


WAITS: list[Wait] = [
    *(by_select, by_another_name, by_poll, by_epoll, by_selector),
    *(by_event_loop, by_receiving, by_the_file_below),
    *(by_a_method_alone, by_a_poll_alone),
    *([by_splicing] if hasattr(os, "splice") else []),
]


def settle(raw: Any, *, read: bool) -> None:
    """Until a thread waits: on its way there it is seen in other functions."""
    lease = lease_of(raw)
    assert lease is not None
    until, seen = time.monotonic() + 30, 0
    while seen < 5 and time.monotonic() < until:
        time.sleep(0.02)
        is_read = bool(being_read([(lease, raw)], ORIGINS))
        seen = seen + 1 if is_read == read else 0


@pytest.mark.parametrize("wait", WAITS)
def test_a_thread_that_waits_is_innocent(
    guard: GuardControl, server: Server, wait: Wait
) -> None:
    guard.install()
    response = requests.get(server.url("/slow"), stream=True)
    raw = response.raw
    assert len(raw.read(10)) == 10  # No more will come.
    sock: socket.socket = raw._connection.sock  # type: ignore[union-attr]  # open
    thread = threading.Thread(target=wait, args=(raw,), daemon=True)
    thread.start()
    settle(raw, read=True)
    for _ in range(3):
        guard.advance(100)
        assert guard.check().leaks == ()
    sock.shutdown(socket.SHUT_RDWR)
    thread.join()
    response.close()
    assert guard.check().leaks == ()


@pytest.mark.skipif(not hasattr(select, "epoll"), reason="trio has another poller")
def test_a_task_of_trio_that_waits_for_a_socket_is_innocent(
    guard: GuardControl, server: Server
) -> None:
    trio = pytest.importorskip("trio")
    testing = pytest.importorskip("trio.testing")
    guard.install()
    raw = requests.get(server.url("/slow"), stream=True).raw
    assert len(raw.read(10)) == 10  # No more will come.
    number = raw.fileno()
    sock: socket.socket = raw._connection.sock  # type: ignore[union-attr]  # open
    lease = lease_of(raw)
    assert lease is not None

    async def main() -> None:
        async with trio.open_nursery() as tasks:
            tasks.start_soon(trio.lowlevel.wait_readable, number)
            await testing.wait_all_tasks_blocked()
            guard.check()  # Sees what was read.
            guard.advance(100)
            assert guard.check().leaks == ()
            tasks.cancel_scope.cancel()

    trio.run(main)
    # Seen by another thread, its loop polls.
    wait = (trio.lowlevel.wait_readable, number)
    thread = threading.Thread(target=trio.run, args=wait, daemon=True)
    thread.start()
    until = time.monotonic() + 30
    while not being_read([(lease, raw)], ORIGINS) and time.monotonic() < until:
        time.sleep(0.02)
    guard.advance(100)
    assert guard.check().leaks == ()
    sock.shutdown(socket.SHUT_RDWR)
    thread.join()
    raw.close()


def by_sleeping(raw: Any, over: threading.Event) -> None:
    over.wait()
    del raw


def for_another(raw: Any, over: threading.Event) -> None:
    wait_for_socket(socket.create_server(("127.0.0.1", 0)), over)
    del raw


def by_a_method_of_another(raw: Any, over: threading.Event) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        take = ours.recv
        threading.Thread(target=lambda: over.wait() and theirs.send(b"x")).start()
        take(1)
    del raw


POLLED = threading.Event()


def polls() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        POLLED.set()
        while POLLED.is_set():
            select.select([ours], [], [], 0.5)


def wait_for_socket(sock: socket.socket, over: threading.Event) -> None:
    ours, theirs = socket.socketpair()
    with selectors.DefaultSelector() as selector, sock, ours, theirs:
        selector.register(sock, selectors.EVENT_READ)
        selector.register(ours, selectors.EVENT_READ)
        threading.Thread(target=lambda: over.wait() and theirs.send(b"x")).start()
        selector.select()  # Once: between two it may be on its way to a read.


@pytest.mark.parametrize("wait", [by_sleeping, for_another, by_a_method_of_another])
def test_a_thread_that_waits_for_something_else_holds(
    guard: GuardControl,
    server: Server,
    wait: Callable[[Any, threading.Event], None],
) -> None:
    guard.install()
    over = threading.Event()
    raw = requests.get(server.url("/slow"), stream=True).raw
    thread = threading.Thread(target=wait, args=(raw, over), daemon=True)
    thread.start()
    settle(raw, read=False)
    guard.advance(100)
    (leak,) = guard.check().leaks
    over.set()
    thread.join()
    assert (leak.kind, leak.count) == (LeakKind.HELD, 1)
    raw.close()


def test_who_polls_has_nothing_of_other_threads(
    guard: GuardControl, server: Server
) -> None:
    """They are known to `threading`, which is below each thread."""
    guard.install()
    over = threading.Event()
    raw = requests.get(server.url("/slow"), stream=True).raw
    threads = [
        threading.Thread(target=by_sleeping, args=(raw, over), daemon=True),
        threading.Thread(target=polls, daemon=True),
    ]
    for thread in threads:
        thread.start()
    settle(raw, read=False)
    guard.advance(100)
    found = [(leak.kind, leak.count, leak.site) for leak in guard.check().leaks]
    assert POLLED.is_set()
    over.set()
    POLLED.clear()
    for thread in threads:
        thread.join()
    raw.close()
    (leak,) = found
    assert leak[:2] == (LeakKind.HELD, 1)
    assert leak[2].function == "test_who_polls_has_nothing_of_other_threads"


@pytest.mark.skipif(not hasattr(socket, "TCP_INFO"), reason="Linux tells")
def test_who_takes_bytes_below_urllib3_between_two_looks_is_innocent(
    guard: GuardControl, server: Server
) -> None:
    guard.install(max_idle=60)
    response = requests.get(server.url("/bytes/9000000"), stream=True)
    file = response.raw._fp.fp  # type: ignore[union-attr]  # open, so it is there
    for _ in range(4):
        guard.advance(40)
        assert guard.check().leaks == ()
        file.read(100_000)
    # It gives up.
    guard.advance(40)
    assert guard.check().leaks == ()
    guard.advance(100)
    (leak,) = guard.check().leaks
    assert (leak.kind, leak.count, leak.bytes_read) == (LeakKind.HELD, 1, 0)
    with contextlib.suppress(Exception):
        response.close()


class Refusing(type):
    """Every question to a class of it is an error."""

    def _refuse(cls, *_: object) -> Any:
        raise AssertionError

    __eq__ = __hash__ = _refuse


def test_no_code_of_a_metaclass_runs() -> None:
    class Quiet(metaclass=Refusing):
        pass

    wanted = object()
    quiet = Quiet()
    vars(quiet)["kept"] = [wanted]
    assert any(item is wanted for item in reachable([quiet]))
