"""Events as text that a person reads without a second tool."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING, Final

from .._model.event import (
    FD_PRESSURE,
    LEAK,
    POOL_PRESSURE,
    POOL_STARVED,
    RESOLVED,
    TOO_MANY_OPEN,
    Event,
)
from .._model.redaction import printable
from .._stacks.capture import source_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .._model.leak import Frame, Leak
    from .._model.snapshot import OpenResponse

_MOST_SOURCE: Final = 200
_MOST_POOLS: Final = 5
# Below so many seconds: the unit's seconds, its format and its name.
_UNITS: Final = ((10, 1, ".1f", "s"), (120, 1, ".0f", "s"), (7200, 60, ".0f", "min"))


def render(event: Event) -> str:
    """The whole event: a headline, and what belongs below it.

    Args:
        event: Any event.

    Returns:
        Text without a final line break.
    """
    if event.name == LEAK:
        return describe(event.leaks[0])
    if event.name == RESOLVED:
        leak = event.leaks[0]
        return (
            f"resolved {leak.kind} {place(leak.site)} · {request(leak)}"
            f" · ended well after all, {leak.resolved} of {leak.count} so far"
        )
    if event.name == TOO_MANY_OPEN:
        return describe_crowd(event.crowd, event.figures["max_open"])
    if event.name in (POOL_STARVED, POOL_PRESSURE, FD_PRESSURE):
        from . import pools

        describe_details = {
            POOL_STARVED: pools.describe_starved,
            POOL_PRESSURE: pools.describe_pressure,
            FD_PRESSURE: pools.describe_descriptors,
        }[event.name]
        return describe_details(event.details)
    return _summary(event)


def describe(leak: Leak) -> str:
    """A leak's headline, what holds it, and its stack.

    Args:
        leak: Any leak.
    """
    held_by = f"\n  held by: {leak.held_by}" if leak.held_by else ""
    return f"{headline(leak)}{held_by}\n{format_stack(leak.stack)}"


def headline(leak: Leak) -> str:
    """A leak on one line, kind and site first.

    Args:
        leak: Any leak.
    """
    if leak.kind == "session":
        return _session_headline(leak)
    parts = [
        f"leak {leak.kind} {place(leak.site)}",
        request(leak),
        str(leak.status),
        f"opened by thread {leak.thread} {seconds(leak.age)} ago",
        bytes_read(leak),
    ]
    if leak.count > 1:
        parts.append(f"{leak.count:,} times at this site")
    parts.append(f"fix: {leak.hint}")
    return " · ".join(parts)


def _session_headline(leak: Leak) -> str:
    """A leaked session on one line."""
    kept = f"{leak.sockets:,} open connection{'' if leak.sockets == 1 else 's'}"
    parts = [
        f"leak {leak.kind} {place(leak.site)}",
        f"{leak.alive:,} sessions made here are in use and keep {kept}"
        if leak.alive
        else f"collected with {kept} and never closed",
        f"to {leak.pool}",
        f"made by thread {leak.thread} {seconds(leak.age)} ago",
    ]
    if leak.count > 1:
        parts.append(f"{leak.count:,} times at this site")
    parts.append(f"fix: {leak.hint}")
    return " · ".join(parts)


def place(frame: Frame) -> str:
    """``file:line in function``, the file relative where it is below the cwd.

    Args:
        frame: Any frame.
    """
    filename = printable(_relative(frame.filename))
    return f"{filename}:{frame.lineno} in {printable(frame.function)}"


def request(response: Leak | OpenResponse) -> str:
    """Method and redacted URL; of a session, where it went first.

    Args:
        response: Leaked or open.
    """
    return f"{response.method} {response.url}".strip() or response.pool


def format_stack(stack: tuple[Frame, ...]) -> str:
    """The frames with their source lines, the application's own marked ``>``.

    Args:
        stack: The outermost frame first.
    """
    lines = []
    for frame in stack:
        mark = ">" if frame.application else " "
        if frame.cut:
            lines.append("    … (not kept: this line's responses had all ended well)")
        submitted = "submitted at " if frame.submitted else ""
        lines.append(f"  {mark} {submitted}{place(frame)}")
        source = printable(source_line(frame), _MOST_SOURCE)
        if source:
            lines.append(f"        {source}")
    return "\n".join(lines)


def describe_crowd(crowd: Iterable[OpenResponse], limit: int) -> str:
    """Too many open responses, by site.

    Args:
        crowd: The open responses.
        limit: ``max_open``.
    """
    crowd = list(crowd)
    sites = Counter(response.site for response in crowd)
    oldest = {response.site: response for response in reversed(crowd)}
    lines = [f"too many open responses: {len(crowd)} at once, max_open is {limit}"]
    for site, count in sites.most_common():
        first = oldest[site]
        lines.append(
            f"  > {count} opened at {place(site)} · {request(first)}"
            f" · the oldest {seconds(first.age)} ago"
        )
    return "\n".join(lines)


def _summary(event: Event) -> str:
    """What was found over the whole run, one line a site."""
    total = event.figures["leaks_total"]
    opened, open_now = event.figures["opened"], event.figures["open_now"]
    sessions = sum(leak.count for leak in event.leaks if leak.kind == "session")
    headline = (
        f"summary: {total - sessions:,} leaked of {opened:,} opened responses,"
        f" {open_now:,} open"
    )
    if sessions:
        headline += f" · {sessions:,} leaked sessions"
    lines = [headline]
    for leak in event.leaks:
        resolved = f", {leak.resolved} resolved" if leak.resolved else ""
        lines.append(
            f"  > {leak.count:,} {leak.kind} at {place(leak.site)}{resolved}"
            f" · {request(leak)} · fix: {leak.hint}"
        )
    from .pools import describe_pools

    lines += describe_pools(event.details.get("pools", ())[:_MOST_POOLS])
    return "\n".join(lines)


def bytes_read(leak: Leak) -> str:
    """How much of the body was read."""
    if leak.length is None:
        return f"{leak.bytes_read} bytes read"
    return f"{leak.bytes_read} of {leak.length} bytes read"


def seconds(age: float) -> str:
    """An age that reads well: 0.3 s, 42 s, 12 min, 3 h.

    Args:
        age: In seconds.
    """
    for limit, size, form, unit in _UNITS:
        if age < limit:
            return f"{age / size:{form}} {unit}"
    return f"{age / 3600:.0f} h"


def _relative(filename: str) -> str:
    """Relative to the working directory where that is shorter to read."""
    try:
        base = os.path.join(os.getcwd(), "")
    except OSError:  # It was removed under us.
        return filename
    if len(base) > 1 and filename.startswith(base):
        return filename[len(base) :]
    return filename
