"""Where leaks are, as a test session shows it: files, lines, source."""

from __future__ import annotations

import linecache
import os
import re
from dataclasses import replace
from textwrap import dedent
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest

    from .._model.leak import Frame, Leak

_DOCTEST: Final = re.compile(r"<doctest (?P<name>.+)\[(?P<number>\d+)\]>")
_RUNNER: Final = os.path.join(os.sep, "_pytest", "")
# A longer function is shown from so many lines above the one that leaks.
_MOST_ABOVE: Final = 15
_SOME_ABOVE: Final = 6


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
    first = _first_line(lines, frame)
    if frame.lineno - first <= _MOST_ABOVE:
        chosen = lines[first - 1 : frame.lineno]
    else:
        head = lines[first - 1]
        indent = " " * (_indent(head) + 4)
        begin = frame.lineno - _SOME_ABOVE
        chosen = [head, f"{indent}...", *lines[begin - 1 : frame.lineno]]
    lines = [line.expandtabs().rstrip() for line in chosen]
    return dedent("\n".join(lines)).split("\n")


def _first_line(lines: list[str], frame: Frame) -> int:
    """The line of the function's ``def``, or one somewhat above the frame's."""
    # A comprehension or lambda stands in some function.
    name = r"\w+" if frame.function.startswith("<") else re.escape(frame.function)
    define = re.compile(rf"\s*(async\s+)?def\s+{name}\b")
    indent = _indent(lines[frame.lineno - 1])
    if frame.function != "<module>":
        for number in range(frame.lineno, 0, -1):
            line = lines[number - 1]
            if define.match(line) and (
                number == frame.lineno or _indent(line) < indent
            ):
                return number
    return max(1, frame.lineno - 2)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
