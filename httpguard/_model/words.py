"""How a person reads a number of things, or a file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def many(number: int, one: str, several: str = "") -> str:
    """``1 leak``, ``2,000 leaks``; `several` is the word that has no mere ``s``."""
    return f"{number:,} {one if number == 1 else several or one + 's'}"


def leaked(found: Iterable[tuple[str, int]]) -> str:
    """``1 leaked response, 3 leaked sessions``, of kinds of leaks and their numbers."""
    counts = {"response": 0, "session": 0}
    for kind, count in found:
        counts["session" if kind == "session" else "response"] += count
    return ", ".join(
        many(count, f"leaked {noun}") for noun, count in counts.items() if count
    )


def nearest(name: str, known: Iterable[str]) -> str:
    """The one of some names that a wrong one was most likely to be."""
    import difflib

    names = sorted(known)
    return difflib.get_close_matches(name, names, 1, 0)[0]


def relative(filename: str, directory: str) -> str | None:
    """A file from a directory, with slashes; None: it lies on another drive."""
    try:
        return os.path.relpath(filename, directory).replace(os.sep, "/")
    except (ValueError, OSError):  # Or there is no working directory any more.
        return None
