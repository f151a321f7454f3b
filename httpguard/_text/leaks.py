"""Leaks as text that a person reads without a second tool: places, requests, times."""

from __future__ import annotations

import os
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from .._model.kinds import MORE
from .._model.redaction import MOST_SOURCE, printable, printable_within
from .._stacks.ownership import GETCWD, installed_package
from .._stacks.raw import BEFORE, BEFORE_FILENAME
from .._stacks.sites import source_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._model.leak import Frame, Leak
    from .._model.snapshot import OpenResponse

_COLUMNS: Final = 120
"""A report's first line fits in them, unless the place is long."""
_LEAST_REQUEST: Final = 60
_CUT: Final = "    … (not kept: this line's responses had all ended well)"
_WHOLE: Final = "{0.filename}:{0.lineno} in {0.function}".format
_SEPARATORS: Final = re.compile(r"[\\/]")
# Where packages lie, the standard library's included.
_LIBRARY: Final = re.compile(r"(?:site|dist)-packages|python\d[\d.]*t?(?:\.zip)?|Lib")
# Below so many seconds: the unit's seconds, its format and its name.
_UNITS: Final = ((10, 1, ".1f", "s"), (120, 1, ".0f", "s"), (7200, 60, ".0f", "min"))


class Texts(NamedTuple):
    """A leak as text.

    Args:
        report: What a person reads.
        site: ``file:line in function``, as fields of a log have it.
        stack: All of its frames, each with its source line.
    """

    report: str
    site: str
    stack: str


def describe(leak: Leak) -> str:
    return texts_of(leak).report


def texts_of(leak: Leak) -> Texts:
    """A leak as text. What comes from outside is made printable here, once."""
    stack = leak.stack
    packages = [_package(frame.filename) for frame in stack]
    sources = [source_line(frame) for frame in stack]
    *where, site, culprit = places([*stack, leak.site, leak.culprit or leak.site])
    whole = printable(_WHOLE(leak.site))
    sources = [printable_within(source, MOST_SOURCE) for source in sources]
    frames = list(map(_format_frame, stack, where, sources))
    report = (
        f"{_above_stack(leak, site, culprit)}\n"
        f"{_fold_stack(stack, leak.site, frames, packages)}\n"
        f"  more: {MORE[leak.kind.value]}"
    )
    return Texts(report, whole, "\n".join(frames))


def _above_stack(leak: Leak, site: str, culprit: str) -> str:
    """Kind, site, count and request on one line; who, how to fix it, what holds it."""
    headline = [f"leak {leak.kind.value} {site}"]
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
        whole, status = request(leak), str(leak.status or "cancelled")
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
        lines.append(f"lost in {culprit}")
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


def _format_frame(frame: Frame, where: str, source: str) -> str:
    """A frame with its source line, the application's own marked ``>``."""
    mark = ">" if frame.application else " "
    how = "submitted at " if frame.submitted else ""
    how = "awaited at " if frame.awaited else how
    lines = [f"  {mark} {how}{where}"]
    if frame.cut:
        lines.insert(0, _CUT)
    if source:
        lines.append(f"        {source}")
    return "\n".join(lines)


def _fold_stack(
    stack: Sequence[Frame],
    site: Frame,
    texts: Sequence[str],
    packages: Sequence[str],
) -> str:
    """The application's own frames, and the first one below the site.

    Of each run of others, one line says how many these are, and of which packages. The
    outermost frame comes first.
    """
    last = max((n for n, frame in enumerate(stack) if frame == site), default=-2)
    lines: list[str] = []
    others: list[str] = []
    for number, frame in enumerate(stack):
        if frame.application or frame.submitted or number in {last, last + 1}:
            lines += [*_folded(others), texts[number]]
            others.clear()
            continue
        if frame.cut:
            lines.append(_CUT)
        others.append(packages[number])
    return "\n".join([*lines, *_folded(others)])


def _folded(packages: Sequence[str]) -> list[str]:
    """A run of frames on one line, or nothing."""
    if not packages:
        return []
    noun = "frame" if len(packages) == 1 else "frames"
    return [f"    … {len(packages)} {noun}: {', '.join(dict.fromkeys(packages))}"]


@lru_cache(maxsize=256)
def _package(filename: str) -> str:
    """The top-level package or module of a library's file, wherever it is installed."""
    if filename.startswith("<"):  # <frozen runpy>
        return printable(filename.strip("<>").rpartition(" ")[2].partition(".")[0])
    parts = _SEPARATORS.split(filename)
    for number in range(len(parts) - 2, -1, -1):
        if _LIBRARY.fullmatch(parts[number]):
            return printable(parts[number + 1].removesuffix(".py"))
    return printable(installed_package(filename) or parts[-1].removesuffix(".py"))


def short_path(filename: str) -> str:
    """A file, relative to the working directory where it lies below that."""
    return filename.removeprefix(_base())


def _base() -> str:
    """The working directory with a separator; empty where that shortens nothing."""
    try:
        base = os.path.join(GETCWD(), "")
    except OSError:  # It was removed under us.
        return ""
    return base if len(base) > 1 else ""


def place(frame: Frame) -> str:
    """``file:line in function``, the file relative where it is below the cwd."""
    (text,) = places([frame])
    return text


def places(frames: Sequence[Frame]) -> list[str]:
    """As `place`, of each frame."""
    base = _base()
    paths = [frame.filename.removeprefix(base) for frame in frames]
    return [
        f"({BEFORE})"
        if path == BEFORE_FILENAME
        else f"{printable(path)}:{frame.lineno} in {printable(frame.function)}"
        for path, frame in zip(paths, frames, strict=True)
    ]


def is_before(frame: Frame) -> bool:
    """Whether it stands for what was opened before httpguard came."""
    return frame.filename == BEFORE_FILENAME


def opened(frame: Frame) -> str:
    """``opened at file:line in function``, where that is known."""
    if is_before(frame):
        return BEFORE
    return f"opened at {place(frame)}"


def whole_place(frame: Frame) -> str:
    """``file:line in function``, as fields of a log have it."""
    return printable(_WHOLE(frame))


def request(response: Leak | OpenResponse) -> str:
    """Method and redacted URL; of a session, where it went first."""
    return f"{response.method} {response.url}".strip() or response.pool


def shortened(text: str, most: int) -> str:
    """A text, without its middle where it is long: both of its ends tell more."""
    if len(text) <= most:
        return text
    end = (most - 1) // 3
    return f"{text[: most - 1 - end]}…{text[-end:]}"


def bytes_read(leak: Leak) -> str:
    if leak.length is None:
        return f"{leak.bytes_read} bytes read"
    return f"{leak.bytes_read} of {leak.length} bytes read"


def seconds(age: float) -> str:
    """An age in seconds that reads well: 0.3 s, 42 s, 12 min, 3 h."""
    for limit, size, form, unit in _UNITS:
        if age < limit:
            return f"{age / size:{form}} {unit}"
    return f"{age / 3600:.0f} h"
