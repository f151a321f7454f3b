"""A leak as text that a person reads without a second tool."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .._model.redaction import printable
from .._model.words import many
from .._stacks.capture import source_line
from .words import bytes_read, place, request, seconds

if TYPE_CHECKING:
    from .._model.leak import Frame, Leak

_MOST_SOURCE: Final = 200


def describe(leak: Leak) -> str:
    """A leak's headline, what holds it, and its stack."""
    return f"{describe_above_stack(leak)}\n{format_stack(leak.stack)}"


def describe_above_stack(leak: Leak) -> str:
    """A leak's headline, and what holds it."""
    held_by = f"\n  held by: {leak.held_by}" if leak.held_by else ""
    return f"{_headline(leak)}{held_by}"


def describe_resolved(leak: Leak) -> str:
    """That leaks of a site have ended well after all."""
    return (
        f"resolved {leak.kind} {place(leak.site)} · {request(leak)}"
        f" · ended well after all, {leak.resolved} of {leak.count} so far"
    )


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


def _headline(leak: Leak) -> str:
    """A leak on one line, kind and site first."""
    parts = [f"leak {leak.kind} {place(leak.site)}"]
    if leak.kind == "session":
        kept = many(leak.sockets, "open connection")
        parts += [
            f"{leak.alive:,} sessions made here are in use and keep {kept}",
            f"to {leak.pool}",
            f"made by thread {leak.thread} {seconds(leak.age)} ago",
        ]
    else:
        parts += [
            request(leak),
            str(leak.status),
            f"opened by thread {leak.thread} {seconds(leak.age)} ago",
            bytes_read(leak),
        ]
    if leak.count > 1:
        parts.append(f"{leak.count:,} times at this site")
    return " · ".join([*parts, f"fix: {leak.hint}"])
