"""`no_leaks` that cannot watch: a check that did not run is no pass."""

from __future__ import annotations

import logging
import threading
from contextvars import Context
from typing import TYPE_CHECKING

import pytest
import requests

import httpguard
from httpguard import HTTPGuardError, LeakError
from tests.program import run

if TYPE_CHECKING:
    from tests.server import Server

pytestmark = pytest.mark.usefixtures("small_heap")

BROKEN = """
import sys, httpguard
sys.modules["wrapt"] = None
httpguard.install()
print("installed", httpguard.snapshot() == httpguard.Snapshot())
for enter in (httpguard.no_leaks().__enter__, httpguard.no_leaks()(print)):
    try:
        enter()
    except httpguard.HTTPGuardError as error:
        print(type(error).__name__, type(error.__cause__).__name__, error)
del sys.modules["wrapt"]
with httpguard.no_leaks():
    print("watched")
"""


def test_a_dependency_that_is_broken() -> None:
    done = run("-c", BROKEN)
    assert done.returncode == 0, done.stderr
    first, second, third, last = done.stdout.splitlines()
    assert (first, last) == ("installed True", "watched")
    assert second == third
    assert second.startswith(
        "HTTPGuardError ModuleNotFoundError no_leaks() cannot watch"
    )
    assert "httpguard failed in install and stepped aside" in done.stderr


def test_uninstalled_inside() -> None:
    with pytest.raises(HTTPGuardError, match="uninstalled inside") as caught:  # noqa: SIM117
        with httpguard.no_leaks():
            httpguard.uninstall()
    assert not isinstance(caught.value, LeakError)
    with pytest.raises(KeyError), httpguard.no_leaks():
        httpguard.uninstall()
        raise KeyError
    with httpguard.no_leaks():
        pass


def test_disabled_it_checks_nothing(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPGUARD_ENABLED", "0")
    scope = httpguard.no_leaks()
    with scope, scope:
        requests.get(server.url("/bytes/90000"), stream=True)
    monkeypatch.delenv("HTTPGUARD_ENABLED")
    with pytest.raises(LeakError), scope:
        requests.get(server.url("/bytes/90000"), stream=True)


def test_what_it_installed_reports_under_no_lock_of_ours(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log handler may wait for a thread that installs or uninstalls."""
    monkeypatch.setenv("HTTPGUARD_MAX_IDLE", "0")
    kept: list[requests.Response] = []
    said: list[tuple[str, bool]] = []

    def elsewhere() -> None:
        kept.append(requests.get(server.url("/bytes/90000"), stream=True))

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            thread = threading.Thread(target=httpguard.uninstall)
            thread.start()
            thread.join(30)
            said.append((record.getMessage()[:9], thread.is_alive()))

    handler = Handler()
    logging.getLogger("httpguard").addHandler(handler)
    try:
        with httpguard.no_leaks():
            # Not of the scope, even where threads have the context of who starts them.
            thread = threading.Thread(target=Context().run, args=(elsewhere,))
            thread.start()
            thread.join()
    finally:
        logging.getLogger("httpguard").removeHandler(handler)
        kept.pop().close()
    assert said == [("leak held", False)]
