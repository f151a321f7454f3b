"""Single steps of the hot path, each by itself: what it costs, how often it runs.

Every step is timed where nothing else happens: on a response that is done, or
above methods that have been replaced by stubs. So the figures hold whatever the
engine looks like inside.
"""

from __future__ import annotations

import contextvars
import sys
import timeit
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final
from unittest import mock

import requests
import wrapt
from requests import sessions
from requests.adapters import HTTPAdapter
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.response import HTTPResponse

from httpguard._clients.forwarding import around, spelled
from httpguard._clients.urllib3 import responses
from httpguard._clients.urllib3.client import URLLIB3
from httpguard._leases.lease import Lease
from httpguard._leases.threads import running
from httpguard._process.process import current
from httpguard._stacks.capture import capture, capture_brief
from httpguard._stacks.sites import number_of, place_of

from ._calls import Call, Client, memory_client
from ._stacks import at_depth
from ._variants import guard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LOOPS: Final = 2000
_REPEATS: Final = 40
_METHODS: Final = (
    (HTTPAdapter, "send"),
    (sessions, "dispatch_hook"),
    (HTTPConnectionPool, "urlopen"),
    (HTTPConnectionPool, "_get_conn"),
    (HTTPConnectionPool, "_put_conn"),
    (HTTPResponse, "close"),
)


def seconds(step: Callable[[], object]) -> float:
    """Seconds of one call, the calling of it included.

    Args:
        step: Takes nothing.
    """
    return _best(step) - _best("pass")


def _best(step: Callable[[], object] | str) -> float:
    """Seconds of one round of timeit's loop: the best of many repeats."""
    return min(timeit.repeat(step, number=_LOOPS, repeat=_REPEATS)) / _LOOPS


def calls_a_request() -> dict[str, Counter[str]]:
    """How often each patched method is called, by kind of request."""
    return {kind: _counted(call) for kind, call in memory_client().calls().items()}


def _counted(call: Call) -> Counter[str]:
    """How often each patched method is called in one request."""
    call()  # With a connection in the pool, as most requests are.
    counts: Counter[str] = Counter()
    with _replaced(lambda name, method: _counting(counts, name, method)):
        call()
    return counts


def wrappers() -> dict[str, float]:
    """Seconds that the guard adds to one call of each patched method.

    Where nothing is held: opening and ending a lease come on top.
    """
    client = memory_client()
    response: Any = client.manager.request("GET", client.url)
    pool, adapter = response._pool, client.session.get_adapter(client.url)
    connection = pool._get_conn()
    request = requests.Request("GET", client.url).prepare()
    hooks: dict[str, list[Any]] = {"response": []}
    steps: dict[str, Callable[[], object]] = {
        "send": lambda: adapter.send(
            request, stream=False, timeout=None, verify=True, cert=None, proxies=None
        ),
        "dispatch_hook": lambda: vars(sessions)["dispatch_hook"](
            "response", hooks, response, stream=False, timeout=None, verify=True
        ),
        "urlopen": lambda: pool.urlopen(
            "GET", "/item", headers=None, redirect=False, preload_content=True
        ),
        "_get_conn": lambda: pool._get_conn(timeout=None),
        "_put_conn": lambda: pool._put_conn(connection),
        # Looked up at each call, as callers do.
        "close": lambda: response.close(),  # noqa: PLW0108
    }
    results = {"urlopen": response, "_get_conn": connection}
    with _replaced(lambda name, method: _stub(method, results.get(name))):
        plain = {name: _best(step) for name, step in steps.items()}
        with guard():
            own = {name: _best(step) for name, step in steps.items()}
    return {name: own[name] - plain[name] for name in steps}


def parts() -> dict[str, float]:
    """Seconds of what opening and ending a lease is made of."""
    client = memory_client()
    with guard():
        return at_depth(lambda: _parts(client))


def _parts(client: Client) -> dict[str, float]:
    """The same, called from a stack of the usual depth."""
    installed = current()
    if installed is None:
        raise RuntimeError("httpguard is not installed")
    registry, frame = installed.registry, sys._getframe()
    response: Any = client.manager.request("GET", client.url, preload_content=False)
    pool = response._pool
    key = id(response._connection)
    registry.end(registry.leases.pop(key))
    place = number_of(place_of(capture(frame, 1, registry.origins), registry.origins))
    variable: contextvars.ContextVar[int] = contextvars.ContextVar("benchmark")

    def lease() -> None:
        responses.hand_over(URLLIB3, response, pool, "GET", "/item", frame)
        registry.end(registry.leases.pop(key))

    with mock.patch.object(responses, "begin_lease", None):
        interpreted = seconds(lease)
    names = {
        "a lease: opened and ended, all of it": lease,
        "capture()": lambda: capture(frame, 32, registry.origins),
        "capture_brief()": lambda: capture_brief(frame, {place}),
        "Lease()": lambda: Lease(response, registry.dead.append),
        "running()": running,
        "copy_context()": contextvars.copy_context,
        "ContextVar.get()": lambda: variable.get(0),
        "ContextVar.set() and reset()": lambda: variable.reset(variable.set(1)),
        "clock()": registry.clock,
        "Tally.add()": registry.opened.add,
        "before_request()": installed.before_request,
    }
    found = {name: seconds(step) for name, step in names.items()}
    response.read()
    return {"the same, not compiled": interpreted, **found}


def floors() -> dict[str, float]:
    """Seconds that an empty wrapper adds to a method, by way of making it."""

    class Plain:
        # As many as requests' adapter gives urlopen.
        def method(  # noqa: PLR0917
            self,
            a: object,
            b: object = None,
            c: object = None,
            d: object = None,
            e: object = None,
            f: object = None,
            g: object = None,
            h: object = None,
        ) -> None:
            pass

    def function(self: Any, *args: Any, **kwargs: Any) -> Any:
        return original(self, *args, **kwargs)

    def through(wrapped: Any, _instance: object, args: Any, kwargs: Any) -> Any:
        return wrapped(*args, **kwargs)

    original: Any = Plain.method
    target: Any = Plain()
    ways = {
        "nothing": original,
        "wrapt.FunctionWrapper": wrapt.FunctionWrapper(original, through),
        "a plain function, *args and **kwargs": function,
        "compiled with the same parameters": around(original, (), lambda got: got),
    }
    found = {}
    for name, method in ways.items():
        setattr(Plain, "method", method)  # noqa: B010  # mypy forbids the other.
        found[name] = _best(
            lambda: target.method("GET", b=1, c=2, d=3, e=4, f=5, g=6, h=7)
        )
    none = found.pop("nothing")
    return {name: value - none for name, value in found.items()}


@contextmanager
def _replaced(replace: Callable[[str, Any], Any]) -> Iterator[None]:
    """The methods that get patched, replaced."""
    originals = [(owner, name, owner.__dict__[name]) for owner, name in _METHODS]
    for owner, name, method in originals:
        setattr(owner, name, replace(name, method))
    try:
        yield
    finally:
        for owner, name, method in originals:
            setattr(owner, name, method)


def _counting(counts: Counter[str], name: str, method: Any) -> Any:
    """A method that is counted."""

    def counted(*args: Any, **kwargs: Any) -> Any:
        counts[name] += 1
        return method(*args, **kwargs)

    return counted


def _stub(method: Any, result: object) -> Any:
    """A method that only returns, with the parameters of another."""
    names: dict[str, Any] = {"result": result}
    exec(f"def stub({spelled(method)['declared']}): return result", names)
    stub = names["stub"]
    stub.__defaults__ = method.__defaults__
    return stub
