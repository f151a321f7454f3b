"""To a file of JSON lines: one event a line, any number of processes a file.

The fields are described in ``docs/json-lines.md`` and, for machines, in
``json_lines.schema.json`` beside this file.
"""

from __future__ import annotations

import os
import socket
import sys
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final

from .._model.event import LEAK, RESOLVED, SUMMARY, TOO_MANY_OPEN
from .._model.plain import plain
from .append import append_line
from .truncation import encode

if TYPE_CHECKING:
    from .._model.event import Event
    from .run import Run

SCHEMA_VERSION: Final = 1
"""Raised when a field changes its meaning or goes; new ones may come any time."""


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
        """Write an event.

        Raises:
            OSError: It could not be written.
        """
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
