"""What logs say of pools and processes beside leaks: starvation, pressure, advice."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Final

from .lines import place_of, shown

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
        times: How many lines of the logs say it.
        says: The figures of the latest.
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
    subject = place_of(fields.get("site"))
    for name in ("pool", "program"):
        subject = subject or shown(fields.get(name), 120)
    said = [
        f"{name.replace('_', ' ')} {shown(_rounded(value), 80)}"
        for name, value in fields.items()
        if name not in _ELSEWHERE and isinstance(value, (int, float, str)) and value
    ]
    for name, value in fields.items():
        if name not in _ELSEWHERE and isinstance(value, list) and value:
            said.append(f"{name}: {', '.join(map(_item, value[:_MOST_ITEMS]))}")
    return Notice(
        shown(event.partition(".")[2], 60),
        subject,
        1,
        seen,
        seen,
        shown("; ".join(said), _MOST_TEXT),
        shown(fields.get("hint"), _MOST_TEXT),
    )


def _item(item: Any) -> str:
    if not isinstance(item, dict):
        return shown(item, 80)
    count = shown(item.get("count", item.get("sockets")), 20)
    where = place_of(item.get("site"))
    return " at ".join(filter(None, (count, where))) or shown(item, 80)


def _rounded(value: float | str) -> float | str:
    """Numbers as exact as they are worth."""
    if isinstance(value, float):
        return round(value, 1 if abs(value) >= _TEN else 2)
    return value
