"""A urllib3 that is not the one we know is left alone."""

from __future__ import annotations

import sys
import textwrap
from typing import TYPE_CHECKING

import pytest
import requests
import urllib3
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.poolmanager import PoolManager

import httpguard
from httpguard import HTTPGuardError
from tests.program import run

if TYPE_CHECKING:
    from tests.conftest import GuardControl
    from tests.server import Server


def use(server: Server) -> None:
    kept = [requests.get(server.url("/bytes/90000"), stream=True) for _ in range(3)]
    urllib3.PoolManager().request(
        "GET", server.url("/bytes/90000"), preload_content=False
    )
    del kept


def test_urllib3_future_is_left_alone(
    guard: GuardControl,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(urllib3, "ResponsePromise", object, raising=False)
    before = HTTPConnectionPool.urlopen, requests.adapters.HTTPAdapter.send
    guard.install()
    assert before == (HTTPConnectionPool.urlopen, requests.adapters.HTTPAdapter.send)
    use(server)
    assert guard.check().leaks == ()
    httpguard.uninstall()
    guard.install()
    use(server)
    assert guard.check().leaks == ()
    (said,) = [record for record in caplog.records if record.name == "httpguard"]
    assert said.getMessage() == (
        "httpguard leaves urllib3 unguarded: urllib3-future is in the place of urllib3"
    )
    assert guard.check().counters["errors"] == 0
    with pytest.raises(HTTPGuardError, match="cannot watch urllib3"):  # noqa: SIM117
        with httpguard.no_leaks():
            use(server)


def test_a_scope_in_which_it_is_imported_proves_nothing() -> None:
    source = """
    import sys, types, httpguard
    try:
        with httpguard.no_leaks():
            import urllib3
            if len(sys.argv) > 1:
                httpguard.uninstall()
                urllib3.ResponsePromise = object
                httpguard.install()
    except httpguard.HTTPGuardError as error:
        print(error)
    """
    done = run("-c", textwrap.dedent(source), "unknown")
    assert done.stdout.startswith("no_leaks() cannot watch urllib3"), done.stderr
    assert run("-c", textwrap.dedent(source)).stdout == ""


def test_a_urllib3_without_a_part_is_left_alone(
    guard: GuardControl,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Base(PoolManager):
        pass

    monkeypatch.setattr("urllib3.poolmanager.PoolManager", Base)
    guard.install()
    use(server)
    assert guard.check().leaks == ()
    (said,) = [record for record in caplog.records if record.name == "httpguard"]
    assert "Base has no urlopen of its own" in said.getMessage()


def test_an_httpcore_that_is_too_old_is_left_alone(
    guard: GuardControl,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    httpx = pytest.importorskip("httpx")
    monkeypatch.delattr("httpcore._sync.connection_pool.PoolByteStream")
    before = httpx.Client.send
    guard.install()
    assert httpx.Client.send is before
    assert guard.check().counters["errors"] == 0
    (said,) = [record for record in caplog.records if record.name == "httpguard"]
    assert said.getMessage() == (
        "httpguard leaves httpx unguarded: httpcore is older than 1.0.3"
    )
    with pytest.raises(HTTPGuardError, match="cannot watch httpx"):  # noqa: SIM117
        with httpguard.no_leaks():
            httpx.get(server.url("/bytes/10"))


def test_the_one_we_know_is_guarded(guard: GuardControl, server: Server) -> None:
    guard.install()
    use(server)
    assert sum(leak.count for leak in guard.check().leaks) == 4


@pytest.mark.skipif(sys.version_info < (3, 15), reason="imports are lazy from 3.15 on")
def test_all_imports_are_lazy(server: Server) -> None:
    source = """
    import sys
    import httpguard
    httpguard.install(check_interval=0)
    import requests
    requests.get(sys.argv[1], stream=True)
    requests.get(sys.argv[1], stream=True).close()
    found = httpguard.check()
    print([(leak.kind.value, leak.site.lineno, leak.count) for leak in found.leaks])
    print(found.counters["errors"])
    """
    options = "-X", "lazy_imports=all", "-c", textwrap.dedent(source)
    done = run(*options, server.url("/bytes/90000"))
    assert done.stdout.split("\n")[:2] == ["[('dropped', 6, 1)]", "0"], done.stderr
