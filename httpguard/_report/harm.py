"""How harmful a site is: what reports are sorted by."""

from __future__ import annotations

from typing import Final

# What one leak that nobody ended costs, beside one dropped response.
WEIGHTS: Final = {
    # A slot of a blocking pool is gone for good: when all are, the program hangs.
    "unreleased": 10,
    # A socket and its file descriptor, for as long as the process lives.
    "held": 5,
    # The same, but only found where a scope had promised to leave nothing open.
    "open": 2,
    # A connection is thrown away instead of used again.
    "dropped": 1,
    # Connections that are made anew; those in use keep theirs.
    "session": 1,
}


def harm(kind: str, leaks: int, resolved: int) -> int:
    """The weight of the kind for each leak, 1 for each that ended well after all.

    Args:
        kind: How it leaked.
        leaks: How many did.
        resolved: How many of them were closed or read to their end later.
    """
    ended = min(resolved, leaks)
    return WEIGHTS.get(kind, 1) * (leaks - ended) + ended
