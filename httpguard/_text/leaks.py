"""A leak as text that a person reads without a second tool."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from .._model.kinds import more
from .._model.redaction import MOST_SOURCE, printable
from .._stacks.sites import source_line
from .words import bytes_read, is_before, place, places, request, seconds, shortened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._model.leak import Frame, Leak

_COLUMNS: Final = 120
"""A report's first line fits in them, unless the place is long."""
_LEAST_REQUEST: Final = 60
_CUT: Final = "    … (not kept: this line's responses had all ended well)"
_SEPARATORS: Final = re.compile(r"[\\/]")
# Where packages lie, the standard library's included.
_LIBRARY: Final = re.compile(r"(?:site|dist)-packages|python\d[\d.]*t?(?:\.zip)?|Lib")


def describe(leak: Leak) -> str:
    return describe_with(leak, format_frames(leak.stack))


def describe_with(leak: Leak, frames: Sequence[str]) -> str:
    """As `describe`, with the texts of all its frames."""
    stack = fold_stack(leak.stack, leak.site, frames)
    return f"{describe_above_stack(leak)}\n{stack}\n  more: {more(leak.kind.value)}"


def describe_above_stack(leak: Leak) -> str:
    """Kind, site, count and request on one line; who, how to fix it, what holds it."""
    headline = [f"leak {leak.kind.value} {place(leak.site)}"]
    if leak.count > 1:
        headline.append(f"{leak.count:,} times")
    if leak.kind == "session":
        kept = f"{leak.sockets:,} open connection{'' if leak.sockets == 1 else 's'}"
        headline += [
            f"{leak.alive:,} sessions made here keep {kept}"
            if leak.alive
            else f"collected with {kept} and never closed",
            f"to {leak.pool}",
        ]
        lines = [f"made by thread {leak.thread} {seconds(leak.age)} ago"]
    else:
        whole, status = request(leak), str(leak.status)
        taken = len(" · ".join([*headline, "", status]))
        short = shortened(whole, max(_COLUMNS - taken, _LEAST_REQUEST))
        headline += [short, status]
        opened = f"opened by thread {leak.thread} {seconds(leak.age)} ago"
        if is_before(leak.site):
            opened = f"open for {seconds(leak.age)} since httpguard came, or longer"
        lines = [f"{opened} · {bytes_read(leak)}"]
        if short != whole:
            lines.append(f"request: {whole}")
    if leak.culprit is not None:
        lines.append(f"lost in {place(leak.culprit)}")
    lines.append(f"fix: {leak.hint}")
    if leak.held_by:
        lines.append(f"held by: {leak.held_by}")
    return "\n  ".join([" · ".join(headline), *lines])


def describe_resolved(leak: Leak) -> str:
    """That leaks of a site have ended well after all."""
    return (
        f"resolved {leak.kind} {place(leak.site)} · {request(leak)}"
        f" · ended well after all, {leak.resolved} of {leak.count} so far"
    )


def format_frames(frames: Sequence[Frame]) -> list[str]:
    """Each frame with its source line, the application's own marked ``>``."""
    lines = [source_line(frame) for frame in frames]
    sources = [printable(line, MOST_SOURCE) for line in lines]
    return [
        _format_frame(*each)
        for each in zip(frames, places(frames), sources, strict=True)
    ]


def _format_frame(frame: Frame, where: str, source: str) -> str:
    mark = ">" if frame.application else " "
    how = "submitted at " if frame.submitted else ""
    how = "awaited at " if frame.awaited else how
    lines = [f"  {mark} {how}{where}"]
    if frame.cut:
        lines.insert(0, _CUT)
    if source:
        lines.append(f"        {source}")
    return "\n".join(lines)


def fold_stack(stack: Sequence[Frame], site: Frame, texts: Sequence[str]) -> str:
    """The application's own frames, and the first one below the site.

    Of each run of others, one line says how many these are, and of which packages.

    Args:
        stack: The outermost frame first.
        site: The line that opened the response.
        texts: Of each frame.
    """
    last = max((n for n, frame in enumerate(stack) if frame == site), default=-2)
    lines: list[str] = []
    others: list[Frame] = []
    for number, frame in enumerate(stack):
        if frame.application or frame.submitted or number in {last, last + 1}:
            lines += [*_folded(others), texts[number]]
            others.clear()
            continue
        if frame.cut:
            lines.append(_CUT)
        others.append(frame)
    return "\n".join([*lines, *_folded(others)])


def _folded(frames: Sequence[Frame]) -> list[str]:
    """A run of frames on one line, or nothing."""
    if not frames:
        return []
    packages = dict.fromkeys(_package(frame.filename) for frame in frames)
    noun = "frame" if len(frames) == 1 else "frames"
    return [f"    … {len(frames)} {noun}: {', '.join(map(printable, packages))}"]


def _package(filename: str) -> str:
    """The top-level package or module of a library's file, by its path alone."""
    if filename.startswith("<"):  # <frozen runpy>
        return filename.strip("<>").rpartition(" ")[2].partition(".")[0]
    parts = _SEPARATORS.split(filename)
    for number in range(len(parts) - 2, -1, -1):
        if _LIBRARY.fullmatch(parts[number]):
            return parts[number + 1].removesuffix(".py")
    return parts[-1].removesuffix(".py")
