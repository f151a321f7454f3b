"""What logs say of pools and processes beside leaks: starvation, pressure, advice."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Final

from .._model.redaction import printable

# What every line has, and what a notice has a place of its own for.
_ELSEWHERE: Final = frozenset(
    {
        *("schema", "timestamp", "level", "event", "run", "pid", "host", "program"),
        *("context", "truncated", "open_now", "leaks_total", "logger", "filename"),
        *("pool", "site", "hint", "leaks", "message", "msg", "block"),
    }
)
_NEVER: Final = datetime.min.replace(tzinfo=timezone.utc)
_MOST_ITEMS: Final = 3
_TEN: Final = 10
_MOST_TEXT: Final = 500


@dataclass(slots=True)
class Notice:
    """An event that is no leak, about one pool, line or program.

    Args:
        event: Its name without ``httpguard.``.
        subject: What it is about.
        times: How many lines of the logs say it.
        first_seen: UTC, of the first one, if known.
        last_seen: Likewise of the latest, as are the following.
        says: Its figures.
        hint: What to do.
    """

    event: str
    subject: str = ""
    times: int = 0
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    says: str = ""
    hint: str = ""

    def merge(self, other: Notice) -> None:
        self.times += other.times
        latest = other.last_seen or _NEVER, other.says
        if latest >= (self.last_seen or _NEVER, self.says):
            self.subject, self.says, self.hint = other.subject, other.says, other.hint
        times = (self.first_seen, other.first_seen, self.last_seen, other.last_seen)
        known = [time for time in times if time is not None]
        self.first_seen = min(known, default=None)
        self.last_seen = max(known, default=None)


def notice_of(event: str, fields: dict[str, Any], seen: datetime | None) -> Notice:
    subject = _place(fields["site"]) if fields.get("site") else ""
    for name in ("pool", "program"):
        subject = subject or _text(fields.get(name), 120)
    said = [
        f"{name.replace('_', ' ')} {_text(value, 80)}"
        for name, value in fields.items()
        if name not in _ELSEWHERE and isinstance(value, (int, float, str)) and value
    ]
    for name, value in fields.items():
        if name not in _ELSEWHERE and isinstance(value, list) and value:
            said.append(f"{name}: {', '.join(map(_item, value[:_MOST_ITEMS]))}")
    return Notice(
        _text(event.partition(".")[2], 60),
        subject,
        1,
        seen,
        seen,
        _text("; ".join(said), _MOST_TEXT),
        _text(fields.get("hint"), _MOST_TEXT),
    )


def _item(item: Any) -> str:
    if not isinstance(item, dict):
        return _text(item, 80)
    count = item.get("count", item.get("sockets", ""))
    where = _place(item["site"]) if item.get("site") else ""
    return " at ".join(filter(None, (_text(count, 20), where))) or _text(item, 80)


def _place(site: Any) -> str:
    if isinstance(site, dict):
        filename, lineno = site.get("filename"), site.get("lineno")
        return _text(f"{filename}:{lineno} in {site.get('function')}", 200)
    return _text(site, 200)


def _text(value: Any, limit: int) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        value = round(value, 1 if abs(value) >= _TEN else 2)
    return printable(str(value), limit)
