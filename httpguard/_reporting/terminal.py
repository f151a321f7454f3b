"""Reports where nobody has set up logging, and stderr is a terminal."""

from __future__ import annotations

import os
import re
import sys
from typing import Final

try:
    import termios
except ImportError:  # Windows.
    termios = None  # type: ignore[assignment]

# Which part of a report is drawn how: in bold red, green, bold, dim.
_STYLES: Final = (
    (
        re.compile(r"\A(?:leak|pool|fd|session|resolved|too|summary)\b\S*(?: \w+)?"),
        "1;31",
    ),
    (re.compile(r"^  fix: ", re.MULTILINE), "32"),
    (re.compile(r"^  > .*", re.MULTILINE), "1"),
    (re.compile(r"^    … .*|^  more: .*", re.MULTILINE), "2"),
)


def dress(text: str) -> str:
    """A report as the terminal wants it, if there is one.

    ``NO_COLOR`` says that there are to be no colours, ``FORCE_COLOR`` that there are,
    terminal or not. Lines longer than it is wide are broken between words. A raw
    terminal, as the REPL of CPython 3.13 leaves it, goes down a line and not back to
    its begin.
    """
    stream = sys.stderr
    try:
        is_terminal = stream is not None and stream.isatty()
        raw = is_terminal and _is_raw(stream.fileno())
        width = os.get_terminal_size(stream.fileno()).columns if is_terminal else 0
    except Exception:  # Whatever the program has put there.
        is_terminal = raw = False
        width = 0
    if width:
        text = "\n".join(_fold(line, width) for line in text.split("\n"))
    if _wants_colours(is_terminal=is_terminal):
        for pattern, style in _STYLES:
            text = pattern.sub(f"\x1b[{style}m\\g<0>\x1b[0m", text)
    # What ends the record is a mere line feed too.
    return text.replace("\n", "\r\n") + "\r" if raw else text


def _fold(line: str, width: int) -> str:
    """A line broken between words, what follows set in a little further."""
    if len(line) <= width:
        return line
    from textwrap import wrap

    indent = " " * (len(line) - len(line.lstrip()) + 2)
    parts = wrap(
        line,
        width,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(parts)


def _wants_colours(*, is_terminal: bool) -> bool:
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return is_terminal and os.environ.get("TERM", "dumb") != "dumb"


def _is_raw(descriptor: int) -> bool:
    """Whether the terminal takes line feeds as they come."""
    if termios is None:
        return False
    return not termios.tcgetattr(descriptor)[1] & termios.OPOST
