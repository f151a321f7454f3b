"""Leaks as pytest shows a failure: the leaking line first, with its source."""

from __future__ import annotations

import ast
import linecache
import os
import re
from collections import Counter
from dataclasses import replace
from textwrap import dedent
from typing import TYPE_CHECKING, Any, Final

from _pytest._code.code import (
    ExceptionChainRepr,
    ReprEntry,
    ReprFileLocation,
    ReprTraceback,
)

from .._model.kinds import MORE
from .._model.leak import LeakKind
from .._model.redaction import printable_within, redact_within
from .._model.words import leaked, many
from .._stacks.sites import source_line
from .._text.leaks import bytes_read, request, short_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pytest

    from .._model.leak import Frame, Leak
    from .found import Crowd

_STYLES: Final = {"auto": "long", "long": "long"}
_MAIN_THREAD: Final = "MainThread"
_HAPPENED: Final = {
    LeakKind.DROPPED: "collected while it still held its connection",
    LeakKind.HELD: "kept open, and not read from for long",
    LeakKind.UNRELEASED: "closed unread in a block=True pool and never released",
}
_DOCTEST: Final = re.compile(r"<doctest (?P<name>.+)\[(?P<number>\d+)\]>")
_RUNNER: Final = os.path.join(os.sep, "_pytest", "")
# A longer function is shown from so many lines above the one that leaks.
_MOST_ABOVE: Final = 15
_SOME_ABOVE: Final = 6


def represent(
    leaks: Sequence[Leak], crowd: Crowd | None, whose: str, style: str
) -> ExceptionChainRepr:
    """The failure of a test or fixture: ``test``, or ``module fixture 'feed'``."""
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
            ReprFileLocation(short_path(sites[0].filename), sites[0].lineno, message),
            "and:" if number < len(tracebacks) else None,
        )
        for number, traceback in enumerate(tracebacks, 1)
    ]
    return ExceptionChainRepr(chain)


def summarize(leaks: Sequence[Leak], crowd: Crowd | None, whose: str) -> str:
    parts = []
    if leaks:
        where = ", ".join(
            f"{leak.kind} at {short_path(leak.site.filename)}:{leak.site.lineno}"
            for leak in leaks
        )
        parts.append(f"{leaked((leak.kind, leak.count) for leak in leaks)}: {where}")
    if crowd is not None:
        parts.append(str(crowd))
    owner = "" if whose == "test" else f"{whose}: "
    return f"httpguard: {owner}{'; '.join(parts)}"


def explain(leak: Leak, whose: str) -> list[str]:
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
    return [*lines, f"  more: {MORE[leak.kind.value]}"]


def _leak_traceback(leak: Leak, whose: str, style: str) -> ReprTraceback:
    """The line that opened it, then who called."""
    first = _entry(leak.site, str(leak.kind), explain(leak, whose), style)
    rest = [_short_entry(frame) for frame in callers(leak)]
    return ReprTraceback([first, *rest], None, style)  # type: ignore[arg-type]


def _crowd_traceback(crowd: Crowd, style: str) -> ReprTraceback:
    """The line that opened one too many, then all of them."""
    lines = [f"httpguard: {crowd}", "  opened at:"]
    lines += [
        f"    {short_path(site.filename)}:{site.lineno} in {site.function} ({n} open)"
        for site, n in Counter(crowd.sites).items()
    ]
    entry = _entry(crowd.sites[-1], "max_open", lines, style)
    return ReprTraceback([entry], None, style)  # type: ignore[arg-type]


def _entry(site: Frame, message: str, explanation: list[str], style: str) -> ReprEntry:
    source = source_around(site)
    if style == "short" and source:
        lines = [f"    {printable_within(source_line(site))}"]
    else:
        lines = [f"    {line}".rstrip() for line in source[:-1]]
        lines += [f">   {line}" for line in source[-1:]]
    lines += [f"E   {line}" for line in explanation]
    if style == "short":
        message = f"in {site.function}"
    place = ReprFileLocation(short_path(site.filename), site.lineno, message)
    return ReprEntry(lines, None, None, place, style)  # type: ignore[arg-type]


def _short_entry(frame: Frame) -> ReprEntry:
    place = ReprFileLocation(
        short_path(frame.filename), frame.lineno, f"in {frame.function}"
    )
    source = printable_within(source_line(frame))
    return ReprEntry([f"    {source}"] if source else [], None, None, place, "short")


def relocated(leak: Leak, item: pytest.Item | None) -> Leak:
    """A leak with the frames of doctest's examples in the file they stand in."""
    test = getattr(item, "dtest", None)
    if test is None:
        return leak
    return replace(
        leak,
        site=_in_file(leak.site, test),
        stack=tuple(_in_file(frame, test) for frame in leak.stack),
    )


def _in_file(frame: Frame, test: Any) -> Frame:
    match = _DOCTEST.fullmatch(frame.filename)
    # An example may call what that of another test has made.
    if match is None or match["name"] != test.name or test.filename is None:
        return frame
    begin = _begin(test) if test.lineno is None else test.lineno
    if begin is None:
        return frame
    line = begin + test.examples[int(match["number"])].lineno + frame.lineno
    return replace(frame, filename=test.filename, lineno=line, function=test.name)


def _begin(test: Any) -> int | None:
    """The line, from 0, of a text that doctest finds no line of.

    Those in a module's ``__test__`` are such.
    """
    text = "".join(linecache.getlines(test.filename))
    before, found, _ = text.partition(test.docstring)
    return before.count("\n") if found else None


def callers(leak: Leak) -> Iterable[Frame]:
    """The application's frames around the site, the innermost first."""
    inner = list(reversed(leak.stack))
    if leak.site in inner:
        inner = inner[inner.index(leak.site) + 1 :]
    for frame in inner:
        if _RUNNER in frame.filename:
            return
        if frame.application:
            yield frame


def source_around(frame: Frame) -> list[str]:
    """The lines from the function's first to the frame's own, without indentation.

    Empty where there is no source.
    """
    lines = linecache.getlines(frame.filename)
    if not 0 < frame.lineno <= len(lines):
        return []
    first = _first_line("".join(lines), frame.lineno)
    chosen = [line.expandtabs().rstrip() for line in lines[first - 1 : frame.lineno]]
    if len(chosen) > _MOST_ABOVE + 1:
        head = chosen[0]
        indent = " " * (len(head) - len(head.lstrip()) + 4)
        chosen = [head, f"{indent}...", *chosen[-_SOME_ABOVE - 1 :]]
    return dedent("\n".join(map(redact_within, chosen))).split("\n")


def _first_line(source: str, lineno: int) -> int:
    """The line of the innermost ``def`` around a line, or one somewhat above it."""
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except (SyntaxError, ValueError, RecursionError):  # Such as the text of a doctest.
        nodes = []
    around = (
        node.lineno
        for node in nodes
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and node.lineno <= lineno <= (node.end_lineno or 0)
    )
    return max(around, default=max(1, lineno - 2))
