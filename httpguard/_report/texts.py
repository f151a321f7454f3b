"""Our reports where they were logged as plain text."""

from __future__ import annotations

import re
from typing import Any, Final

_KINDS: Final = "dropped|held|unreleased|open|session"
_PLACE: Final = r"(?P<file>.+):(?P<line>\d+) in (?P<function>\S+)"
# Where an encoding had no sign for it, it is a question mark.
_DOT: Final = r" (?:·|\?) "
_REQUEST: Final = r"(?:(?P<method>[A-Z]+) )?(?P<url>\S+)"
# A session has no request: its line says what it keeps, its summary where it went.
_KEEPS: Final = r"(?:collected with|[\d,]+ sessions made here(?: are)?) .+?"
# The first lines of our reports, and the lines of the summary.
_FORMS: Final = (
    re.compile(
        rf"\bleak (?P<kind>{_KINDS}) {_PLACE}{_DOT}(?:(?P<count>[\d,]+) times{_DOT})?"
        rf"(?:(?P<method>[A-Z]+) (?P<url>\S+)|{_KEEPS}){_DOT}"
    ),
    re.compile(
        rf"\bresolved (?P<kind>{_KINDS}) {_PLACE}{_DOT}{_REQUEST}{_DOT}ended well"
        r" after all, (?P<resolved>\d+) of (?P<count>\d+)"
    ),
    re.compile(
        rf"> (?P<count>[\d,]+) (?P<kind>{_KINDS}) at {_PLACE}"
        rf"(?:, (?P<resolved>\d+) resolved)?{_DOT}{_REQUEST}{_DOT}fix: "
    ),
)
# Of an older form, which had the hint on the same line.
_TIMES: Final = re.compile(r"([\d,]+) times at this site")
_FIX: Final = re.compile(r"\bfix: (.+)")
_CLOCK: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d{1,6}))?\d*(Z|[+-]\d\d:?\d\d)?"
)


def find_leak(text: str) -> dict[str, Any] | None:
    """The leak that a text tells of, after whatever prefix, as JSON lines have it.

    And `final`: whether it is of the summary at the end of a process.
    """
    text = text.replace("\\u00b7", "·").replace("\\u2026", "…")
    for form in _FORMS:
        match = form.search(text)
        if match is not None:
            break
    else:
        return None
    parts = match.groupdict("")
    times = parts.get("count") or (_TIMES.search(text) or ("", "1"))[1]
    fix = _FIX.search(text)
    site = {
        "filename": parts["file"],
        "lineno": int(parts["line"]),
        "function": parts["function"],
    }
    return {
        "kind": parts["kind"],
        "site": site,
        "count": int(times.replace(",", "")),
        "resolved": int(parts.get("resolved") or 0),
        "method": parts["method"],
        "url": parts["url"],
        "hint": fix[1].strip() if fix else "",
        "final": form is _FORMS[-1],
    }


def find_time(text: str) -> str | None:
    """The first date and time in a text, as ISO 8601 with six digits behind it."""
    match = _CLOCK.search(text)
    if match is None:
        return None
    date, time, fraction, zone = match.groups("")
    zone = {"": "+00:00", "Z": "+00:00"}.get(zone, zone)
    if ":" not in zone:
        zone = f"{zone[:3]}:{zone[3:]}"
    return f"{date}T{time}.{fraction.ljust(6, '0')}{zone}"
