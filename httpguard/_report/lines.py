"""Lines of a log, whoever wrote it: their members, and what is wrong with them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Final

from .._model.redaction import printable

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
_FIX: Final = re.compile(r"\bfix: (.+)")
_CLOCK: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d{1,6}))?\d*(Z|[+-]\d\d:?\d\d)?"
)
# Names of what a line may have, the first that is there.
_EVENT: Final = ("event", "message", "msg")
_PID: Final = ("pid", "process")
HOST: Final = ("host", "hostname")
_DECODER: Final = json.JSONDecoder()
_WHOLE: Final = 2**63


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
    times = parts.get("count") or "1"
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


@dataclass(frozen=True, slots=True)
class Damaged:
    """A line that could not be read; its number is None where nobody counts lines."""

    file: str
    number: int | None
    problem: str

    def __str__(self) -> str:
        where = self.file if self.number is None else f"{self.file}:{self.number}"
        return f"{where}: {self.problem}"


def name_of(fields: dict[str, Any]) -> str | None:
    """The event's name; where an EventRenamer has been, `event` is something else."""
    for name in _EVENT:
        value = fields.get(name)
        if isinstance(value, str) and value.startswith("httpguard."):
            return value
    return None


def process_of(file: str, head: dict[str, Any]) -> str:
    """Which process a line is of: its run, else host and pid, else its file."""
    run = head.get("run")
    if run is not None:
        return run if isinstance(run, str) else json.dumps(run)
    pid = first_of(head, _PID)
    return f"file {file}" if pid is None else f"{first_of(head, HOST) or ''}/{pid}"


def parsed(document: str) -> dict[str, Any] | None:
    if not document:
        return None
    try:
        fields, end = _DECODER.raw_decode(document)
    except (ValueError, RecursionError):
        return None
    if end < len(document) and document[end:].strip():
        return None
    return fields if isinstance(fields, dict) else None


def first_of(fields: dict[str, Any], names: tuple[str, ...]) -> str | None:
    for name in names:
        value = fields.get(name)
        if value is not None:
            return text_of(value)
    return None


def text_of(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value)


def whole(value: Any, default: int) -> int:
    """A JSON value as a whole number of 64 bits, if it is one."""
    if type(value) is int and -_WHOLE <= value < _WHOLE:
        return value
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        return default
    return number if -_WHOLE <= number < _WHOLE else default


def site_of(site: Any) -> tuple[str, int, str]:
    """File, line and function of a site: an object, or ``file:line in function``."""
    if isinstance(site, dict) and site.get("filename") is not None:
        return (
            text_of(site["filename"]) or "",
            whole(site.get("lineno"), 0),
            text_of(site.get("function")) or "",
        )
    text = text_of(site) or ""
    head, within, function = text.rpartition(" in ")
    filename, colon, lineno = head.rpartition(":")
    if within and colon and lineno.isdecimal():
        return filename, whole(lineno, 0), function
    return text, 0, ""


def place_of(site: Any) -> str:
    """A site as ``file:line in function``."""
    if not isinstance(site, dict):
        return shown(site)
    filename, lineno, function = site_of(site)
    return shown(f"{filename}:{lineno} in {function}")


def shown(value: Any, limit: int = 300) -> str:
    """A value as text on one line; empty for none."""
    if value is None:
        return ""
    if isinstance(value, (dict, list)):
        value = json.dumps(value, ensure_ascii=False)
    if isinstance(value, float):
        value = round(value, 3)
    return printable(str(value), limit)


def epoch(text: Any) -> int | None:
    """Microseconds since 1970 of an ISO 8601 text; without an offset it is UTC."""
    if not isinstance(text, str):
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        # Before 3.11 not every form is known.
        try:
            time = datetime.fromisoformat(find_time(text) or "")
        except ValueError:
            return None
    if time.tzinfo is None:
        time = time.replace(tzinfo=timezone.utc)
    try:
        since_epoch = round(time.timestamp() * 1e6)
    except OverflowError:
        return None
    return since_epoch if since_epoch >= 0 else None
