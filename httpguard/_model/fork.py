"""What happens to the parts of the process's state when the program forks."""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


def is_native() -> bool:
    """Whether threads are threads, and not gevent's greenlets."""
    return threading.get_ident.__module__ == "_thread"


class Forked(Protocol):
    """A part of the state of the process that a fork concerns."""

    def pause(self) -> None:
        """In the parent, before: end the threads of this part."""

    def resume(self) -> None:
        """In the parent, after: start them again."""

    def forget(self) -> None:
        """In the child: let go of what is the parent's. Locks are made anew."""


class Parts:
    """The parts that are told of every fork, while they live.

    `failed` is told what a part raised; it stops none of the others.
    """

    def __init__(self, failed: Callable[[str, Exception], None]) -> None:
        self._failed = failed
        self._known: list[weakref.ref[Forked]] = []

    def add(self, part: Forked) -> None:
        """Tell it of every fork from now on, once. It is kept by a weak reference."""
        # A new list, so that a fork in another thread meets a whole one.
        alive = [ref for ref in self._known if ref() not in {None, part}]
        self._known = [*alive, weakref.ref(part)]

    def pause(self) -> None:
        """In the parent, before: no thread of ours is in the middle of anything.

        What it holds just then would stay locked in the child for ever: a stream of
        the program's log, a pool's queue, a module. Nor would the child ever collect
        garbage, if a collection was under way. And CPython 3.12 and later warn whoever
        forks while a second thread runs; a program that has one shall not be warned for
        ours. A greenlet is none, and to wait for it would let others run meanwhile.
        """
        if is_native():
            self._tell("pause")

    def resume(self) -> None:
        """In the parent, after."""
        if is_native():
            self._tell("resume")

    def forget(self) -> None:
        """In the child."""
        self._tell("forget")

    def _tell(self, what: str) -> None:
        for ref in self._known:
            part = ref()
            if part is not None:
                try:
                    getattr(part, what)()
                except Exception as error:
                    self._failed("fork", error)
