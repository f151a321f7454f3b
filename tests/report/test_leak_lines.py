"""A line is counted the same, whichever way it is read."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from httpguard._report import leak_lines
from httpguard._report.counts import LogCounts
from httpguard._report.sites import report_of

LINE: dict[str, Any] = {
    "schema": 1,
    "timestamp": "2026-03-01T00:00:58+00:00",
    "level": "warning",
    "event": "httpguard.leak",
    "run": "3ff08c22994aebab",
    "pid": 54031,
    "host": "node-18",
    "program": "gunicorn",
    "count": 14,
    "resolved": 2,
    "first_seen": "2026-03-01T00:00:57.456000+00:00",
    "last_seen": "2026-03-01T01:00:57.456000+00:00",
    "context": {},
    "kind": "dropped",
    "site": {"filename": "/srv/app.py", "lineno": 5, "function": "ask"},
    "stack": [{"filename": "/srv/app.py", "lineno": 5, "function": "ask"}],
    "client": "requests",
    "url": "http://x/",
}
MADE = datetime(2026, 3, 2, tzinfo=timezone.utc)
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.floats(),
    st.integers(-(2**70), 2**70),
    st.sampled_from(["", "7", "2026-03-01", "httpguard.leak", "\ud800", "é", "\x00"]),
    # New each time: `changed` puts one into the other.
    st.builds(list),
    st.builds(dict),
)
CHANGES = st.dictionaries(
    st.sampled_from([*LINE, "site.filename", "site.lineno", "site.function", "new"]),
    st.one_of(ODD, st.just(...)),  # `...`: left out.
    max_size=3,
)


def changed(changes: dict[str, Any], *, ascii_only: bool) -> str:
    line = json.loads(json.dumps(LINE))
    for name, value in changes.items():
        outer, _, inner = name.partition(".")
        place = line[outer] if inner and isinstance(line.get(outer), dict) else line
        if value is ...:
            place.pop(inner or outer, None)
        else:
            place[inner or outer] = value
    return json.dumps(line, ensure_ascii=ascii_only)


def counted(lines: list[str], since: int | None = None) -> Any:
    counts = LogCounts(since)
    counts.begin("a")
    problems = [counts.take("a", line) for line in lines]
    return problems, replace(report_of(counts), made=MADE)


def both(
    lines: list[str], monkeypatch: pytest.MonkeyPatch, since: int | None = None
) -> tuple[Any, Any]:
    """As with and as without what reads them fast."""
    fast = counted(lines, since)
    with monkeypatch.context() as patch:
        patch.setattr(leak_lines, "_decode", None)
        return fast, counted(lines, since)


def test_an_ordinary_line_is_read_fast() -> None:
    line = leak_lines.read_leak(json.dumps(LINE))
    assert (line.kind, line.count, line.site.lineno) == ("dropped", 14, 5)
    assert leak_lines.rank_of(line) == 3


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(CHANGES, st.booleans()), min_size=1, max_size=4))
def test_members_of_any_kind(lines: list[tuple[dict[str, Any], bool]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        fast, slow = both([changed(c, ascii_only=a) for c, a in lines], patch)
    assert fast == slow


@settings(max_examples=400, deadline=None)
@given(
    st.integers(0, len(json.dumps(LINE))),
    st.integers(0, 3),
    st.sampled_from(
        ["", '"', "}", "{", "[", "]", ",", "\\", " ", "1", "NaN", "\t", "x"]
    ),
)
def test_lines_that_are_damaged(at: int, gone: int, put: str) -> None:
    text = json.dumps(LINE)
    with pytest.MonkeyPatch.context() as patch:
        fast, slow = both([text[:at] + put + text[at + gone :]], patch)
    assert fast == slow


def test_a_span_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [
        changed({"count": n, "last_seen": f"2026-03-01T0{n}:00:00Z"}, ascii_only=True)
        for n in range(1, 9)
    ]
    fast, slow = both(lines, monkeypatch, since=1_772_341_200_000_000)
    assert fast == slow
    assert sum(site.leaks for site in fast[1].sites) == 4
