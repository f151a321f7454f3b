"""To a file of JSON lines: one event a line, any number of processes a file.

The fields are described in ``docs/json-lines.md`` and, for machines, in
``json_lines.schema.json`` beside this file.
"""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import socket
import stat
import sys
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final

from .._model.event import LEAK, RESOLVED, SUMMARY, TOO_MANY_OPEN
from .._model.plain import plain

if TYPE_CHECKING:
    from .._model.event import Event
    from .logs import Run

SCHEMA_VERSION: Final = 1
"""Raised when a field changes its meaning or goes; new ones may come any time."""
# O_NONBLOCK: a named pipe without a reader is an error, not a wait.
_FLAGS: Final = (
    os.O_WRONLY
    | os.O_APPEND
    | os.O_CREAT
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_BINARY", 0)
)
# A full file that another process has locked is looked at again so often, with a
# pause of so many seconds. Then the line is written, full or not: a process that
# is stopped while it rotates costs the others the limit, not their progress.
_ATTEMPTS: Final = 20
_PATIENCE: Final = 0.001


class JsonLines:
    """Appends each event to a file.

    Args:
        path: The file; a relative one is taken from where the process is now.
        max_bytes: The file is rotated before it becomes larger; 0: never.
        keep: Rotated files to keep.
        run: Named in each line.
    """

    def __init__(self, path: str, max_bytes: int, keep: int, run: Run) -> None:
        # Opens nothing yet: a program that leaks nothing makes no file.
        self.path = os.path.abspath(path)
        self.max_bytes = max_bytes
        self.keep = keep
        self.run = run
        self.name = f"writing to {self.path}"

    def __call__(self, event: Event) -> None:
        """Write an event. Raises `OSError`."""
        line = encode(to_record(event, self.run.name))
        append_line(self.path, line, self.max_bytes, self.keep)


def to_record(event: Event, run: str) -> dict[str, Any]:
    """The object of an event's line: JSON-ready, but for the values of ``context``."""
    record: dict[str, Any] = {
        "schema": SCHEMA_VERSION,
        "timestamp": datetime.now(timezone.utc).isoformat(timespec="microseconds"),
        "level": event.level,
        "event": event.name,
        "run": run,
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "program": program_name(),
    }
    if event.name in {LEAK, RESOLVED}:
        record |= event.leaks[0].to_dict()
    elif event.leaks or event.name == SUMMARY:
        record["leaks"] = [leak.to_dict() for leak in event.leaks]
    if event.crowd or event.name == TOO_MANY_OPEN:
        record["responses"] = [response.to_dict() for response in event.crowd]
    record |= {**event.details, **event.figures}
    return {**plain(record), "context": dict(event.context)}


def program_name() -> str:
    """What runs: the script's file name, or the module after ``python -m``."""
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    if spec is not None:
        return str(spec.name).removesuffix(".__main__")
    script = sys.argv[0] if getattr(sys, "argv", None) else ""
    return os.path.basename(script) or os.path.basename(sys.executable or "python")


def append_line(path: str, line: bytes, max_bytes: int, keep: int) -> None:
    """Write a line, with its break, to the end of a file in one `write`.

    The file is opened for each line: that costs about 20 us, and no descriptor of ours
    is in the way where a program forks, closes all descriptors to become a daemon, or
    has its log moved away. It is rotated before it would become larger (0: never), to
    ``path.1`` and so on, of which so many are kept. Raises `OSError` where the line was
    not written, or not all of it.
    """
    for attempt in range(_ATTEMPTS):
        descriptor = os.open(path, _FLAGS, 0o666)
        try:
            state = os.fstat(descriptor)
            if stat.S_ISREG(state.st_mode) and state.st_size:
                full = max_bytes and state.st_size + len(line) > max_bytes
                if full and attempt < _ATTEMPTS - 1:
                    if not _rotated(descriptor, path, keep):
                        time.sleep(_PATIENCE)
                    continue
                if _is_torn(path, state):
                    # A full disk or a crash cut the last line: it costs that one.
                    line = b"\n" + line
            written = os.write(descriptor, line)
        finally:
            os.close(descriptor)
        if written < len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
        return


def _rotated(descriptor: int, path: str, keep: int) -> bool:
    """Move a full file away, unless another process is doing so.

    Whether the path names another file than the descriptor from now on.
    """
    try:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (ImportError, OSError):
        return False  # On Windows an open file cannot be moved anyway.
    try:
        # Whoever had the lock before us may have moved the file.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                oldest = 1
                while oldest < keep and os.path.lexists(f"{path}.{oldest}"):
                    oldest += 1
                for number in range(oldest, 1, -1):
                    os.replace(f"{path}.{number - 1}", f"{path}.{number}")
                # Last: until then nobody has a new file to rotate.
                os.replace(path, f"{path}.1")
    finally:
        # A child forked meanwhile has the descriptor too: closing is not enough.
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    return True


def _is_torn(path: str, state: os.stat_result) -> bool:
    """Whether the file, of which this is the state, ends without a line break."""
    try:
        with open(path, "rb") as file:
            if not os.path.samestat(os.fstat(file.fileno()), state):
                return False  # Just rotated.
            file.seek(state.st_size - 1)
            if file.read(1) == b"\n":
                return False
            # Another process may be in the middle of its write: the size grows
            # page by page. One that takes longer makes a blank line here.
            time.sleep(_PATIENCE)
            return os.fstat(file.fileno()).st_size == state.st_size
    except OSError:  # Not ours to read.
        return False


# A summary of 1000 sites fits without their stacks.
MAX_LINE: Final = 1 << 20
_MAX_TEXT: Final = 1000
_MAX_ITEMS: Final = 50
_MAX_DEPTH: Final = 4
# Of a stack that is too long, the outermost and the innermost frames are kept.
_OUTER: Final = 4
_INNER: Final = 12
# The fields that hold a list of entries, each with a stack of its own.
_LISTS: Final = ("leaks", "responses")


def encode(record: dict[str, Any], limit: int = MAX_LINE) -> bytes:
    """A record as one line of ASCII that ends with a line break, of so many bytes.

    Whatever a program puts into its context, it is valid for every reader. What does
    not fit is left out in this order, until it does: the middle frames of stacks, whole
    stacks, the context, the end of the lists of leaks and responses. The field
    ``truncated`` then says how many items of each were.
    """
    if "context" in record:
        record = {**record, "context": jsonable(record["context"])}
    left_out: dict[str, int] = {}
    line = _dump(record)
    for keep in (_OUTER + _INNER, 0):
        if len(line) <= limit:
            return line
        record = _with_shorter_stacks(record, keep, left_out)
        line = _dump({**record, "truncated": left_out})
    if len(line) > limit and record.get("context"):
        left_out["context"] = len(record["context"])
        record = {**record, "context": {}}
        line = _dump({**record, "truncated": left_out})
    while len(line) > limit:
        longest = max(_LISTS, key=lambda name: len(record.get(name, ())))
        entries = record.get(longest)
        if not entries:
            break
        kept = entries[: len(entries) // 2]
        left_out[longest] = left_out.get(longest, 0) + len(entries) - len(kept)
        record = {**record, longest: kept}
        line = _dump({**record, "truncated": left_out})
    return line


def jsonable(value: Any, depth: int = 0) -> Any:
    """What a program has bound to its log context, as values that JSON knows.

    What JSON has no type for, or lies too deep, becomes text.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):  # Enums too, as the plain number.
        return int(value) if -(2**63) <= value < 2**63 else str(int(value))
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if depth < _MAX_DEPTH and isinstance(value, dict):
        items = list(value.items())[:_MAX_ITEMS]
        return {_text(key): jsonable(item, depth + 1) for key, item in items}
    if depth < _MAX_DEPTH and isinstance(value, (list, tuple)):
        return [jsonable(item, depth + 1) for item in value[:_MAX_ITEMS]]
    return _text(value)


def _text(value: Any) -> str:
    """The text of any object; one whose `str` fails is named by its type."""
    try:
        text = str(value)
        return text if len(text) <= _MAX_TEXT else text[: _MAX_TEXT - 1] + "…"
    except Exception:
        return f"<{type(value).__name__}>"


def _dump(record: dict[str, Any]) -> bytes:
    text = json.dumps(record, separators=(",", ":"), default=str)
    return text.encode("ascii") + b"\n"


def _with_shorter_stacks(
    record: dict[str, Any], keep: int, left_out: dict[str, int]
) -> dict[str, Any]:
    """A copy whose stacks have at most so many frames; counts the others."""
    record = dict(record)
    for name in _LISTS:
        if name in record:
            record[name] = [
                _with_shorter_stacks(entry, keep, left_out) for entry in record[name]
            ]
    stack = record.get("stack")
    if stack is not None and len(stack) > keep:
        left_out["stack"] = left_out.get("stack", 0) + len(stack) - keep
        record["stack"] = [*stack[:_OUTER], *stack[-_INNER:]] if keep else []
    return record
