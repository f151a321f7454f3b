"""What `httpguard attach` shows beside the page: what was open before it came."""

from __future__ import annotations

from typing import Any, Final

from rich.text import Text

from .._model.redaction import printable
from .._text.pools import describe_starved

# Of responses, one by one.
_MOST: Final = 10


def what_was_before(attached: dict[str, Any]) -> list[Text]:
    """Starved pools, and what was open before httpguard came; nothing of a page."""
    parts: list[Text] = []
    if attached.get("only_shown"):
        parts.append(Text("this program has httpguard itself: it is only shown", "dim"))
    for details in attached.get("starved", ()):
        parts += [Text(), Text(printable_lines(describe_starved(details)), "red")]
    rows = attached.get("before", [])
    sessions = attached.get("sessions", {})
    if rows or sessions:
        parts += [Text(), Text.assemble(("Open before httpguard came", "bold"))]
    if sessions:
        known = ", ".join(f"{count} of {name}" for name, count in sessions.items())
        parts.append(Text(f"  sessions: {printable(known)}"))
    parts += [Text(_row(row)) for row in rows[:_MOST]]
    if len(rows) > _MOST:
        parts.append(Text(f"  and {len(rows) - _MOST} more", "dim"))
    notes = list(attached.get("notes", ()))
    looked, objects = attached.get("looked_at", 0), attached.get("objects", 0)
    if looked < objects:
        notes.append(f"looked at {looked:,} of {objects:,} objects: see --look")
    parts += [Text(printable_lines(note), "yellow") for note in notes]
    parts += [Text(printable(other), "dim") for other in attached.get("others", ())]
    return parts


def printable_lines(text: str) -> str:
    return "\n".join(map(printable, text.splitlines()))


def _row(row: dict[str, Any]) -> str:
    length = row["length"]
    read = (
        f"{row['bytes_read']:,}{'' if length is None else f' of {length:,}'} bytes read"
    )
    what = [f"{row['method']} {row['url']}".strip() or row["pool"], row["client"], read]
    if row["closed"]:
        what.append("closed, and its slot has not come back")
    if row["read_by"]:
        what.append(f"{row['read_by']} waits in a read of it")
    text = "  > " + " · ".join(map(str, what))
    if row["held_by"]:
        text += f"\n      held by: {row['held_by']}"
    return printable_lines(text)
