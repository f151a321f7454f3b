"""Lines of a log, whoever wrote it: their members, and what is wrong with them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Final

from .._model.redaction import printable
from .texts import find_time

# Names of what a line may have, the first that is there.
_EVENT: Final = ("event", "message", "msg")
_PID: Final = ("pid", "process")
HOST: Final = ("host", "hostname")
_DECODER: Final = json.JSONDecoder()
_WHOLE: Final = 2**63


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


def without_stack(document: str) -> str:
    """A leak's document without the list that is most of it.

    Only if no bracket is in that: in JSON an unescaped quote is none of a text, so
    that this is the value of a key, up to its end.
    """
    if '"httpguard.leak"' not in document:
        return document
    begin = document.find('"stack": [')
    if begin < 0:
        begin = document.find('"stack":[')
    end = document.find("]", begin)
    inside = document.count("[", begin, end) > 1
    if begin < 0 or end < 0 or inside or document[end - 1] == "[":
        return document
    return f'{document[:begin]}"stack": 0{document[end + 1 :]}'


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
