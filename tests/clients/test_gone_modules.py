"""Clients that a program goes on to use once it has taken them out of `sys.modules`.

A test that imports them inside of `mock.patch.dict(sys.modules)` does that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.program import run, write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server import Server

_HEAD = """
    import gc, http.client, logging, sys, time, urllib.request
    import httpguard, httpx, requests, urllib3
    logging.basicConfig(format="%(message)s")
    base = sys.argv[1]
    session, client, manager = requests.Session(), httpx.Client(), urllib3.PoolManager()
    Connection, urlopen = http.client.HTTPConnection, urllib.request.urlopen

    def ask(path):
        connection = Connection(base.removeprefix("http://"))
        connection.request("GET", path)
        return connection.getresponse()  # http.client

    def forget(*names):
        for name in list(sys.modules):
            if name.startswith(names):
                del sys.modules[name]
"""
_FOUND = """
    text = open(__file__).read().splitlines()
    for leak in httpguard.check().leaks:
        where = text[leak.site.lineno - 1].rpartition("# ")[2]
        print(leak.kind.value, leak.count, leak.client, "at", where)
    print(httpguard.snapshot().counters["errors"], "errors")
"""


def _said(path: Path, server: Server, source: str) -> list[str]:
    done = run(write(path / "program.py", _HEAD + source + _FOUND), server.url(""))
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_leaks_are_found(tmp_path: Path, server: Server) -> None:
    said = _said(
        tmp_path,
        server,
        """
    httpguard.install(check_interval=0)
    forget("requests", "http", "urllib.")
    session.get(base + "/redirect/1", stream=True)  # requests
    def cycle():
        kept = [ask("/lines")]
        kept.append(urlopen(base + "/lines"))  # urllib.request
        kept.append(kept)
    cycle()
    gc.collect()
    """,
    )
    clients = ("http.client", "requests", "urllib.request")
    expected = [f"dropped 1 {client} at {client}" for client in clients]
    assert sorted(said) == ["0 errors", *expected]


def test_those_that_are_read_are_innocent(tmp_path: Path, server: Server) -> None:
    said = _said(
        tmp_path,
        server,
        """
    httpguard.install(check_interval=0)
    forget("requests", "http", "urllib.")
    assert len(session.get(base + "/redirect/1", stream=True).content) == 90_000
    for response in urlopen(base + "/lines"), ask("/lines"):
        assert len(response.read()) == 90_000
    """,
    )
    assert said == ["0 errors"]


@pytest.mark.parametrize(
    ("opened", "error"),
    [
        ('manager.urlopen("GET", base + "/lines", preload_content=False)', "Protocol"),
        ('ask("/lines")', "IncompleteRead"),
        ('client.send(client.build_request("GET", base + "/lines"), stream=True)', ""),
    ],
    ids=["urllib3", "http.client", "httpx"],
)
def test_who_reads_what_was_closed_gets_the_clients_own_error(
    tmp_path: Path, server: Server, opened: str, error: str
) -> None:
    said = _said(
        tmp_path,
        server,
        f"""
    httpguard.install(check_interval=0, max_idle=0.01, on_held="close")
    response = {opened}
    forget("httpx", "http.", "urllib3")
    time.sleep(0.1)
    httpguard.check()
    try:
        response.read()
    except Exception as error:
        print(type(error).__name__)
    """,
    )
    assert said[0].startswith(error or "StreamClosed")
    assert said[-1] == "0 errors"


def test_what_was_away_has_its_own_fix_again(tmp_path: Path, server: Server) -> None:
    source = """
    from unittest import mock
    httpguard.install(check_interval=0)
    with mock.patch.dict(sys.modules):
        forget("requests")
        session.get(base + "/lines", stream=True)  # away
        httpguard.check()
    session.get(base + "/lines", stream=True)  # back
    fixes = {leak.site.lineno: leak.hint for leak in httpguard.check().leaks}
    print("with requests.get(" in fixes[max(fixes)])
"""
    fixed, *said = _said(tmp_path, server, source)
    assert fixed == "True"
    dropped = [f"dropped 1 requests at {where}" for where in ("away", "back")]
    assert sorted(said) == ["0 errors", *dropped]
