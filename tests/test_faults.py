"""Faults inside httpguard: the program gets its response all the same."""

from __future__ import annotations

import contextlib
import logging
import sys
import types
from typing import TYPE_CHECKING, Any

import pytest
import requests
import urllib3

import httpguard
from httpguard import (
    LeakError,
    _guard,
    _outbox,
    _process,
    _registry,
    _table,
    _watcher,
    reporting,
)
from httpguard._detector import Detector

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import GuardControl
    from tests.server import Server


class FaultError(Exception):
    """What is injected."""


def fail(*_args: Any, **_options: Any) -> Any:
    raise FaultError


POINTS: list[tuple[Any, str]] = [
    (_registry, "capture"),
    (_registry, "thread_name"),
    (_registry, "PoolRef"),
    (_watcher.Watcher, "start"),
    (Detector, "sweep"),
    (Detector, "bury"),
    (_guard, "find_site"),
    (_table.Group, "leak"),
    (_table.LeakTable, "add"),
    (reporting, "report"),
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
    if name != "find_site":  # Runs when something was resolved, here nothing is.
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


def test_the_outbox_survives_another_thread_taking_the_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outbox = _outbox.Outbox()
    outbox.post(reporting.Event(name="x", error=False))
    monkeypatch.setattr(reporting, "report", lambda _: outbox._events.clear())
    outbox.post(reporting.Event(name="y", error=False))
    outbox.flush()
    assert outbox.errors == 0


def test_a_half_imported_structlog(
    monkeypatch: pytest.MonkeyPatch, guard: GuardControl, server: Server
) -> None:
    """Another thread is in the middle of importing it."""
    guard.install()
    real = sys.modules.pop("structlog", None)
    monkeypatch.setitem(sys.modules, "structlog", types.ModuleType("structlog"))
    assert not reporting._structlog.is_configured()
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
    monkeypatch.setattr(Detector, "crowd", fail)
    kept = [requests.get(server.url("/bytes/90000"), stream=True) for _ in range(3)]
    current = _process.current()
    assert current is not None
    assert current.outbox.errors == 2
    for response in kept:
        response.close()
