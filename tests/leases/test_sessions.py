"""Sessions that nobody closes, and those that are none of our business."""

from __future__ import annotations

import gc
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests
import urllib3
from requests.adapters import HTTPAdapter

import httpguard
from httpguard import LeakKind
from tests.program import line_of, run, write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import GuardControl
    from tests.server import Server


def judged(guard: GuardControl) -> tuple[httpguard.Leak, ...]:
    """The leaks when nothing was used for longer than `max_idle`."""
    guard.check()
    guard.advance(100)
    return guard.check().leaks


def found(guard: GuardControl) -> list[tuple[str, int, int]]:
    """Function, count and sockets of each session leak."""
    gc.collect()
    leaks = judged(guard)
    assert {leak.kind for leak in leaks} <= {LeakKind.SESSION}
    assert httpguard.snapshot().counters["errors"] == 0
    return [(leak.site.function, leak.count, leak.sockets) for leak in leaks]


def line(mark: str) -> int:
    with open(__file__, encoding="utf-8") as source:
        lines = source.read().splitlines()
    (number,) = (n for n, text in enumerate(lines, 1) if text.endswith(f"  # {mark}"))
    return number


def new_session(url: str) -> requests.Session:
    session = requests.Session()  # SESSION
    session.get(url)
    return session


def new_manager(url: str) -> urllib3.PoolManager:
    manager = urllib3.PoolManager()  # MANAGER
    manager.request("GET", url)
    return manager


@pytest.mark.parametrize(
    ("program", "mark", "client"),
    [(new_session, "SESSION", "requests"), (new_manager, "MANAGER", "urllib3")],
)
def test_too_many_of_one_line(
    guard: GuardControl, server: Server, program: Any, mark: str, client: str
) -> None:
    guard.install()
    kept = [program(server.url("/lines")) for _ in range(20)]
    assert judged(guard) == ()
    kept += [program(server.url("/lines")) for _ in range(3)]
    (leak,) = judged(guard)
    assert (leak.kind, leak.count, leak.sockets) == ("session", 3, 23)
    assert (leak.site.lineno, leak.client) == (line(mark), client)
    assert leak.pool == f"http://{server.host}:{server.port}"
    assert (leak.method, leak.url, leak.status) == ("", "", 0)
    assert "with" in leak.hint
    assert httpguard.snapshot().counters["session"] == 3
    for each in kept:
        (each.close if client == "requests" else each.clear)()


def dropped_session(url: str) -> None:
    """Its idle connection goes with it."""
    requests.Session().get(url)


def dropped_manager(url: str) -> None:
    urllib3.PoolManager().request("GET", url)


def dropped_in_a_cycle(url: str) -> None:
    session: Any = requests.Session()
    session.itself = session
    session.get(url)


def closed_session(url: str) -> None:
    session = requests.Session()
    session.get(url)
    session.close()


def with_block(url: str) -> None:
    with requests.Session() as session:
        session.get(url)


def with_block_manager(url: str) -> None:
    with urllib3.PoolManager() as manager:
        manager.request("GET", url)


def cleared_manager(url: str) -> None:
    manager = urllib3.PoolManager()
    manager.request("GET", url)
    manager.clear()


def closed_after_more_hosts_than_it_keeps_pools(url: str) -> None:
    """The manager lets go of the pool that was not used for the longest time."""
    with urllib3.PoolManager(num_pools=1) as manager:
        manager.request("GET", url)
        manager.request("GET", url.replace("127.0.0.1", "localhost"))


def closed_pool(url: str) -> None:
    manager = urllib3.PoolManager()
    pool = manager.connection_from_url(url)
    pool.request("GET", "/lines")
    pool.close()


def never_used(url: str) -> None:
    requests.Session()
    urllib3.PoolManager()


def nothing_kept(url: str) -> None:
    requests.Session().get(url.replace("/lines", "/close"))


def one_call(url: str) -> None:
    requests.get(url)
    requests.request("GET", url)


def bare_adapter(url: str) -> None:
    assert HTTPAdapter().send(requests.Request("GET", url).prepare()).content


@pytest.mark.parametrize(
    "program",
    [
        dropped_session,
        dropped_manager,
        closed_session,
        with_block,
        with_block_manager,
        closed_after_more_hosts_than_it_keeps_pools,
        closed_pool,
        cleared_manager,
        never_used,
        nothing_kept,
        one_call,
        bare_adapter,
    ],
)
def test_innocent(guard: GuardControl, server: Server, program: Any) -> None:
    guard.install(max_sessions=1)
    for _ in range(5):
        program(server.url("/lines"))
    assert found(guard) == []


def test_one_that_lives_on_is_innocent(guard: GuardControl, server: Server) -> None:
    guard.install(max_sessions=1)
    session = requests.Session()
    manager = urllib3.PoolManager()
    for _ in range(3):
        session.get(server.url("/lines"))
        manager.request("GET", server.url("/lines"))
    assert found(guard) == []
    session.close()
    manager.clear()


def test_the_line_is_that_of_the_program_not_of_its_subclass(
    guard: GuardControl, server: Server
) -> None:
    class Mine(requests.Session):
        def __init__(self) -> None:
            super().__init__()
            self.mount("http://", HTTPAdapter(pool_maxsize=3))

    def make() -> Mine:
        return Mine()

    guard.install(max_sessions=1)
    kept = [make(), make()]
    for session in kept:
        session.get(server.url("/lines"))
    assert found(guard) == [("make", 1, 2)]


def test_a_proxy_belongs_to_its_session(guard: GuardControl, server: Server) -> None:
    def by_proxy() -> requests.Session:
        session = requests.Session()
        session.trust_env = False
        proxies = {"http": server.url("")}
        assert session.get("http://behind.test/lines", proxies=proxies).ok
        return session

    guard.install(max_sessions=1)
    kept = [by_proxy(), by_proxy()]
    assert kept
    assert found(guard) == [("by_proxy", 1, 2)]


def test_a_manager_of_a_proxy(guard: GuardControl, server: Server) -> None:
    def by_proxy() -> urllib3.ProxyManager:
        manager = urllib3.proxy_from_url(server.url(""))
        assert manager.request("GET", "http://behind.test/lines").status == 200
        return manager

    guard.install(max_sessions=1)
    kept = [by_proxy(), by_proxy()]
    assert kept
    assert found(guard) == [("by_proxy", 1, 2)]


def test_two_hosts_are_two_sockets(guard: GuardControl, server: Server) -> None:
    def both() -> requests.Session:
        session = requests.Session()
        session.get(server.url("/lines"))
        session.get(server.url("/lines").replace("127.0.0.1", "localhost"))
        return session

    guard.install()
    kept = [both(), both()]
    guard.install(max_sessions=1)
    assert found(guard) == [("both", 1, 4)]
    for session in kept:
        session.close()


@pytest.mark.parametrize("block", [False, True])
@pytest.mark.parametrize("closes", [False, True])
def test_what_its_leaks_have_taken_is_not_the_sessions(
    guard: GuardControl, server: Server, *, block: bool, closes: bool
) -> None:
    def both() -> int:
        manager = urllib3.PoolManager(maxsize=1, block=block)
        url = server.url("/bytes/90000")
        response = manager.request("GET", url, preload_content=False)
        if closes:
            response.close()
        return response.status

    guard.install(max_sessions=20)
    both()
    gc.collect()
    kinds = [leak.kind for leak in judged(guard)]
    leaks = {False: ["dropped"], True: ["unreleased"] if block else []}
    assert kinds == leaks[closes]


def make(url: str) -> requests.Session:
    session = requests.Session()
    session.get(url)
    return session


def test_too_many_alive(guard: GuardControl, server: Server) -> None:
    guard.install(max_sessions=3)
    alive = [make(server.url("/lines")) for _ in range(3)]
    assert found(guard) == []
    alive += [make(server.url("/lines")) for _ in range(2)]
    (leak,) = judged(guard)
    assert (leak.kind, leak.site.function) == ("session", "make")
    assert (leak.count, leak.alive, leak.sockets) == (2, 5, 5)
    # Closed after all.
    for session in alive:
        session.close()
    snapshot = guard.check()
    assert (snapshot.counters["session"], snapshot.counters["resolved"]) == (2, 2)


def test_just_as_many_as_are_allowed_are_innocent(
    guard: GuardControl, server: Server
) -> None:
    guard.install(max_sessions=3)
    kept = []
    for _ in range(4):
        kept = [make(server.url("/lines")) for _ in range(3)]
        assert found(guard) == []
        for session in kept:
            session.close()
    # Those of another line have a number of their own.
    others = [requests.Session() for _ in range(3)]
    kept = [make(server.url("/lines")) for _ in range(3)]
    for session in others:
        session.get(server.url("/lines"))
    assert found(guard) == []
    for session in (*others, *kept):
        session.close()


def test_a_crowd_of_managers(guard: GuardControl, server: Server) -> None:
    def ask() -> urllib3.PoolManager:
        manager = urllib3.PoolManager()
        manager.request("GET", server.url("/lines"))
        manager.request("GET", server.url("/lines").replace("127.0.0.1", "localhost"))
        return manager

    guard.install(max_sessions=1)
    alive = [ask() for _ in range(3)]
    (leak,) = judged(guard)
    assert (leak.kind, leak.site.function, leak.client) == ("session", "ask", "urllib3")
    assert (leak.count, leak.alive, leak.sockets) == (2, 3, 6)
    # Half of what one has is closed: it is still in use.
    alive[0].connection_from_url(server.url("")).close()
    assert guard.check().counters["resolved"] == 0
    for manager in alive:
        manager.clear()
    assert guard.check().counters["resolved"] == 2


def test_a_crowd_is_of_one_line(guard: GuardControl, server: Server) -> None:
    guard.install(max_sessions=3)
    alive = [make(server.url("/lines")) for _ in range(4)]
    others = [requests.Session() for _ in range(2)]
    for session in others:
        session.get(server.url("/lines"))
    (leak,) = judged(guard)
    assert (leak.site.function, leak.count, leak.alive) == ("make", 1, 4)
    for session in (*alive, *others):
        session.close()


def test_one_that_is_closed_with_two_pools_is_one(
    guard: GuardControl, server: Server
) -> None:
    def both() -> requests.Session:
        session = make(server.url("/lines"))
        session.get(server.url("/lines").replace("127.0.0.1", "localhost"))
        return session

    guard.install(max_sessions=2)
    alive = [both(), both()]
    alive.pop().close()
    alive += [both(), both()]
    (leak,) = judged(guard)
    assert (leak.kind, leak.count, leak.alive) == ("session", 1, 3)
    for session in alive:
        session.close()


def test_calls_at_the_same_time_are_no_crowd(
    guard: GuardControl, server: Server
) -> None:
    guard.install(max_sessions=1)
    slow = server.url("/slow/session_calls")
    threads = [
        threading.Thread(target=requests.get, args=(slow,), daemon=True)
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    while sum(pool.in_use for pool in httpguard.snapshot().pools) < 3:
        time.sleep(0.001)
    leaks = judged(guard)
    requests.get(server.url("/finish/session_calls"))
    for thread in threads:
        thread.join()
    assert leaks == ()
    assert found(guard) == []


def test_collected_ones_are_in_nobodys_way(guard: GuardControl, server: Server) -> None:
    guard.install(max_sessions=2)
    for _ in range(5):
        make(server.url("/lines"))
    alive = [make(server.url("/lines")) for _ in range(2)]
    assert found(guard) == []
    for session in alive:
        session.close()


def test_one_to_each_live_thread_is_innocent(
    guard: GuardControl, server: Server
) -> None:
    guard.install(max_sessions=1)
    kept: list[Any] = []
    ready, done = threading.Barrier(4), threading.Event()

    def work() -> None:
        kept.append(make(server.url("/lines")))
        ready.wait(30)
        done.wait(30)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    ready.wait(30)
    during = found(guard)
    done.set()
    for thread in threads:
        thread.join()
    assert during == []
    # The threads are gone, and their sessions are still there.
    assert found(guard) == [("make", 2, 3)]
    for session in kept:
        session.close()


class Worker(threading.Thread):
    """Has a session of its own, which another thread has made."""

    def __init__(self, url: str, ready: threading.Barrier) -> None:
        super().__init__()
        self.url = url
        self.ready = ready
        self.done = threading.Event()
        self.session = requests.Session()

    def run(self) -> None:
        self.session.get(self.url)
        self.ready.wait(30)
        self.done.wait(30)


def test_one_to_each_live_thread_is_innocent_whoever_made_it(
    guard: GuardControl, server: Server
) -> None:
    guard.install(max_sessions=1)
    ready = threading.Barrier(4)
    workers = [Worker(server.url("/lines"), ready) for _ in range(3)]
    for worker in workers:
        worker.start()
    ready.wait(30)
    during = found(guard)
    for worker in workers:
        worker.done.set()
        worker.join()
    assert during == []
    # As above.
    assert found(guard) == [("__init__", 2, 3)]
    for worker in workers:
        worker.session.close()


def test_many_that_are_closed_are_innocent(guard: GuardControl, server: Server) -> None:
    guard.install(max_sessions=3)
    kept = []
    for _ in range(8):
        session = make(server.url("/lines"))
        session.close()
        kept.append(session)
    assert found(guard) == []


def test_one_that_is_said_twice_counts_once(
    guard: GuardControl, server: Server
) -> None:
    guard.install(max_sessions=1)
    alive = [make(server.url("/lines")) for _ in range(2)]
    assert found(guard) == [("make", 1, 2)]
    del alive[1]
    assert found(guard) == [("make", 1, 2)]


def test_allowed_and_ignored_ones(guard: GuardControl, server: Server) -> None:
    guard.install(max_sessions=1, ignore=[f"{server.url('')}*"])
    kept = [make(server.url("/lines")) for _ in range(2)]
    assert found(guard) == []
    assert httpguard.snapshot().counters["excused"] == 1
    guard.install(max_sessions=1)
    with httpguard.allow("short-lived"):
        others = [new_session(server.url("/lines")) for _ in range(2)]
    assert found(guard) == []
    assert httpguard.snapshot().counters["excused"] == 2
    for session in (*kept, *others):
        session.close()


def test_those_in_use_are_innocent(guard: GuardControl, server: Server) -> None:
    guard.install(max_sessions=3)
    alive = [make(server.url("/lines")) for _ in range(6)]
    for _ in range(5):
        guard.advance(40)
        for session in alive:
            session.get(server.url("/lines"))
        assert guard.check().leaks == ()
    assert found(guard) == [("make", 3, 6)]
    for session in alive:
        session.close()


def answers(url: str) -> requests.Response:
    return requests.get(url)  # ANSWERS


def closed_answers(url: str) -> requests.Response:
    with requests.Session() as session:  # CLOSED
        return session.get(url)


@pytest.mark.parametrize(
    ("program", "mark"), [(answers, "ANSWERS"), (closed_answers, "CLOSED")]
)
def test_sockets_that_outlive_their_closed_session(
    guard: GuardControl, server: Server, program: Any, mark: str
) -> None:
    """What keeps an answer keeps the pool, and with it the idle socket."""
    guard.install(max_sessions=3)
    kept = [program(server.url("/lines")) for _ in range(8)]
    (leak,) = judged(guard)
    assert (leak.kind, leak.count, leak.sockets) == ("session", 5, 8)
    assert leak.site.lineno == line(mark)
    kept.clear()
    gc.collect()
    assert guard.check().counters["resolved"] == 5


def test_pools_that_the_program_makes_itself(
    guard: GuardControl, server: Server
) -> None:
    class Mine(urllib3.HTTPConnectionPool):
        def __init__(self) -> None:
            super().__init__(server.host, server.port)

    def make_pool(kind: Any) -> urllib3.HTTPConnectionPool:
        pool: urllib3.HTTPConnectionPool = kind()
        assert pool.request("GET", "/lines").data
        return pool

    guard.install(max_sessions=3)
    kept = [make_pool(Mine) for _ in range(5)]
    assert found(guard) == [("make_pool", 2, 5)]
    kept.clear()
    for _ in range(9):
        make_pool(Mine)
    assert found(guard) == [("make_pool", 2, 5)]


def test_a_line_that_makes_sessions_for_nothing(
    guard: GuardControl, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    guard.install(strict=True)
    for _ in range(12):
        dropped_session(server.url("/lines"))
    gc.collect()
    assert guard.check().leaks == ()
    (record,) = [record for record in caplog.records if record.name == "httpguard"]
    fields = vars(record)["httpguard"]
    assert record.levelname == "INFO"
    assert (fields["sessions"], fields["connects"], fields["saved"]) == (12, 12, 11)
    assert "in dropped_session" in fields["site"]


def test_a_session_that_is_used_again_and_again(
    guard: GuardControl, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    guard.install()
    for _ in range(12):
        with requests.Session() as session:
            session.get(server.url("/lines"))
            session.get(server.url("/lines"))
    gc.collect()
    assert guard.check().leaks == ()
    assert not [record for record in caplog.records if record.name == "httpguard"]


def test_no_limit_no_judgement(guard: GuardControl, server: Server) -> None:
    guard.install(max_sessions=None)
    kept = [make(server.url("/lines")) for _ in range(30)]
    with httpguard.no_leaks():
        kept += [make(server.url("/lines")) for _ in range(30)]
    assert found(guard) == []
    for session in kept:
        session.close()


def test_a_scope_promises_to_leave_no_crowd(
    guard: GuardControl, server: Server
) -> None:
    guard.install(max_sessions=2)
    url = server.url("/lines")
    kept: list[requests.Session] = []
    with pytest.raises(httpguard.LeakError) as caught, httpguard.no_leaks():
        kept += [new_session(url) for _ in range(5)]
        # They may yet be closed.
        assert judged(guard) == ()
    (leak,) = caught.value.leaks
    assert (leak.kind, leak.count, leak.alive) == ("session", 3, 5)
    assert leak.site.lineno == line("SESSION")
    assert "3 leaked sessions (in a scope that promised none)" in str(caught.value)
    assert found(guard) == [("new_session", 3, 5)]
    for session in kept:
        session.close()


def closes_them(url: str) -> object:
    kept = [new_session(url) for _ in range(5)]
    for session in kept:
        session.close()
    return kept


def drops_them(url: str) -> object:
    kept = [new_session(url) for _ in range(5)]
    return len(kept)


def drops_them_in_cycles(url: str) -> object:
    for _ in range(5):
        dropped_in_a_cycle(url)
    return None


def has_few(url: str) -> object:
    return [new_session(url) for _ in range(2)]


@pytest.mark.parametrize(
    "program", [closes_them, drops_them, drops_them_in_cycles, has_few]
)
def test_innocent_in_a_scope(guard: GuardControl, server: Server, program: Any) -> None:
    guard.install(max_sessions=2)
    outside = [make(server.url("/lines")) for _ in range(2)]
    with httpguard.no_leaks():
        kept = program(server.url("/lines"))
    assert found(guard) == []
    for session in outside:
        session.close()
    del kept


def test_a_library_may_do_as_it_likes_with_its_own(
    guard: GuardControl, server: Server
) -> None:
    boto3 = pytest.importorskip("boto3")
    guard.install(max_sessions=20)
    client = boto3.client(
        "s3",
        endpoint_url=server.url(""),
        region_name="us-east-1",
        aws_access_key_id="access",
        aws_secret_access_key="secret",
    )
    assert client.get_object(Bucket="bucket", Key="key")["Body"].read()
    del client
    assert found(guard) == []


REPORTED = """
import sys
import httpguard; httpguard.install(check_interval=0, max_idle=0)
import requests
def fetch():
    session = requests.Session()  # LEAK
    session.get(sys.argv[1])
    return session
kept = [fetch() for _ in range(21)]
httpguard.check()
"""


def test_the_report(server: Server, tmp_path: Path) -> None:
    path = write(tmp_path / "app.py", REPORTED)
    done = run(path, server.url("/lines"), cwd=tmp_path)
    assert done.stderr.startswith(
        f"leak session app.py:{line_of(REPORTED, '# LEAK')} in fetch"
        " · 21 sessions made here keep 21 open connections"
        f" · to http://{server.host}:{server.port}\n  made by thread MainThread"
    ), done.stderr


def test_a_scope_that_ends_makes_nobody_idle(
    guard: GuardControl, server: Server
) -> None:
    guard.install(max_sessions=3)
    kept = [make(server.url("/lines")) for _ in range(6)]
    for session in kept:
        session.get(server.url("/lines"))
    with httpguard.no_leaks():
        requests.get(server.url("/bytes/90000"), stream=True).close()
    assert guard.check().leaks == ()
    for session in kept:
        session.close()


def test_one_sweep_says_since_when_sessions_that_were_used_once_are_unused(
    guard: GuardControl, server: Server
) -> None:
    guard.install(max_sessions=3)
    kept = [make(server.url("/lines")) for _ in range(6)]
    guard.advance(59)
    assert guard.check().leaks == ()
    guard.advance(2)
    assert [leak.count for leak in guard.check().leaks] == [3]
    for session in kept:
        session.close()


def test_a_pool_is_unused_since_its_last_new_connection(
    guard: GuardControl, server: Server
) -> None:
    guard.install(max_sessions=3)
    managers = [urllib3.PoolManager() for _ in range(6)]
    pools = [manager.connection_from_url(server.url("/")) for manager in managers]
    guard.advance(100)
    for pool in pools:
        pool.request("GET", "/lines")
    guard.advance(59)
    assert guard.check().leaks == ()
    guard.advance(2)
    assert [leak.count for leak in guard.check().leaks] == [3]
    for manager in managers:
        manager.clear()


def test_a_request_that_took_longer_than_idle_sessions_may(
    guard: GuardControl, server: Server
) -> None:
    guard.install(max_sessions=3)
    kept = [requests.Session() for _ in range(6)]
    answers = [session.get(server.url("/bytes/90000"), stream=True) for session in kept]
    guard.advance(100)
    for answer in answers:
        answer.raw.read(10)
    assert guard.check().leaks == ()
    for answer in answers:
        assert answer.content
    guard.advance(10)
    assert guard.check().leaks == ()
    for session in kept:
        session.close()


def test_plain_requests_that_took_long(guard: GuardControl, server: Server) -> None:
    class Late(urllib3.connection.HTTPConnection):
        def getresponse(self) -> Any:
            """The server takes its time."""
            arrived.wait(30)
            return super().getresponse()

    class Pool(urllib3.HTTPConnectionPool):
        ConnectionCls = Late

    guard.install(max_sessions=3)
    arrived = threading.Event()
    pools = [Pool(server.host, server.port) for _ in range(6)]
    asking = [
        threading.Thread(target=pool.request, args=("GET", "/lines")) for pool in pools
    ]
    for thread in asking:
        thread.start()
    while sum(use.connected for use in httpguard.snapshot().pools) < len(pools):
        time.sleep(0.01)
    guard.advance(100)
    arrived.set()
    for thread in asking:
        thread.join()
    assert guard.check().leaks == ()
    guard.advance(100)
    assert [leak.count for leak in guard.check().leaks] == [3]
