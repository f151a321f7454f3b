"""Frozen values as what JSON knows."""

from __future__ import annotations

import enum
from dataclasses import fields, is_dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

_READY: Final = frozenset({str, int, bool, type(None)})


def to_plain(value: Any, **given: Any) -> dict[str, Any]:
    """A dataclass as a dict whose values JSON knows, those that are given as they are.

    ``dataclasses.asdict`` copies every value deeply: five times as slow.
    """
    return {
        name: given[name] if name in given else plain(getattr(value, name))
        for name in _names(value.__class__)
    }


def as_html(text: str) -> str:
    """Lines of text as a notebook shows them."""
    import html

    return f"<pre>{html.escape(text)}</pre>"


@lru_cache(maxsize=64)
def _names(kind: type) -> tuple[str, ...]:
    return tuple(each.name for each in fields(kind))


def plain(item: Any) -> Any:
    """Enums as their word, datetimes as ISO 8601, tuples as lists, floats rounded."""
    if type(item) in _READY:
        return item
    if type(item) is float:
        return round(item, 3)  # Seconds and shares: no more is known.
    if isinstance(item, (list, tuple)):
        return [plain(part) for part in item]
    if type(item) is dict:
        return {key: plain(value) for key, value in item.items()}
    if isinstance(item, (enum.Enum, datetime)):
        return item.value if isinstance(item, enum.Enum) else item.isoformat()
    return to_plain(item) if is_dataclass(item) else item


def as_text(value: object) -> str:
    """A value of the program as text alone; by its class where it has none to give."""
    if isinstance(value, str):
        return str.__str__(value)  # Not what a subclass makes of it.
    if isinstance(value, bytes):
        return value.decode("latin-1")
    try:
        return str.__str__(str(value))
    except Exception:  # It is the program's.
        kind = type(value)
        return f"<{kind.__module__}.{kind.__qualname__}>"
