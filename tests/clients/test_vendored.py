"""Copies of urllib3 and requests in other packages: guarded under their own names."""

from __future__ import annotations

import gc
import importlib
import itertools
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
import urllib3

import httpguard
from httpguard import ConfigError, LeakKind

if TYPE_CHECKING:
    from tests.conftest import GuardControl
    from tests.server import Server


# An import hook runs once for a name, so that each test has a package of its own.
_NUMBERS = itertools.count()


@pytest.fixture(params=["shop", "pip"])
def place(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> str:
    """A package with copies of both: a made-up one, or pip's own."""
    if request.param == "pip":
        pytest.importorskip("pip")
        return "pip._vendor"
    name = f"shop{next(_NUMBERS)}._vendor"
    copy(tmp_path, name)
    monkeypatch.syspath_prepend(tmp_path)
    return name


def copy(folder: Path, name: str) -> None:
    """Make such a package of what is installed, as packages vendor it."""
    place = folder.joinpath(*name.split("."))
    place.mkdir(parents=True)
    (place / "__init__.py").touch()
    (place.parent / "__init__.py").touch()
    for module in (urllib3, requests):
        source = Path(str(module.__file__)).parent
        shutil.copytree(source, place / source.name)
        for file in (place / source.name).rglob("*.py"):
            text = file.read_text("utf-8")
            for word in ("urllib3", "requests"):
                text = text.replace(f"from {word}", f"from {name}.{word}")
                text = text.replace(
                    f"\nimport {word}\n", f"\nfrom {name} import {word}\n"
                )
            file.write_text(text, "utf-8")


def load(place: str, name: str) -> Any:
    return importlib.import_module(f"{place}.{name}")


def found() -> list[tuple[str, int, str, str]]:
    return [
        (str(leak.kind), leak.count, leak.client, leak.site.function)
        for leak in httpguard.check().leaks
    ]


def stream(module: Any, server: Server) -> Any:
    return module.get(server.url("/bytes/90000"), stream=True)


def unread(module: Any, server: Server) -> Any:
    http = module.PoolManager()
    return http.request("GET", server.url("/bytes/90000"), preload_content=False)


@pytest.mark.parametrize("first", ["import", "install"])
def test_dropped_ones_are_found(
    guard: GuardControl, server: Server, place: str, first: str
) -> None:
    if first == "import":
        load(place, "requests")
    guard.install(vendored=[place])
    stream(load(place, "requests"), server)
    unread(load(place, "urllib3"), server)
    gc.collect()
    assert found() == [
        ("dropped", 1, f"{place}.requests", "stream"),
        ("dropped", 1, f"{place}.urllib3", "unread"),
    ]
    assert guard.check().counters["errors"] == 0


def test_what_is_read_is_none(guard: GuardControl, server: Server, place: str) -> None:
    guard.install(vendored=f"{place}.urllib3")
    copied = load(place, "requests")
    assert copied.get(server.url("/bytes/90000")).content
    assert copied.get(server.url("/redirect/2")).content
    with stream(copied, server) as response:
        assert response.raw.read(10)
    with copied.Session() as session:
        assert session.get(server.url("/chunked/9")).content
    kept = unread(load(place, "urllib3"), server)
    kept.drain_conn()
    gc.collect()
    assert found() == []
    assert guard.check().open == ()


def test_held_and_closed_for_the_program(
    guard: GuardControl, server: Server, place: str
) -> None:
    guard.install(vendored=[place], max_idle=30, on_held="close")
    kept = unread(load(place, "urllib3"), server)
    guard.check()
    guard.advance(40)
    assert found() == [("held", 1, f"{place}.urllib3", "unread")]
    with pytest.raises(load(place, "urllib3").exceptions.ProtocolError):
        kept.read()


def test_an_empty_pool_is_explained(
    guard: GuardControl, server: Server, place: str
) -> None:
    guard.install(vendored=[place])
    copied = load(place, "urllib3")
    pool = copied.HTTPConnectionPool(server.host, server.port, maxsize=1, block=True)
    pool.urlopen("GET", "/bytes/90000", preload_content=False)
    with pytest.raises(copied.exceptions.EmptyPoolError) as raised:
        pool.urlopen("GET", "/lines", pool_timeout=0.01)
    if sys.version_info >= (3, 11):
        assert "httpguard" in str(raised.value.__notes__)


def test_sessions_are_named(guard: GuardControl, server: Server, place: str) -> None:
    guard.install(vendored=[place], max_sessions=2, max_idle=30)
    copied = load(place, "requests")
    kept = [copied.Session() for _ in range(4)]
    for session in kept:
        session.get(server.url("/lines"))
    guard.check()
    guard.advance(40)
    (leak,) = guard.check().leaks
    assert (leak.kind, leak.count) == (LeakKind.SESSION, 2)
    assert leak.client == f"{place}.requests"


def test_the_installed_ones_are_guarded_beside_them(
    guard: GuardControl, server: Server, place: str
) -> None:
    guard.install(vendored=[place])
    copied = load(place, "requests").get(server.url("/lines"), stream=True)
    stream(requests, server)
    unread(urllib3, server)
    (one,) = guard.check().open
    assert one.client == f"{place}.requests"
    copied.close()
    requests.get(server.url("/redirect/2"))
    gc.collect()
    assert httpguard.check().counters["dropped"] == 2
    assert {client for _, _, client, _ in found()} == {"requests", "urllib3"}


def test_uninstall_gives_every_attribute_back(
    guard: GuardControl, server: Server, place: str
) -> None:
    kinds = (
        load(place, "urllib3.connectionpool").HTTPConnectionPool,
        load(place, "urllib3.poolmanager").PoolManager,
        load(place, "urllib3.response").HTTPResponse,
        load(place, "urllib3.connection").HTTPConnection,
        load(place, "requests").Session,
        load(place, "requests.adapters").HTTPAdapter,
    )
    before = [dict(vars(kind)) for kind in kinds]
    guard.install(vendored=[place])
    stream(load(place, "requests"), server).close()
    assert [dict(vars(kind)) for kind in kinds] != before
    httpguard.uninstall()
    assert [dict(vars(kind)) for kind in kinds] == before


def test_one_that_is_not_named_is_left_alone(
    guard: GuardControl, server: Server, place: str
) -> None:
    guard.install()
    stream(load(place, "requests"), server)
    gc.collect()
    known = place == "pip._vendor"
    assert [kind for kind, *_ in found()] == (["dropped"] if known else [])


def test_nothing_is_imported_for_it(server: Server) -> None:
    program = f"""
import sys, gc, httpguard
httpguard.install(check_interval=0)
print([name for name in ("pip", "urllib3", "requests") if name in sys.modules])
from pip._vendor import requests
requests.get({server.url("/bytes/90000")!r}, stream=True)
gc.collect()
print([(str(leak.kind), leak.client) for leak in httpguard.check().leaks])
"""
    pytest.importorskip("pip")
    done = subprocess.run(  # This interpreter.
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.stdout == "[]\n[('dropped', 'pip._vendor.requests')]\n", done.stderr


def test_the_installed_one_under_another_name(
    guard: GuardControl, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Linux distributions have it, with their own urllib3 in pip."""
    place = f"shop{next(_NUMBERS)}._vendor"
    for name in ("urllib3", "urllib3.connectionpool", "requests", "requests.sessions"):
        monkeypatch.setitem(sys.modules, f"{place}.{name}", sys.modules[name])
    guard.install(vendored=[place])
    stream(requests, server)
    gc.collect()
    assert found() == [("dropped", 1, "requests", "stream")]
    assert guard.check().counters["errors"] == 0
    with httpguard.no_leaks():
        requests.get(server.url("/lines"))


def test_a_name_has_to_be_one(guard: GuardControl) -> None:
    with pytest.raises(ConfigError, match="vendored"):
        guard.install(vendored=["shop/_vendor"])


def test_kinds_are_the_same(guard: GuardControl, server: Server, place: str) -> None:
    guard.install(vendored=[place])
    copied = load(place, "urllib3")
    pool = copied.HTTPConnectionPool(server.host, server.port, maxsize=2, block=True)
    with pool.urlopen("GET", "/bytes/90000", preload_content=False):
        pass
    gc.collect()
    (leak,) = guard.check().leaks
    assert leak.kind is LeakKind.UNRELEASED


def test_managers_are_named(guard: GuardControl, server: Server, place: str) -> None:
    guard.install(vendored=[place], max_sessions=2, max_idle=30)
    load(place, "requests")
    copied = load(place, "urllib3")
    kept = [copied.PoolManager() for _ in range(4)]
    for manager in kept:
        manager.request("GET", server.url("/lines"))
    guard.check()
    guard.advance(40)
    (leak,) = guard.check().leaks
    assert (leak.kind, leak.count) == (LeakKind.SESSION, 2)
    assert leak.client == f"{place}.urllib3"


def test_a_hook_that_loses_a_response_is_named(
    guard: GuardControl, server: Server, place: str
) -> None:
    def refuse(_response: object, *_: object, **__: object) -> None:
        raise LookupError

    guard.install(vendored=[place])
    copied = load(place, "requests")
    with pytest.raises(LookupError):
        copied.get(server.url("/bytes/90000"), hooks={"response": refuse})
    gc.collect()
    (leak,) = guard.check().leaks
    assert (leak.kind, leak.client) == (LeakKind.DROPPED, f"{place}.requests")
    assert "`refuse` should read or close" in leak.hint
