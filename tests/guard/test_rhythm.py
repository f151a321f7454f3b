"""Reports at 1, 10, 100, … and at most once a minute; a bounded table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import requests

from httpguard._leases import table as _table
from httpguard._model.tally import Rhythm

if TYPE_CHECKING:
    import pytest

    from tests.conftest import GuardControl
    from tests.server import Server


def test_first_tenth_hundredth() -> None:
    rhythm = Rhythm()
    due = [count for count in range(1, 1001) if rhythm.due(count, count * 60.0)]
    assert due == [1, 10, 100, 1000]


def test_at_most_once_a_minute() -> None:
    rhythm = Rhythm()
    due = [count for count in range(1, 10_001) if rhythm.due(count, count * 0.01)]
    # The minute is over at 6001; 10, 100 and 1000 were passed by then.
    assert due == [1, 6001]


def test_what_was_held_back_is_said_by_a_sweep(
    guard: GuardControl, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    guard.install()

    def leak() -> None:
        requests.get(server.url("/bytes/90000"), stream=True)

    for _ in range(12):
        leak()
    guard.check()
    assert caplog.text.count("leak dropped") == 1
    guard.advance(100)
    guard.check()
    assert caplog.text.count("leak dropped") == 2
    assert "12 times" in caplog.text
    guard.advance(100)
    guard.check()
    assert caplog.text.count("leak dropped") == 2


def test_the_table_is_bounded(
    guard: GuardControl, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_table, "MOST_GROUPS", 3)
    guard.install()
    source = "def leak(get, url):\n    get(url, stream=True)\n"
    for number in range(5):
        space: dict[str, object] = {}
        exec(compile(source, f"<made-{number}>", "exec"), space)
        space["leak"](requests.get, server.url("/bytes/90000"))  # type: ignore[operator]
    state = guard.check()
    assert {leak.site.filename for leak in state.leaks} == {
        "<made-2>",
        "<made-3>",
        "<made-4>",
    }
    assert state.counters["dropped"] == 5
