"""A record as one line of JSON, bounded in length."""

from __future__ import annotations

import json
import math
from typing import Any, Final

# A summary of 1000 sites fits without their stacks.
MAX_LINE: Final = 1 << 20
_MAX_TEXT: Final = 1000
_MAX_ITEMS: Final = 50
_MAX_DEPTH: Final = 4
# Of a stack that is too long, the outermost and the innermost frames are kept.
_OUTER: Final = 4
_INNER: Final = 12
# The fields that hold a list of entries, each with a stack of its own.
_LISTS: Final = ("leaks", "responses")


def encode(record: dict[str, Any], limit: int = MAX_LINE) -> bytes:
    """A record as one line of ASCII that ends with a line break, of so many bytes.

    Whatever a program puts into its context, it is valid for every reader. What does
    not fit is left out in this order, until it does: the middle frames of stacks, whole
    stacks, the context, the end of the lists of leaks and responses. The field
    ``truncated`` then says how many items of each were.
    """
    if "context" in record:
        record = {**record, "context": jsonable(record["context"])}
    left_out: dict[str, int] = {}
    line = _dump(record)
    for keep in (_OUTER + _INNER, 0):
        if len(line) <= limit:
            return line
        record = _with_shorter_stacks(record, keep, left_out)
        line = _dump({**record, "truncated": left_out})
    if len(line) > limit and record.get("context"):
        left_out["context"] = len(record["context"])
        record = {**record, "context": {}}
        line = _dump({**record, "truncated": left_out})
    while len(line) > limit:
        longest = max(_LISTS, key=lambda name: len(record.get(name, ())))
        entries = record.get(longest)
        if not entries:
            break
        kept = entries[: len(entries) // 2]
        left_out[longest] = left_out.get(longest, 0) + len(entries) - len(kept)
        record = {**record, longest: kept}
        line = _dump({**record, "truncated": left_out})
    return line


def jsonable(value: Any, depth: int = 0) -> Any:
    """What a program has bound to its log context, as values that JSON knows.

    What JSON has no type for, or lies too deep, becomes text.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):  # Enums too, as the plain number.
        return int(value) if -(2**63) <= value < 2**63 else str(int(value))
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if depth < _MAX_DEPTH and isinstance(value, dict):
        items = list(value.items())[:_MAX_ITEMS]
        return {_text(key): jsonable(item, depth + 1) for key, item in items}
    if depth < _MAX_DEPTH and isinstance(value, (list, tuple)):
        return [jsonable(item, depth + 1) for item in value[:_MAX_ITEMS]]
    return _text(value)


def _text(value: Any) -> str:
    """The text of any object; one whose `str` fails is named by its type."""
    try:
        text = str(value)
        return text if len(text) <= _MAX_TEXT else text[: _MAX_TEXT - 1] + "…"
    except Exception:
        return f"<{type(value).__name__}>"


def _dump(record: dict[str, Any]) -> bytes:
    text = json.dumps(record, separators=(",", ":"), default=str)
    return text.encode("ascii") + b"\n"


def _with_shorter_stacks(
    record: dict[str, Any], keep: int, left_out: dict[str, int]
) -> dict[str, Any]:
    """A copy whose stacks have at most so many frames; counts the others."""
    record = dict(record)
    for name in _LISTS:
        if name in record:
            record[name] = [
                _with_shorter_stacks(entry, keep, left_out) for entry in record[name]
            ]
    stack = record.get("stack")
    if stack is not None and len(stack) > keep:
        left_out["stack"] = left_out.get("stack", 0) + len(stack) - keep
        record["stack"] = [*stack[:_OUTER], *stack[-_INNER:]] if keep else []
    return record
