"""Leaks as pytest shows a failure: the leaking line first, with its source."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from _pytest._code.code import (
    ExceptionChainRepr,
    ReprEntry,
    ReprFileLocation,
    ReprTraceback,
)

from .._model.leak import LeakKind
from .._model.redaction import printable
from .._model.words import leaked, many
from .._stacks.capture import source_line
from .._text.words import bytes_read, request
from .places import callers, source_around

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .._model.leak import Frame, Leak

_STYLES: Final = {"auto": "long", "long": "long"}
_MAIN_THREAD: Final = "MainThread"
_HAPPENED: Final = {
    LeakKind.DROPPED: "collected while it still held its connection",
    LeakKind.HELD: "kept open, and not read from for long",
    LeakKind.UNRELEASED: "closed unread in a block=True pool and never released",
}


@dataclass(frozen=True, slots=True)
class Crowd:
    """More responses open at once than a marker allows.

    Args:
        limit: ``max_open``.
        sites: Where they were opened, in the order of time.
    """

    limit: int
    sites: tuple[Frame, ...]

    def __str__(self) -> str:
        """In one line."""
        return f"{len(self.sites)} responses open at once, max_open is {self.limit}"


def represent(
    leaks: Sequence[Leak], crowd: Crowd | None, whose: str, style: str
) -> ExceptionChainRepr:
    """The failure of a test or a fixture.

    Args:
        leaks: What it leaked.
        crowd: The responses that were too many.
        whose: ``test``, or ``module fixture 'feed'``.
        style: The option ``--tb``.
    """
    message = summarize(leaks, crowd, whose)
    style = _STYLES.get(style, "short")
    tracebacks = [_leak_traceback(leak, whose, style) for leak in leaks]
    sites = [leak.site for leak in leaks]
    if crowd is not None:
        tracebacks.append(_crowd_traceback(crowd, style))
        sites.append(crowd.sites[-1])
    chain: list[tuple[ReprTraceback, ReprFileLocation | None, str | None]] = [
        (
            traceback,
            ReprFileLocation(_shown(sites[0]), sites[0].lineno, message),
            "and:" if number < len(tracebacks) else None,
        )
        for number, traceback in enumerate(tracebacks, 1)
    ]
    return ExceptionChainRepr(chain)


def summarize(leaks: Sequence[Leak], crowd: Crowd | None, whose: str) -> str:
    """The failure in one line.

    Args:
        leaks: As in `represent`.
        crowd: As in `represent`.
        whose: As in `represent`.
    """
    parts = []
    if leaks:
        where = ", ".join(
            f"{leak.kind} at {_shown(leak.site)}:{leak.site.lineno}" for leak in leaks
        )
        parts.append(f"{leaked((leak.kind, leak.count) for leak in leaks)}: {where}")
    if crowd is not None:
        parts.append(str(crowd))
    owner = "" if whose == "test" else f"{whose}: "
    return f"httpguard: {owner}{'; '.join(parts)}"


def explain(leak: Leak, whose: str) -> list[str]:
    """A leak in a few lines.

    Args:
        leak: Any leak.
        whose: As in `represent`.
    """
    end = "the test ended" if whose == "test" else f"the {whose} was torn down"
    owner = "" if whose == "test" else f" by the {whose}"
    if leak.kind is LeakKind.SESSION:
        noun, opened = "session", "made"
        happened = (
            f"{many(leak.alive, 'session')} of this line, with"
            f" {many(leak.sockets, 'open connection')}, still there when {end}"
        )
        facts = f"to {leak.pool}"
    else:
        noun, opened = "response", "opened"
        happened = _HAPPENED.get(leak.kind, f"still open when {end}")
        facts = f"{request(leak)} · {leak.status} · {bytes_read(leak)}"
    times = f", {leak.count} times" if leak.count > 1 and noun == "response" else ""
    lines = [
        f"httpguard: {noun} leaked{owner}, {leak.kind}: {happened}{times}",
        f"  {facts}",
        f"  fix: {leak.hint}",
    ]
    if leak.thread != _MAIN_THREAD:
        lines.insert(2, f"  {opened} by thread {leak.thread}")
    if leak.held_by:
        lines.insert(-1, f"  held by: {leak.held_by}")
    return lines


def _leak_traceback(leak: Leak, whose: str, style: str) -> ReprTraceback:
    """The line that opened it, then who called."""
    first = _entry(leak.site, str(leak.kind), explain(leak, whose), style)
    rest = [_short_entry(frame) for frame in callers(leak)]
    return ReprTraceback([first, *rest], None, style)  # type: ignore[arg-type]


def _crowd_traceback(crowd: Crowd, style: str) -> ReprTraceback:
    """The line that opened one too many, then all of them."""
    lines = [f"httpguard: {crowd}", "  opened at:"]
    lines += [
        f"    {_shown(site)}:{site.lineno} in {site.function} ({n} open)"
        for site, n in _counted(crowd.sites)
    ]
    entry = _entry(crowd.sites[-1], "max_open", lines, style)
    return ReprTraceback([entry], None, style)  # type: ignore[arg-type]


def _counted(sites: Iterable[Frame]) -> list[tuple[Frame, int]]:
    """Each site with its count."""
    sites = list(sites)
    return [(site, sites.count(site)) for site in dict.fromkeys(sites)]


def _entry(site: Frame, message: str, explanation: list[str], style: str) -> ReprEntry:
    """The leaking line, marked in its function, and what is wrong with it."""
    source = source_around(site)
    if style == "short" and source:
        lines = [f"    {source_line(site)}"]
    else:
        lines = [f"    {line}".rstrip() for line in source[:-1]]
        lines += [f">   {line}" for line in source[-1:]]
    lines += [f"E   {line}" for line in explanation]
    if style == "short":
        message = f"in {site.function}"
    place = ReprFileLocation(_shown(site), site.lineno, message)
    return ReprEntry(lines, None, None, place, style)  # type: ignore[arg-type]


def _short_entry(frame: Frame) -> ReprEntry:
    """A caller: its place and its line."""
    place = ReprFileLocation(_shown(frame), frame.lineno, f"in {frame.function}")
    source = printable(source_line(frame))
    return ReprEntry([f"    {source}"] if source else [], None, None, place, "short")


def _shown(frame: Frame) -> str:
    """The file, relative where it is below the working directory."""
    try:
        path = os.path.relpath(frame.filename)
    except (ValueError, OSError):  # Another drive, or no working directory.
        return frame.filename
    return frame.filename if path.startswith("..") else path
