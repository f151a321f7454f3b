"""The standard streams: a record goes to what they were, or were pointed at, only.

A program may close descriptor 1 or 2, and its next file, pipe or socket takes the
number. A report that went there would be a change of the program.
"""

from __future__ import annotations

import errno
import io
import logging
import os
import re
import stat
import sys
from typing import TYPE_CHECKING, Any, Final

try:
    import termios
except ImportError:  # Windows.
    termios = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Iterator

_POSIX: Final = os.name == "posix"
_NUMBERS: Final = (1, 2)
# As it was before anybody watched it: blockbuster, which tests of asyncio use, raises
# where this is called from a loop, and knows stderr by its Python object only.
_os_write: Final = os.write
# Which part of a report is drawn how on a terminal: in bold red, green, bold, dim.
_STYLES: Final = {
    r"\A(?:leak|pool|fd|session|resolved|too|summary)\b\S*(?: \w+)?": "1;31",
    r"(?m)^  fix: ": "32",
    r"(?m)^  > .*": "1",
    r"(?m)^    … .*|^  more: .*": "2",
}


class Streams:
    """Standard output and standard error, as they are when this is made."""

    def __init__(self) -> None:
        self._known = {number: _inherited(number) for number in _NUMBERS}

    def deliver(self, logger: logging.Logger, record: logging.LogRecord) -> None:
        """Have a record handled, but by nobody whose standard stream is another's now.

        Raises whatever the application's filters and handlers raise.
        """
        handlers = list(_handlers(logger))
        if not any(_is_standard(handler) for handler in handlers):
            logger.handle(record)
            return
        kept: Any = logger.filter(record)
        record = _passed(kept, record)
        for handler in handlers if kept else ():
            if record.levelno < handler.level:
                continue
            if _is_standard(handler):
                self._write(handler, record)
            else:
                handler.handle(record)

    def stands(self, stream: object) -> bool:
        """Whether what is written to a stream arrives where its number pointed."""
        number = _number(stream)
        return number not in _NUMBERS or self._is_ours(number, number)

    def _write(self, handler: Any, record: logging.LogRecord) -> None:
        """Write past the stream, which would keep what can not be written.

        CPython, which can not flush that at exit either, ends with 120 then. The
        copy of the descriptor is what was looked at, whoever closes the number.
        """
        stream = handler.stream
        number = _number(stream)
        copy = _copy(number)
        try:
            if getattr(stream, "closed", False) or not self._is_ours(copy, number):
                return
            if copy == number or not _is_plain(handler, stream):
                handler.handle(record)
                return
            kept: Any = handler.filter(record)
            if not kept:
                return
            with handler.lock:
                text = handler.format(_passed(kept, record)) + handler.terminator
                stream.flush()
                rest = text.encode(stream.encoding, stream.errors)
                while rest:
                    rest = rest[_os_write(copy, rest) :]
        finally:
            if copy not in {number, -1}:
                os.close(copy)

    def _is_ours(self, descriptor: int, number: int) -> bool:
        """Whether a descriptor is what a number was, or what it was pointed at.

        `os.dup2` and the shell leave what a child process inherits; what has merely
        taken a free number is not inherited, as Python opens everything.
        """
        try:
            state = os.fstat(descriptor)
            if not _POSIX or (state.st_dev, state.st_ino) == self._known[number]:
                return True
            kinds = stat.S_ISREG, stat.S_ISCHR, stat.S_ISFIFO
            return os.get_inheritable(number) and any(
                is_kind(state.st_mode) for is_kind in kinds
            )
        except OSError:
            return False


def is_shown(logger: logging.Logger, level: int) -> bool:
    """Whether any handler takes a record of this level."""
    return logger.isEnabledFor(level) and any(
        level >= handler.level and not isinstance(handler, logging.NullHandler)
        for handler in _handlers(logger)
    )


def _passed(kept: object, record: logging.LogRecord) -> logging.LogRecord:
    """What a filter let pass: from CPython 3.12 on that may be another record."""
    return kept if isinstance(kept, logging.LogRecord) else record


def _inherited(number: int) -> tuple[int, int] | None:
    """Which file it is; None where it is none that this process was started with."""
    try:
        state = os.fstat(number)
        return (state.st_dev, state.st_ino) if os.get_inheritable(number) else None
    except OSError:
        return None


def _handlers(logger: logging.Logger) -> Iterator[logging.Handler]:
    """Who gets a record; without any it is the standard library's last resort."""
    found = False
    at: logging.Logger | None = logger
    while at is not None:
        for handler in at.handlers:
            found = True
            yield handler
        at = at.parent if at.propagate else None
    if not found and logging.lastResort is not None:
        yield logging.lastResort


def _is_standard(handler: logging.Handler) -> bool:
    """Whether a handler writes to one of the descriptors, or to a closed stream."""
    if not isinstance(handler, logging.StreamHandler):
        return False
    stream = handler.stream
    return getattr(stream, "closed", False) is True or _number(stream) in _NUMBERS


def _is_plain(handler: logging.Handler, stream: object) -> bool:
    """Whether it writes a line of text as the standard library does."""
    kind = type(handler)
    return (
        _POSIX
        and type(stream) is io.TextIOWrapper
        and kind.handle is logging.Handler.handle
        and kind.emit is logging.StreamHandler.emit
    )


def _number(stream: Any) -> int:
    """A stream's descriptor, -1 where it has none."""
    try:
        number = stream.fileno()
    except Exception:
        return -1
    return number if type(number) is int else -1


def _copy(number: int) -> int:
    """A second descriptor; the number itself where there can be none; -1: closed."""
    try:
        import fcntl

        # No child process has it, and a free number below is left free.
        return fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, 3)
    except (ImportError, ValueError, OSError) as error:
        # Windows; or all numbers are taken. A closed one may be another's in a moment.
        return -1 if getattr(error, "errno", None) == errno.EBADF else number


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
        for pattern, style in _STYLES.items():
            text = re.sub(pattern, f"\x1b[{style}m\\g<0>\x1b[0m", text)
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
