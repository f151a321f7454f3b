"""Patched classes stay what they were, and the application's own derived from them."""

from __future__ import annotations

import copy
import gc
import http.client
import inspect
import pickle
from typing import TYPE_CHECKING, Any

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3 import PoolManager
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.response import HTTPResponse

import httpguard
from httpguard import LeakKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import GuardControl
    from tests.server import Server

CLASSES = [HTTPResponse, HTTPConnectionPool, HTTPAdapter, requests.Session]


def methods() -> list[Any]:
    return [
        HTTPConnectionPool.urlopen,
        HTTPConnectionPool._put_conn,
        HTTPResponse.close,
        HTTPAdapter.send,
        requests.sessions.dispatch_hook,
        requests.Session.send,
    ]


def looks() -> list[object]:
    """What a program can ask of the classes and of their methods."""
    return [
        *(
            (
                inspect.signature(item),
                inspect.getsource(item),
                inspect.getfullargspec(item),
                inspect.getmodule(item),
                inspect.isfunction(item),
                item.__name__,
                item.__qualname__,
                item.__module__,
                item.__doc__,
                item.__annotations__,
            )
            for item in methods()
        ),
        *(
            (
                inspect.getsource(kind),
                inspect.signature(kind),
                kind.__mro__,
                kind.__name__,
                {*dir(kind)} - {"_dealloc_warn"},
                pickle.dumps(kind),
                copy.copy(kind) is kind,
            )
            for kind in CLASSES
        ),
    ]


def test_classes_and_methods_look_as_before() -> None:
    before = looks()
    httpguard.install()
    during = looks()
    httpguard.uninstall()
    assert during == before
    assert looks() == before


def test_methods_pickle_by_name() -> None:
    def pickled() -> list[bytes]:
        # Where it lies is not where `dispatch_hook` says.
        hook = requests.sessions.dispatch_hook
        return [pickle.dumps(item) for item in methods() if item is not hook]

    plain = pickled()
    httpguard.install()
    guarded = pickled()
    assert all(pickle.loads(item) in methods() for item in plain)
    httpguard.uninstall()
    assert guarded == plain
    assert all(pickle.loads(item) in methods() for item in guarded)


def test_instances_pickle_and_copy_as_before(
    guard: GuardControl, server: Server
) -> None:
    def instances() -> list[Any]:
        session = requests.Session()
        session.headers["x"] = "y"
        return [session, HTTPAdapter(pool_maxsize=3), requests.get(url)]

    url = server.url("/bytes/10")
    before = [pickle.loads(pickle.dumps(item)).__getstate__() for item in instances()]
    guard.install()
    for item, old in zip(instances(), before, strict=True):
        for other in (pickle.loads(pickle.dumps(item)), copy.copy(item)):
            assert type(other) is type(item)
            assert set(other.__getstate__()) == set(old)
            assert set(vars(other)) <= set(vars(item))
    session = pickle.loads(pickle.dumps(instances()[0]))
    assert session.get(url).content == b"x" * 10


def test_a_copied_response_was_read(guard: GuardControl, server: Server) -> None:
    guard.install()
    response = requests.get(server.url("/bytes/90000"), stream=True)
    other = copy.copy(response)
    raw = copy.copy(response.raw)
    assert type(raw) is type(response.raw)
    del response, raw
    gc.collect()
    assert len(other.content) == 90_000
    assert guard.check().leaks == ()


class CallingUp(HTTPResponse):
    def close(self) -> None:
        super().close()

    def release_conn(self) -> None:
        super().release_conn()


class OnItsOwn(HTTPResponse):
    """Ends by its own code: nothing of urllib3's is called."""

    def close(self) -> None:
        if not self._fp.closed:  # type: ignore[union-attr]  # as urllib3 does
            self._fp.close()  # type: ignore[union-attr]  # as urllib3 does
        if self._connection:
            self._connection.close()

    def release_conn(self) -> None:
        if self._pool and self._connection:
            self._pool._put_conn(self._connection)
            self._connection = None


class ThrowsAway(HTTPResponse):
    """Its pool gets no connection back."""

    def release_conn(self) -> None:
        if self._connection:
            self._connection.close()
            self._connection = None


class PoolKeeping(HTTPConnectionPool):
    """Keeps connections by itself."""

    def _put_conn(self, conn: Any) -> None:
        assert self.pool is not None
        self.pool.put(conn, block=False)


class PoolCallingUp(HTTPConnectionPool):
    def urlopen(self, *args: Any, **kwargs: Any) -> Any:
        return super().urlopen(*args, **kwargs)


class PoolOnItsOwn(HTTPConnectionPool):
    """Has a response from elsewhere: its `urlopen` calls nobody's."""

    def urlopen(self, method: str, url: str, **_options: Any) -> Any:  # type: ignore[override]
        connection: Any = self._get_conn()
        connection.request(method, url)
        # The standard library's, which knows nothing of pools.
        raw: Any = http.client.HTTPConnection.getresponse(connection)
        return HTTPResponse(
            body=raw,
            status=raw.status,
            preload_content=False,
            pool=self,
            connection=connection,
            original_response=raw,
        )


class AdapterCallingUp(HTTPAdapter):
    def send(self, *args: Any, **kwargs: Any) -> Any:
        return super().send(*args, **kwargs)


class AdapterOnItsOwn(HTTPAdapter):
    def send(self, request: Any, *_args: Any, **_kwargs: Any) -> Any:
        pool = self.poolmanager.connection_from_url(request.url)
        raw = pool.urlopen("GET", request.path_url, preload_content=False)
        return self.build_response(request, raw)


class SessionCallingUp(requests.Session):
    def send(self, request: Any, **kwargs: Any) -> Any:
        return super().send(request, **kwargs)


class SessionOnItsOwn(requests.Session):
    def send(self, request: Any, **kwargs: Any) -> Any:
        adapter = self.get_adapter(url=request.url)
        response = adapter.send(request, stream=kwargs.get("stream", False))
        if not kwargs.get("stream"):
            assert response.content
        return response


def connection_of(kind: type[HTTPResponse]) -> type[HTTPConnection]:
    """A class of connections whose responses are of a class, for urllib3 2."""

    class Connection(HTTPConnection):
        def getresponse(self, *args: Any, **kwargs: Any) -> Any:
            response = super().getresponse(*args, **kwargs)
            if isinstance(response, HTTPResponse):
                response.__class__ = kind
            return response

    return Connection


def from_pool(pool: type[HTTPConnectionPool], kind: type[HTTPResponse]) -> Any:
    def get(server: Server) -> Any:
        mine = pool(server.host, server.port)
        vars(mine)["ResponseCls"] = kind  # urllib3 1.26 asks the pool.
        if pool is not PoolOnItsOwn:
            vars(mine)["ConnectionCls"] = connection_of(kind)
        response = mine.urlopen("GET", "/bytes/90000", preload_content=False)
        assert type(response) is kind
        return response

    return get


def from_session(session: type[requests.Session], adapter: type[HTTPAdapter]) -> Any:
    def get(server: Server) -> Any:
        mine = session()
        mine.mount("http://", adapter())
        assert isinstance(mine.get_adapter("http://"), HTTPAdapter)
        assert len(mine.get(server.url("/bytes/90000")).content) == 90_000
        return mine.get(server.url("/bytes/90000"), stream=True)

    return get


def late(server: Server) -> Any:
    """Defined when httpguard is installed already."""

    class Late(OnItsOwn):
        tag: str

        def __init_subclass__(cls, tag: str, **options: Any) -> None:
            super().__init_subclass__(**options)
            cls.tag = tag

        def release_conn(self) -> None:
            super().release_conn()

    class Later(Late, tag="y"):
        def close(self) -> None:
            if self._connection:
                self._connection.close()

    assert Later.tag == "y"
    return from_pool(HTTPConnectionPool, Later)(server)


DERIVED = {
    "response calling up": from_pool(HTTPConnectionPool, CallingUp),
    "response on its own": from_pool(HTTPConnectionPool, OnItsOwn),
    "response throwing away": from_pool(HTTPConnectionPool, ThrowsAway),
    "response defined later": late,
    "pool keeping": from_pool(PoolKeeping, HTTPResponse),
    "pool calling up": from_pool(PoolCallingUp, HTTPResponse),
    "pool on its own": from_pool(PoolOnItsOwn, HTTPResponse),
    "both": from_pool(PoolCallingUp, OnItsOwn),
    "adapter calling up": from_session(requests.Session, AdapterCallingUp),
    "adapter on its own": from_session(requests.Session, AdapterOnItsOwn),
    "session calling up": from_session(SessionCallingUp, HTTPAdapter),
    "session on its own": from_session(SessionOnItsOwn, HTTPAdapter),
    "session and adapter": from_session(SessionOnItsOwn, AdapterOnItsOwn),
}


@pytest.fixture(params=DERIVED)
def get(request: pytest.FixtureRequest, guard: GuardControl) -> Callable[..., Any]:
    guard.install()
    found: Callable[..., Any] = DERIVED[request.param]
    return found


def test_a_dropped_one_is_found(
    get: Callable[..., Any], guard: GuardControl, server: Server
) -> None:
    get(server)
    gc.collect()
    (leak,) = guard.check().leaks
    assert (leak.kind, leak.count, leak.site.filename) == (
        LeakKind.DROPPED,
        1,
        __file__,
    )
    assert guard.check().counters["errors"] == 0


def test_a_held_one_is_found(
    get: Callable[..., Any], guard: GuardControl, server: Server
) -> None:
    kept = get(server)
    guard.advance(100)
    (leak,) = guard.check().leaks
    assert (leak.kind, leak.count, leak.site.filename) == (LeakKind.HELD, 1, __file__)
    kept.close()


@pytest.mark.parametrize("end", ["read", "close", "release"])
def test_one_that_ends_well_is_silent(
    get: Callable[..., Any], end: str, guard: GuardControl, server: Server
) -> None:
    response = get(server)
    raw = getattr(response, "raw", response)
    if end == "read":
        assert len(raw.read()) == 90_000
        raw.release_conn()
    elif end == "close":
        response.close()
    else:
        raw.release_conn()
    del response, raw
    gc.collect()
    guard.advance(100)
    state = guard.check()
    assert state.leaks == ()
    assert state.counters["errors"] == 0


def test_uninstall_gives_subclasses_back() -> None:
    owners = [
        (CallingUp, "close"),
        (OnItsOwn, "release_conn"),
        (PoolOnItsOwn, "urlopen"),
        (PoolKeeping, "_put_conn"),
    ]
    before = [vars(owner)[name] for owner, name in owners]
    httpguard.install()
    during = [vars(owner)[name] for owner, name in owners]
    httpguard.uninstall()
    after = [vars(owner)[name] for owner, name in owners]
    assert all(new is not old for new, old in zip(during, before, strict=True))
    assert all(new is old for new, old in zip(after, before, strict=True))
    assert "__init_subclass__" not in vars(HTTPResponse)


class Hidden(HTTPResponse):
    """Tells nobody about its connection."""

    @property
    def _connection(self) -> Any:
        raise RuntimeError

    @_connection.setter
    def _connection(self, _value: object) -> None:
        pass

    def close(self) -> None:
        pass


class PoolOfHidden(HTTPConnectionPool):
    def urlopen(self, *_args: Any, **_kwargs: Any) -> Any:
        return Hidden(b"body", preload_content=False)


def test_a_response_that_hides_its_parts_is_left_alone(guard: GuardControl) -> None:
    guard.install()
    response = PoolOfHidden("host").urlopen("GET", "/")
    response.close()
    state = guard.check()
    assert (state.leaks, state.counters["opened"]) == ((), 0)


def test_a_manager_s_pool_that_is_none_of_urllib3_s_is_left_alone(
    guard: GuardControl, server: Server
) -> None:
    class Pool:
        """As `pool_classes_by_scheme` takes it: it is only ever called."""

        def __init__(self, host: str, port: int, **options: object) -> None:
            self.address = (host, port, options)

        def urlopen(self, method: str, url: str, **options: object) -> HTTPResponse:
            return HTTPResponse(body=b"its own", status=200)

    guard.install()
    with PoolManager() as manager:
        manager.pool_classes_by_scheme = {"http": Pool}
        assert manager.request("GET", server.url("/bytes/10")).data == b"its own"
    counters = guard.check().counters
    assert (counters["errors"], counters["opened"], counters["leaks"]) == (0, 0, 0)
