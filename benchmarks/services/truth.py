"""What a service writes down of itself, line by line, and what comes of it.

Each process appends to one file: a line is one ``write`` in append mode. A line that
leaks has a comment, ``# leaks: KIND NAME``, and by that name it is written down.
"""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

Place = tuple[str, str, int]
"""A kind of leak, a file's name and a line."""

_HERE: Final = Path(__file__).parent
_COMMENT: Final = re.compile(r"# leaks: (\w+) (\w+)$")


def places() -> dict[str, Place]:
    """Where each name leaks, as the comments in the services' files say."""
    found: dict[str, Place] = {}
    for path in sorted(_HERE.glob("*_lines.py")):
        for number, text in enumerate(path.read_text("utf-8").splitlines(), 1):
            if match := _COMMENT.search(text):
                kind, name = match.groups()
                if name in found:
                    raise ValueError(f"two lines leak by the name of {name}")
                found[name] = (kind, path.name, number)
    return found


class Diary:
    """One process's hand on the file.

    Args:
        path: Of the file, which all processes share.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._lock = threading.Lock()
        self._done = 0

    def leaked(self, name: str, count: int = 1) -> None:
        """A line leaks, at this moment."""
        self._write({"leaked": name, "count": count})

    def resolved(self, name: str, count: int = 1) -> None:
        """What that line leaked is about to be closed after all."""
        self._write({"resolved": name, "count": count})

    def did(self, steps: int) -> int:
        """So many steps are done; how many this process has done."""
        self._write({"did": steps})
        with self._lock:
            self._done += steps
            return self._done

    def failed(self, name: str, error: Exception) -> None:
        """A step raised what it should not have."""
        self._write({"failed": f"{name}: {type(error).__name__}: {error}"[:300]})

    def injected(self, fault: str) -> None:
        """A fault was injected."""
        self._write({"injected": fault})

    def measured(self, kept: int) -> None:
        """Items in httpguard's containers."""
        self._write({"kept": kept, "at": time.monotonic()})

    def ended(self, errors: int) -> None:
        """The process ends; so many failures of its own httpguard has counted."""
        self._write({"ended": True, "errors": errors})

    def _write(self, entry: dict[str, Any]) -> None:
        line = json.dumps({"pid": os.getpid(), **entry}) + "\n"
        os.write(self._file, line.encode())


@dataclass(slots=True)
class Truth:
    """What the processes have written down.

    Args:
        leaked: How many, by the names of lines.
        resolved: How many of them were closed after all.
        steps: Done by all processes.
        running: Processes that have done any. The id of one that has ended may come
            again.
        ended: Processes that came to their end by themselves.
        errors: Failures of its own that httpguard has counted.
        failed: Steps that raised what they should not have, by what it was.
        injected: Faults.
        kept: Items in httpguard's containers, by seconds of the monotonic clock.
    """

    leaked: Counter[str] = field(default_factory=Counter)
    resolved: Counter[str] = field(default_factory=Counter)
    steps: int = 0
    running: set[int] = field(default_factory=set)
    ended: int = 0
    errors: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    injected: Counter[str] = field(default_factory=Counter)
    kept: list[tuple[float, int]] = field(default_factory=list)

    def add(self, entry: dict[str, Any]) -> None:
        """Take what one line of the file says."""
        if "ended" in entry:
            self.ended += 1
            self.running.discard(entry["pid"])
        else:
            self.running.add(entry["pid"])
        self.steps += entry.get("did", 0)
        self.errors += entry.get("errors", 0)
        for word in ("leaked", "resolved", "failed", "injected"):
            if word in entry:
                getattr(self, word)[entry[word]] += entry.get("count", 1)
        if "kept" in entry:
            self.kept.append((entry["at"], entry["kept"]))


class Reader:
    """Reads a file that grows.

    Args:
        path: It need not be there yet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0
        self.truth = Truth()

    def read(self) -> Truth:
        """All that the file says so far."""
        if self._path.exists():
            with self._path.open("rb") as file:
                file.seek(self._read)
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    self._read += len(line)
                    self.truth.add(json.loads(line))
        return self.truth
