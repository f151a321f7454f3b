"""Responses that code between the application and the client loses: who it was."""

from __future__ import annotations

import contextlib
import gc
import io
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
import urllib3

import httpguard
from httpguard import Leak, LeakKind
from httpguard._clients.hints import requests_hint, urllib3_hint
from httpguard._leases.client import Facts
from tests.program import installed, line_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from tests.conftest import GuardControl
    from tests.server import Server

LIBRARY = """
import requests
import urllib3
from requests.adapters import HTTPAdapter


class Retrying(requests.Session):
    careful = False

    def send(self, request, **options):
        response = super().send(request, **options)
        while response.status_code == 503:
            if self.careful:
                response.close()
            response = super().send(request, **options)  # RETRY
        return response


class Blocking:
    careful = False

    def __init__(self):
        self.pools = urllib3.PoolManager(maxsize=1, block=True)
        self.options = {"preload_content": False, "pool_timeout": 0.1}

    def fetch(self, url):
        while True:
            response = self.pools.urlopen("GET", url, **self.options)  # WAITS
            if response.status == 200:
                return len(response.read())
            if self.careful:
                response.drain_conn()


class Careful(Retrying):
    careful = True


class Answer:
    def __init__(self, inner):
        self.inner = inner


class Refused(Exception):
    def __init__(self, response):
        super().__init__("refused")
        self.response = response


class Client:
    def __init__(self):
        self.session = requests.Session()

    def stream(self, url):
        return self.session.get(url, stream=True)

    def fetch(self, url):
        while True:
            response = self.session.get(url, stream=True)  # FETCH
            if response.status_code == 200:
                with response:
                    return len(response.content)

    def fetch_wrapped(self, url):
        while True:
            answer = Answer(self.session.get(url, stream=True))  # WRAPPED
            if answer.inner.status_code == 200:
                return len(answer.inner.content)

    def fetch_raised(self, url):
        errors = []
        while True:
            try:
                return len(self.checked(url).content)  # RAISED
            except Refused as error:
                errors.append(error)

    def checked(self, url):
        response = self.session.get(url, stream=True)
        if response.status_code != 200:
            raise Refused(response)
        return response

    def remember(self, url):
        self.last = self.session.get(url, stream=True)
        return self.last

    def pages(self, urls):
        for url in urls:
            response = self.session.get(url, stream=True)
            yield response


class Pooled:
    def __init__(self, pool):
        self.pool = pool

    def fetch(self, path):
        while True:
            response = self.pool.urlopen("GET", path, preload_content=False)  # BLOCKING
            if response.status == 200:
                return len(response.read())


class Auth(requests.auth.AuthBase):
    def __call__(self, request):
        request.register_hook("response", self.again)
        return request

    def again(self, response, **options):  # HOOK
        if response.status_code == 503:
            self.before(response)
            return response.connection.send(response.request, **options)

    def before(self, response):
        pass


class CarefulAuth(Auth):
    def before(self, response):
        assert response.content is not None


def refuse(response, **options):
    raise PermissionError("not this one")  # REFUSE


class Sending(HTTPAdapter):
    def send(self, request, **options):
        response = super().send(request, **options)  # SENDING
        if response.status_code == 503:
            raise PermissionError("not this one")
        return response


class Building(HTTPAdapter):
    def build_response(self, request, raw):
        response = super().build_response(request, raw)
        if response.status_code == 503:
            raise PermissionError("not this one")  # BUILDING
        return response


class Reading(HTTPAdapter):
    def build_response(self, request, raw):
        raw.read()
        raise PermissionError("not this one")


class Closing(HTTPAdapter):
    def build_response(self, request, raw):
        response = super().build_response(request, raw)
        response.close()
        raise PermissionError("not this one")


class Replacing(HTTPAdapter):
    def build_response(self, request, raw):  # REPLACING
        self.before(raw)
        response = requests.Response()
        response.status_code = 200
        response.request = request
        response.url = request.url
        response._content = b""
        response._content_consumed = True
        return response

    def before(self, raw):
        pass


class Substituting(Replacing):
    def before(self, raw):
        raw.drain_conn()
"""


@pytest.fixture
def library(tmp_path: Path) -> Iterator[ModuleType]:
    with installed(tmp_path, "losinglib", LIBRARY) as module:
        yield module


def flaky(server: Server) -> str:
    """Answers 503 once."""
    return server.url(f"/flaky/{uuid.uuid4().hex}")


def only(guard: GuardControl) -> Leak:
    (leak,) = guard.check().leaks
    return leak


def culprit(leak: Leak) -> tuple[str, int]:
    assert leak.culprit is not None
    assert f"lost in {leak.culprit}" in str(leak)
    assert leak.to_dict()["culprit"]["function"] == leak.culprit.function
    return leak.culprit.function, leak.culprit.lineno


def here(leak: Leak) -> None:
    assert leak.site.filename == __file__
    assert leak.kind is LeakKind.DROPPED


def read(response: Any) -> None:
    with response:
        assert response.content is not None


def mounted(adapter: Any) -> requests.Session:
    session = requests.Session()
    session.mount("http://", adapter)
    return session


def test_a_send_that_tries_again(
    guard: GuardControl, server: Server, library: ModuleType
) -> None:
    guard.install()
    session = library.Retrying()
    for _ in range(3):
        with session.get(flaky(server), stream=True) as response:
            assert response.status_code == 200
    leak = only(guard)
    here(leak)
    assert (leak.count, leak.status) == (3, 503)
    assert culprit(leak) == ("send", line_of(LIBRARY, "# RETRY"))
    assert "with requests" not in leak.hint
    assert "`send` should read or close" in leak.hint


def test_a_send_that_closes_and_tries_again(
    guard: GuardControl, server: Server, library: ModuleType
) -> None:
    guard.install()
    session = library.Careful()
    with session.get(flaky(server), stream=True) as response:
        assert response.status_code == 200
    assert guard.check().leaks == ()


def test_a_library_that_tries_again(
    guard: GuardControl, server: Server, library: ModuleType
) -> None:
    guard.install()
    library.Client().fetch(flaky(server))
    leak = only(guard)
    here(leak)
    assert culprit(leak) == ("fetch", line_of(LIBRARY, "# FETCH"))


@pytest.mark.parametrize("how", ["wrapped", "raised"])
def test_a_library_that_has_the_answer_in_something_else(
    guard: GuardControl, server: Server, library: ModuleType, how: str
) -> None:
    guard.install()
    getattr(library.Client(), f"fetch_{how}")(flaky(server))
    gc.collect()
    leak = only(guard)
    here(leak)
    line = line_of(LIBRARY, f"# {how.upper()}")
    assert culprit(leak) == (f"fetch_{how}", line)


def test_a_library_that_remembers_what_it_hands_out(
    guard: GuardControl, server: Server, library: ModuleType
) -> None:
    guard.install()
    client = library.Client()
    for _ in range(3):
        client.remember(server.url("/bytes/90000"))
    client.last.close()
    leak = only(guard)
    here(leak)
    assert leak.count == 2
    assert leak.culprit is None


def test_a_library_that_tries_again_by_urllib3(
    guard: GuardControl, server: Server, library: ModuleType
) -> None:
    guard.install()
    pool = urllib3.HTTPConnectionPool(server.host, server.port, block=True, maxsize=2)
    library.Pooled(pool).fetch(f"/flaky/{uuid.uuid4().hex}")
    leak = only(guard)
    here(leak)
    assert culprit(leak) == ("fetch", line_of(LIBRARY, "# BLOCKING"))
    assert "reclaim=True" in leak.hint


def test_what_a_library_hands_out_is_the_application_s(
    guard: GuardControl, server: Server, library: ModuleType
) -> None:
    guard.install()
    client = library.Client()
    for _ in range(3):
        client.stream(server.url("/bytes/90000"))
    list(client.pages([server.url("/bytes/90000")] * 3))
    leaks = guard.check().leaks
    assert [leak.count for leak in leaks] == [3, 3]
    for leak in leaks:
        here(leak)
        assert leak.culprit is None
        assert "losinglib" in leak.hint
        assert "lost in" not in str(leak)


def test_a_hook_that_puts_another_in_its_place(
    guard: GuardControl, server: Server, library: ModuleType
) -> None:
    guard.install()
    seen = []
    hooks = {"response": lambda response, **_: seen.append(response.status_code)}
    requests.get(flaky(server), auth=library.Auth(), hooks=hooks)
    leak = only(guard)
    here(leak)
    assert leak.status == 503
    assert culprit(leak) == ("again", line_of(LIBRARY, "# HOOK"))
    assert "`again` should read or close" in leak.hint
    assert seen == [200]


def test_a_hook_that_reads_first(
    guard: GuardControl, server: Server, library: ModuleType
) -> None:
    guard.install()
    requests.get(flaky(server), auth=library.CarefulAuth())
    assert guard.check().leaks == ()


def test_a_hook_that_raises(
    guard: GuardControl, server: Server, library: ModuleType
) -> None:
    guard.install()
    with pytest.raises(PermissionError):
        requests.get(server.url("/bytes/9000"), hooks={"response": library.refuse})
    leak = only(guard)
    here(leak)
    assert culprit(leak) == ("refuse", line_of(LIBRARY, "# REFUSE"))


class Careful(requests.Session):
    """Closes a redirect whose location it cannot read."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        try:
            return super().get_redirect_target(resp)
        except UnicodeDecodeError:
            resp.close()
            raise


class Patient(requests.adapters.HTTPAdapter):
    """Has a time-out for all requests."""

    def send(self, *args: Any, **options: Any) -> requests.Response:
        options["timeout"] = 60
        return super().send(*args, **options)


def reads(response: requests.Response, *_: Any, **__: Any) -> None:
    assert response.content


@pytest.mark.parametrize("adapter", [requests.adapters.HTTPAdapter, Patient])
@pytest.mark.parametrize("follow", [False, True])
@pytest.mark.parametrize("stream", [False, True])
def test_a_redirect_to_what_requests_cannot_read(
    *,
    stream: bool,
    follow: bool,
    adapter: type[requests.adapters.HTTPAdapter],
    guard: GuardControl,
    server: Server,
) -> None:
    guard.install()
    sessions = requests.Session(), Careful(), requests.Session()
    # As the fix says.
    sessions[2].hooks["response"] = [reads]
    options: dict[str, Any] = {"stream": stream, "allow_redirects": follow}
    for session in sessions:
        session.mount("http://", adapter(pool_maxsize=2, pool_block=True))
        for _ in range(2):
            with pytest.raises(UnicodeDecodeError):
                session.get(server.url("/misled/90000"), **options)  # MISLED
    for session in sessions[1:]:
        read(session.get(server.url("/moved/90000"), stream=True))
    leak = only(guard)
    assert (leak.kind, leak.count, leak.client) == (LeakKind.DROPPED, 2, "requests")
    here(leak)
    assert "# MISLED" in Path(__file__).read_text().splitlines()[leak.site.lineno - 1]
    assert leak.culprit is not None
    assert leak.culprit.function == "get_redirect_target"
    assert not leak.culprit.application
    assert "have a hook before it read `response.content`" in leak.hint


def refuses(response: requests.Response, *_: Any, **__: Any) -> None:
    msg = f"status {response.status_code}"
    raise ValueError(msg)


def replaces(response: requests.Response, *_: Any, **__: Any) -> requests.Response:
    other = requests.Response()
    other.status_code = response.status_code
    other.request = response.request
    other.raw = io.BytesIO(b"of a hook")
    return other


@pytest.mark.parametrize("hook", [refuses, replaces])
@pytest.mark.parametrize("stream", [False, True])
def test_a_hook_above_an_adapter_of_the_application(
    *, stream: bool, hook: Any, guard: GuardControl, server: Server
) -> None:
    guard.install()
    for hooks in ([hook], [reads, hook]):
        session = mounted(Patient())
        session.hooks["response"] = hooks
        for _ in range(2):
            with contextlib.suppress(ValueError):
                session.get(server.url("/bytes/90000"), stream=stream)  # HOOKED
    leak = only(guard)
    assert (leak.kind, leak.count, leak.client) == (LeakKind.DROPPED, 2, "requests")
    here(leak)
    assert "# HOOKED" in Path(__file__).read_text().splitlines()[leak.site.lineno - 1]
    assert leak.culprit is not None
    assert leak.culprit.function == hook.__name__
    assert leak.culprit.application


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("adapter", "function", "mark"),
    [("Sending", "send", "SENDING"), ("Building", "build_response", "BUILDING")],
)
def test_an_adapter_that_raises(
    *,
    stream: bool,
    adapter: str,
    function: str,
    mark: str,
    guard: GuardControl,
    server: Server,
    library: ModuleType,
) -> None:
    guard.install()
    session = mounted(getattr(library, adapter)())
    with pytest.raises(PermissionError):
        session.get(flaky(server), stream=stream)
    leak = only(guard)
    here(leak)
    assert (leak.count, leak.status, leak.client) == (1, 503, "requests")
    assert culprit(leak) == (function, line_of(LIBRARY, f"# {mark}"))
    assert f"`{function}` should read or close the answer" in leak.hint
    read(session.get(server.url("/bytes/9"), stream=True))
    assert guard.check().counters["leaks"] == 1


@pytest.mark.parametrize("stream", [False, True])
def test_an_adapter_that_hands_out_another(
    *, stream: bool, guard: GuardControl, server: Server, library: ModuleType
) -> None:
    guard.install()
    session = mounted(library.Replacing())
    assert session.get(server.url("/bytes/90000"), stream=stream).content == b""
    leak = only(guard)
    here(leak)
    assert culprit(leak) == ("build_response", line_of(LIBRARY, "# REPLACING"))


def test_a_blocking_pool_that_an_adapter_empties(
    guard: GuardControl, server: Server, library: ModuleType
) -> None:
    guard.install()
    session = mounted(library.Building(pool_maxsize=1, pool_block=True))
    with pytest.raises(PermissionError):
        session.get(flaky(server), stream=True)
    (pool,) = httpguard.check().pools
    assert pool.lost == 1
    assert "reclaim=True" in only(guard).hint


@pytest.mark.parametrize("name", ["Reading", "Closing"])
@pytest.mark.parametrize("block", [False, True])
def test_an_adapter_that_ends_it_and_raises(
    *, name: str, block: bool, guard: GuardControl, server: Server, library: ModuleType
) -> None:
    guard.install()
    session = mounted(getattr(library, name)(pool_maxsize=2, pool_block=block))
    for _ in range(2):
        with pytest.raises(PermissionError):
            session.get(server.url("/bytes/9000"), stream=True)
    assert guard.check().leaks == ()


def test_an_adapter_that_reads_it_and_hands_out_another(
    guard: GuardControl, server: Server, library: ModuleType
) -> None:
    guard.install()
    session = mounted(library.Substituting())
    session.get(server.url("/bytes/9000"), stream=True)
    assert guard.check().leaks == ()


def test_an_adapter_that_hands_on_is_not_to_blame(
    guard: GuardControl, server: Server, library: ModuleType
) -> None:
    guard.install()
    session = mounted(library.Sending())
    session.get(server.url("/bytes/90000"), stream=True)
    leak = only(guard)
    here(leak)
    assert leak.culprit is None
    assert "with requests.get" in leak.hint


def by_urllib3(method: str, url: str) -> Any:
    return urllib3.PoolManager().request(method, url, preload_content=False)


def by_requests(method: str, url: str) -> Any:
    return requests.request(method, url, stream=True)


def part(open_one: Callable[[str, str], Any], method: str, url: str, size: int) -> None:
    response = open_one(method, url)
    raw = getattr(response, "raw", response)
    if size:
        raw.read(size)


@pytest.mark.parametrize(
    ("opener", "method", "path", "size", "says", "says_not"),
    [
        (by_requests, "POST", "/bytes/90000", 0, "requests.post(", "requests.get"),
        (by_requests, "HEAD", "/bytes/90000", 0, "leave out `stream=True`", "get("),
        (by_urllib3, "HEAD", "/bytes/90000", 0, "`preload_content=False`", "drain"),
        (by_urllib3, "GET", "/bytes/900", 0, "`drain_conn()`", "`release_conn()`"),
        (by_urllib3, "GET", "/bytes/90000", 0, "then `release_conn()`", "drain"),
        (by_urllib3, "GET", "/chunked/5", 0, "`close()` and then", "drain_conn"),
        (by_urllib3, "GET", "/chunked/5", 9, "one more `read()` ends it", "drain_conn"),
        (by_requests, "GET", "/chunked/5", 9, "one more `read()` ends it", "drain"),
    ],
)
def test_a_hint_is_for_this_leak(
    *,
    opener: Callable[[str, str], Any],
    method: str,
    path: str,
    size: int,
    says: str,
    says_not: str,
    guard: GuardControl,
    server: Server,
) -> None:
    guard.install()
    part(opener, method, server.url(path), size)
    leak = only(guard)
    assert says in leak.hint
    assert says_not not in leak.hint


def test_a_hint_for_the_raw_body_alone(guard: GuardControl, server: Server) -> None:
    guard.install(max_idle=10)
    kept = requests.get(server.url("/bytes/90000"), stream=True).raw
    guard.check()
    guard.advance(20)
    leak = only(guard)
    assert leak.kind is LeakKind.HELD
    assert "what is held is the `.raw`" in leak.hint
    kept.close()


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (200, "read to its end what `exec_start` of docker returned"),
        (101, "close the socket or stream that it returned; if it returned neither"),
    ],
)
def test_a_hint_where_a_library_takes_the_connection_over(
    status: int, says: str
) -> None:
    """Docker's `exec_start` hands out a socket, or reads it itself and forgets it."""
    facts = Facts(
        kind=LeakKind.DROPPED,
        method="POST",
        bytes_read=0,
        length=0,
        block=False,
        package="docker",
        function="exec_start",
        culprit=None,
        lost_by="",
        held_by=None,
        status=status,
    )
    for hint in (requests_hint(facts), urllib3_hint(facts)):
        assert says in hint


@pytest.mark.skipif(sys.version_info < (3, 11), reason="errors have no notes")
def test_a_library_that_waits_for_what_it_holds_itself(
    guard: GuardControl, server: Server, library: ModuleType
) -> None:
    guard.install()
    client = library.Blocking()
    with pytest.raises(urllib3.exceptions.EmptyPoolError) as raised:
        client.fetch(flaky(server))
    (note,) = raised.value.__notes__
    assert note.startswith("httpguard: pool starved http://")
    line = line_of(LIBRARY, "# WAITS")
    assert note.count(" · left open in ") == 1
    assert f"losinglib.py:{line} in fetch\n" in note
    assert "fix: `fetch` should read or close a response before it asks again" in note
    client = library.Blocking()
    client.careful = True
    assert client.fetch(flaky(server))
    kept = client.pools.urlopen("GET", server.url("/lines"), preload_content=False)
    with pytest.raises(urllib3.exceptions.EmptyPoolError) as raised:
        client.fetch(server.url("/lines"))
    assert "left open in" not in raised.value.__notes__[0]
    kept.drain_conn()
