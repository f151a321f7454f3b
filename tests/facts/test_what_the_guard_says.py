"""What the table calls lost is a leak, and nothing else is.

But for what docs/not-seen.md names: an answer without a body on a connection of
http.client; and for a response that goes with its client: it held its connection.
"""

from __future__ import annotations

import gc
from importlib import import_module
from typing import TYPE_CHECKING

import pytest

from ._measure import ENDINGS
from .table import FACTS, Subject, subjects

if TYPE_CHECKING:
    from tests.conftest import GuardControl
    from tests.server import Server

pytestmark = pytest.mark.usefixtures("small_heap")
STDLIB = ("http.client", "urllib.request")
WITHOUT_A_BODY = ("unread, dropped; HEAD", "unread, dropped; 204")
CLOSED = ("unread, `close()`", "unread, end of its `with`")


def expected(subject: Subject, ending: str) -> set[str]:
    """The kinds of leaks, from what happens without a guard."""
    cell = subject.expected(ending)
    if ending == "unread, dropped with its client":
        return {"dropped"} if subject.module not in STDLIB else set()
    if subject.module in STDLIB and ending in WITHOUT_A_BODY:
        return set()
    if "slot lost" not in cell and not cell.startswith("open, raises"):
        return set()
    if ending in CLOSED:
        return {"unreleased"}
    # The response is kept: by the program, or by its connection.
    if "kept" in ending or subject.name == "http.client":
        return {"held"}
    return {"dropped"}


@pytest.mark.parametrize("ending", FACTS)
@pytest.mark.parametrize("subject", [*subjects()], ids=lambda subject: subject.name)
def test_what_is_lost_is_a_leak(
    subject: Subject, ending: str, server: Server, guard: GuardControl
) -> None:
    if subject.expected(ending) == "n/a":
        pytest.skip("there is no such thing")
    guard.install(max_idle=60)
    driver = subject.driver(import_module(subject.module), server)
    driver.peer()
    kept = ENDINGS[ending](driver)
    driver.settle()
    gc.collect()
    guard.check()
    guard.advance(100)
    guard.check()
    found = {str(leak.kind) for leak in guard.check().leaks}
    del kept
    if driver.client is not None:
        driver.shut()
    driver.done()
    assert found == expected(subject, ending)
