"""What is compiled keeps the frames that the interpreter shows, whatever these are."""

from __future__ import annotations

import contextlib
import ctypes
import sys
import threading
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import urllib3
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import httpguard
from httpguard._clients.urllib3 import compiled

from ._registry import registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import GuardControl
    from tests.server import Server

    Call = Callable[[], Any]

pytestmark = pytest.mark.skipif(
    compiled.begin_lease is None, reason="nothing is compiled for this interpreter"
)


def by_function(call: Call) -> None:
    call()


def by_partial(call: Call) -> None:
    partial(by_function, call)()


def by_generator(call: Call) -> None:
    def inner() -> Iterator[None]:
        yield call()

    def outer() -> Iterator[None]:
        yield from inner()

    list(outer())


def by_coroutine(call: Call) -> None:
    async def inner() -> None:
        call()

    async def outer() -> None:
        await inner()

    with contextlib.suppress(StopIteration):
        outer().send(None)


def by_async_generator(call: Call) -> None:
    async def inner() -> Any:
        yield call()

    async def outer() -> None:
        async for _ in inner():
            pass

    with contextlib.suppress(StopIteration):
        outer().send(None)


def by_c_code(call: Call) -> None:
    max([0], key=lambda _: call() or 0)


def by_class_body(call: Call) -> None:
    class Body:
        value = call()

    assert Body.value is None


def by_exec(call: Call) -> None:
    exec("call()", {"call": call})


def by_constructor(call: Call) -> None:
    class Made:
        def __init__(self) -> None:
            call()

    Made()


def by_attribute(call: Call) -> None:
    class Owner:
        def __getattr__(self, _: str) -> None:
            call()

    assert Owner().value is None


def by_finalizer(call: Call) -> None:
    class Finalized:
        def __del__(self) -> None:
            call()

    Finalized()


def by_weak_reference(call: Call) -> None:
    class Referent:
        pass

    referent = Referent()
    reference = weakref.ref(referent, lambda _: call())
    del referent
    assert reference() is None


def by_foreign_code(call: Call) -> None:
    ctypes.CFUNCTYPE(None)(call)()


def by_profiled(call: Call) -> None:
    before = sys.getprofile()
    sys.setprofile(lambda *_: None)
    try:
        call()
    finally:
        sys.setprofile(before)


WAYS = [function for name, function in globals().items() if name.startswith("by_")]


@given(ways=st.lists(st.sampled_from(WAYS), min_size=1, max_size=12))
@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_a_whole_stack_is_what_frames_say(
    ways: list[Callable[[Call], None]], guard: GuardControl, server: Server
) -> None:
    guard.install()
    found: list[tuple[Any, ...]] = []

    def opened() -> None:
        pool = urllib3.connection_from_url(server.url("/"))
        response = pool.request("GET", "/bytes/10", preload_content=False)
        (lease,) = registry().leases.values()
        found.append((lease.stack, stack_of(sys._getframe())))
        response.read()
        response.release_conn()
        pool.close()

    call: Call = opened
    for way in ways:
        call = partial(way, call)

    def bottom() -> None:
        with httpguard.allow("a test"):  # A scope keeps whole stacks.
            call()

    # Above a test are more frames than compiled code looks at.
    thread = threading.Thread(target=bottom)
    thread.start()
    thread.join()
    ((kept, shown),) = found
    kept = kept[kept.index(opened.__code__) :]
    # This function has gone on since.
    assert kept[0] is shown[0]
    assert kept[2:] == shown[2 : len(kept)]
    assert len(kept) > 2 * len(ways)


def stack_of(frame: Any) -> tuple[Any, ...]:
    """Code and offset of each frame, as Python shows them."""
    found: list[Any] = []
    while frame is not None:
        found += frame.f_code, frame.f_lasti
        frame = frame.f_back
    return tuple(found)
