"""What happens to our threads and sockets when the program forks."""

from __future__ import annotations

import os
import sys
import weakref
from typing import Final, Protocol


class Forked(Protocol):
    """Something with a thread of its own."""

    def pause(self) -> None:
        """In the parent, before."""

    def resume(self) -> None:
        """In the parent, after."""

    def forget(self) -> None:
        """In the child."""


_known: Final[weakref.WeakSet[Forked]] = weakref.WeakSet()


def register(forked: Forked) -> None:
    """Tell it of every fork from now on, while it lives.

    Args:
        forked: Kept by a weak reference.
    """
    _known.add(forked)


def _before() -> None:
    """CPython 3.12 and later warn whoever forks while a second thread runs."""
    if sys.version_info >= (3, 12):
        for forked in list(_known):
            forked.pause()


def _after_in_parent() -> None:
    """Go on."""
    if sys.version_info >= (3, 12):
        for forked in list(_known):
            forked.resume()


def _after_in_child() -> None:
    """Let go of what is the parent's."""
    for forked in list(_known):
        forked.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before,
        after_in_parent=_after_in_parent,
        after_in_child=_after_in_child,
    )
