"""Faults inside httpguard: the program gets its response all the same."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import types
import weakref
from typing import TYPE_CHECKING, Any

import pytest
import requests
import urllib3

import httpguard
from httpguard import LeakError
from httpguard._guard import outbox as _outbox
from httpguard._guard import watcher as _watcher
from httpguard._leases import registry as _registry
from httpguard._leases import table as _table
from httpguard._leases.detector import Detector
from httpguard._leases.table import Verdicts
from httpguard._model.event import Event
from httpguard._model.failure import Failures
from httpguard._pools import pools as _pools
from httpguard._process import process as _process
from httpguard._reporting import Destinations, Members
from httpguard._reporting import logs as _logs
from tests.program import run, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import GuardControl
    from tests.server import Server


class FaultError(Exception):
    """What is injected."""


def fail(*_args: Any, **_options: Any) -> Any:
    raise FaultError


POINTS: list[tuple[Any, str]] = [
    (_registry, "capture"),
    (_pools, "PoolRef"),
    (_watcher.Watcher, "start"),
    (Detector, "sweep"),
    (Detector, "bury"),
    (_table, "place_of"),
    (_table.Group, "leak"),
    (_table.LeakTable, "add"),
    (_logs, "_to_logging"),
]


@pytest.mark.parametrize(("owner", "name"), POINTS, ids=str)
def test_the_program_goes_on(  # noqa: PLR0917  # Fixtures.
    owner: Any,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    guard: GuardControl,
    server: Server,
    caplog: pytest.LogCaptureFixture,
) -> None:
    url = server.url("/bytes/90000")
    # With a watcher it is started, without one guarded calls sweep.
    guard.install(check_interval=1000 if name == "start" else 0)
    monkeypatch.setattr(owner, name, fail)
    for _ in range(3):
        guard.advance(2000)
        requests.get(url, stream=True)
        with requests.get(url, stream=True) as response:
            assert len(response.content) == 90000
        pool = urllib3.PoolManager()
        assert len(pool.request("GET", url, preload_content=False).read()) == 90000
        assert len(pool.request("GET", url).data) == 90000
        with httpguard.no_leaks(), requests.get(url, stream=True) as response:
            assert response.ok
        assert guard.check().counters["errors"] >= 0
    said = [record for record in caplog.records if "stepped aside" in record.message]
    current = _process.current()
    assert current is not None
    assert current.outbox.errors >= 1
    # Once for each part that failed.
    assert 1 <= len(said) <= 4
    assert "FaultError" in (said[0].exc_text or "")


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt, SystemExit])
def test_errors_of_the_guarded_call_pass(
    error: type[BaseException], guard: GuardControl, server: Server
) -> None:
    guard.install()

    def hook(*_args: object, **_options: object) -> None:
        raise error

    with pytest.raises(error):
        requests.get(server.url("/bytes/10"), hooks={"response": hook})


def with_handler(handle: Callable[[logging.LogRecord], None]) -> logging.Handler:
    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            handle(record)

    handler = Handler()
    logging.getLogger("httpguard").addHandler(handler)
    return handler


def test_a_log_handler_that_raises(guard: GuardControl, server: Server) -> None:
    guard.install()
    handler = with_handler(fail)
    try:
        requests.get(server.url("/bytes/90000"), stream=True)
        assert requests.get(server.url("/bytes/10")).ok
        state = guard.check()
    finally:
        logging.getLogger("httpguard").removeHandler(handler)
    assert (state.counters["dropped"], state.counters["errors"]) == (1, 1)


def test_a_log_handler_that_makes_leaking_requests(
    guard: GuardControl, server: Server
) -> None:
    guard.install(strict=True)
    calls = []

    def ship(record: logging.LogRecord) -> None:
        calls.append(record)
        requests.get(server.url("/bytes/90000"), stream=True)

    handler = with_handler(ship)
    try:
        requests.get(server.url("/bytes/90000"), stream=True)
        for _ in range(5):
            with contextlib.suppress(LeakError):
                guard.check()
    finally:
        logging.getLogger("httpguard").removeHandler(handler)
    assert 1 <= len(calls) <= 3


def test_a_report_that_waits_for_a_fork_is_waited_for_by_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_outbox, "_clock", lambda: 0.0)  # Nobody's patience ends.
    told: list[Event] = []
    destinations = Destinations()
    destinations.members.clear()
    destinations.add(told.append, "told")
    outbox = _outbox.Outbox(destinations, Members(), Failures())
    outbox.events.append(Event(name="x", level="warning"))
    outbox.pause()
    reports = threading.Thread(target=outbox.flush)
    reports.start()
    reports.join(0.05)

    def fork() -> None:
        outbox.pause()
        outbox.resume()

    other = threading.Thread(target=fork, daemon=True)
    other.start()
    other.join(10)
    assert not other.is_alive()
    assert not told
    outbox.resume()
    reports.join(60)
    assert len(told) == 1


def test_the_outbox_survives_another_thread_taking_the_last() -> None:
    destinations = Destinations()
    for _, logs in destinations.members:
        destinations.remove(logs)
    outbox = _outbox.Outbox(destinations, Members(), Failures())
    destinations.add(lambda _: outbox.events.clear(), "another thread")
    for _ in range(2):
        outbox.events.append(Event(name="x", level="warning"))
    outbox.flush()
    assert outbox.errors == 0


def test_a_half_imported_structlog(
    monkeypatch: pytest.MonkeyPatch, guard: GuardControl, server: Server
) -> None:
    """Another thread is in the middle of importing it."""
    guard.install()
    real = sys.modules.get("structlog")
    monkeypatch.setitem(sys.modules, "structlog", types.ModuleType("structlog"))
    assert not _logs.is_structlog_configured()
    if real is not None:
        monkeypatch.setitem(sys.modules, "structlog", real)


def test_the_exit_survives_a_fault(
    monkeypatch: pytest.MonkeyPatch, guard: GuardControl, server: Server
) -> None:
    guard.install()
    requests.get(server.url("/bytes/90000"), stream=True)
    monkeypatch.setattr(Detector, "bury", fail)
    current = _process.current()
    assert current is not None
    current.finish()
    assert current.outbox.errors == 1


def test_too_many_open_survives_a_fault(
    monkeypatch: pytest.MonkeyPatch, guard: GuardControl, server: Server
) -> None:
    guard.install(max_open=1, strict=True)
    monkeypatch.setattr(Verdicts, "crowd", fail)
    kept = [requests.get(server.url("/bytes/90000"), stream=True) for _ in range(3)]
    current = _process.current()
    assert current is not None
    assert current.outbox.errors == 2
    for response in kept:
        response.close()


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("client", ["requests", "urllib3"])
def test_errors_below_the_clients_pass(
    client: str,
    error: type[BaseException],
    monkeypatch: pytest.MonkeyPatch,
    guard: GuardControl,
    server: Server,
) -> None:
    """Nothing is logged, and the connection's slot is given back."""
    guard.install()
    raised = error()

    def refuse(*_arguments: object, **_options: object) -> Any:
        raise raised

    with monkeypatch.context() as patched, pytest.raises(error) as caught:
        patched.setattr(urllib3.connectionpool.HTTPConnectionPool, "_get_conn", refuse)
        if client == "requests":
            requests.get(server.url("/bytes/10"))
        else:
            urllib3.PoolManager().request("GET", server.url("/bytes/10"))
    assert caught.value is raised
    assert guard.check().counters["errors"] == 0


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_in_our_own_code_passes_and_breaks_nothing(
    error: type[BaseException],
    monkeypatch: pytest.MonkeyPatch,
    guard: GuardControl,
    server: Server,
) -> None:
    """As an interrupt anywhere: it is the program's, and no lock stays locked."""
    guard.install()
    requests.get(server.url("/bytes/90000"), stream=True)

    def interrupt(*_arguments: object, **_options: object) -> Any:
        raise error

    with monkeypatch.context() as patched, pytest.raises(error):
        patched.setattr(_table.LeakTable, "add", interrupt)
        requests.get(server.url("/bytes/10"))
    requests.get(server.url("/bytes/90000"), stream=True)
    state = guard.check()
    assert [leak.count for leak in state.leaks] == [1]
    assert state.counters["errors"] == 0


DROPS = """
import logging, sys
{setup}
import httpguard; httpguard.install(check_interval=0{settings})
import requests
for number in range(3):
    requests.get(sys.argv[1], stream=True)
    assert len(requests.get(sys.argv[1]).content) == 90000
counters = httpguard.check().counters
print(counters["dropped"], counters["errors"] > 0, flush=True)
"""
NEEDS_FULL = pytest.mark.skipif(
    not os.path.exists("/dev/full"), reason="needs a disk that is full"
)


@pytest.mark.parametrize(
    ("setup", "fails"),
    [
        pytest.param("sys.stderr = None", "handled", id="no stderr"),
        pytest.param("sys.stderr.close()", "either", id="a closed stderr"),
        pytest.param("import os; os.close(2)", "handled", id="a closed descriptor"),
        pytest.param(
            "sys.stderr = open('/dev/full', 'w', buffering=1)",
            "at exit",
            marks=NEEDS_FULL,
            id="a full disk at stderr",
        ),
        pytest.param(
            "logging.basicConfig(filename='/dev/full')",
            "handled",
            marks=NEEDS_FULL,
            id="a full disk at a handler",
        ),
        pytest.param(
            "logging.raiseExceptions = True; logging.basicConfig(stream=7)",
            "handled",
            id="a handler without a stream",
        ),
        pytest.param(
            "class Broken(logging.Handler):\n"
            "    def emit(self, record): raise OSError(28, 'No space left on device')\n"
            "logging.getLogger().addHandler(Broken())",
            "counted",
            id="a handler that raises",
        ),
        pytest.param(
            "import structlog\n"
            "structlog.configure(logger_factory=structlog.WriteLoggerFactory("
            "open('/dev/full', 'w', buffering=1)))",
            "counted",
            marks=NEEDS_FULL,
            id="a full disk below structlog",
        ),
    ],
)
def test_logs_that_can_not_be_written(
    setup: str, fails: str, server: Server, tmp_path: Path
) -> None:
    """Handlers of the standard library say so themselves, on stderr, and go on."""
    program = write(tmp_path / "app.py", DROPS.format(setup=setup, settings=""))
    done = run(program, server.url("/bytes/90000"))
    found, errors = done.stdout.split()
    assert found == "3", done.stderr
    if fails in ("handled", "counted"):
        assert errors == str(fails == "counted")
    # CPython's own word for a stderr that can not be flushed at exit.
    assert done.returncode == (120 if fails == "at exit" else 0)


def test_a_record_of_a_fault_keeps_no_response(
    guard: GuardControl,
    monkeypatch: pytest.MonkeyPatch,
    server: Server,
    caplog: pytest.LogCaptureFixture,
) -> None:
    guard.install()
    monkeypatch.setattr(_registry, "capture", fail)
    response = requests.get(server.url("/bytes/90000"), stream=True)
    reference = weakref.ref(response.raw)
    del response
    assert reference() is None
    # In the session and in the response.
    assert len(caplog.records) == 2
    assert all("FaultError" in (record.exc_text or "") for record in caplog.records)


def test_a_fault_as_a_response_ends_accuses_nobody(
    guard: GuardControl,
    monkeypatch: pytest.MonkeyPatch,
    server: Server,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Without its end the lease would look like one that was dropped."""
    guard.install()
    response = requests.get(server.url("/bytes/90000"), stream=True)
    with monkeypatch.context() as patched:
        patched.setattr(_registry.Registry, "end", fail)
        assert len(response.content) == 90_000
    reference = weakref.ref(response.raw)
    del response
    assert reference() is None
    state = guard.check()
    assert (state.leaks, state.counters["errors"]) == ((), 1)
    assert "failed in put_conn" in caplog.text


@pytest.mark.parametrize(
    "change",
    [
        "del HTTPResponse.close",
        (
            "ConnectionPool._put_conn = HTTPConnectionPool._put_conn;"
            " del HTTPConnectionPool._put_conn"
        ),
    ],
)
def test_an_unknown_version_is_left_alone(
    change: str, server: Server, tmp_path: Path
) -> None:
    """What is to be patched is not there: the clients work, and nobody is accused."""
    source = f"""
    import sys
    import requests, urllib3
    from urllib3.connectionpool import ConnectionPool, HTTPConnectionPool
    from urllib3.response import HTTPResponse
    # As a version to come might be.
    {change}
    import httpguard; httpguard.install(check_interval=0)
    pool = urllib3.PoolManager()
    print(len(pool.request("GET", sys.argv[1]).data))
    print(len(pool.request("GET", sys.argv[1], preload_content=False).read()))
    print(len(requests.get(sys.argv[1], stream=True).content))
    state = httpguard.snapshot()
    print(state.leaks, state.counters["opened"], state.counters["errors"])
    """
    done = run(write(tmp_path / "app.py", source), server.url("/bytes/90000"))
    assert done.stdout == "90000\n" * 3 + "() 0 0\n", done.stderr
    assert done.stderr.count("httpguard leaves urllib3 unguarded: ") == 1
