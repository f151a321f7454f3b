"""Who is told: the logs, and what is attached beside them."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeVar

from .._model.streams import Streams
from .logs import Logs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .._model.event import Event

T = TypeVar("T")


class Members(Generic[T]):
    """Those who are told, in the order in which they came.

    Each has a name of its own, under which its failure is said. Without a lock,
    which a fork could leave locked: a list does.
    """

    def __init__(self) -> None:
        self.members: list[tuple[str, T]] = []

    def __iter__(self) -> Iterator[tuple[str, T]]:
        """The names and the members, of this moment."""
        return iter(tuple(self.members))

    def tell(
        self, how: Callable[[T], None], failed: Callable[[str, Exception], None]
    ) -> None:
        """Tell each of them, and say under its name what has failed."""
        for name, member in tuple(self.members):
            try:
                how(member)
            except Exception as error:  # noqa: PERF203  # It stops no other.
                failed(name, error)

    def add(self, member: T, name: str) -> None:
        """Tell it from now on, if it is not told yet.

        Args:
            member: What it raises is logged once and stops nothing.
            name: A number is added where another member has that name.
        """
        names = set()
        for known, present in self.members:
            if present == member:
                return
            names.add(known)
        own, number = name, 1
        while own in names:
            number += 1
            own = f"{name} ({number})"
        self.members.append((own, member))

    def remove(self, member: T) -> None:
        self.members[:] = [pair for pair in self.members if pair[1] != member]


class Destinations(Members[Callable[["Event"], None]]):
    """Where events go. Each is called under no lock, in whichever thread reports."""

    def __init__(self, streams: Streams | None = None) -> None:
        super().__init__()
        self.logs = Logs(streams or Streams(), others=lambda: len(self.members) > 1)
        self.add(self.logs.report, "logs")

    def send(self, event: Event, failed: Callable[[str, Exception], None]) -> None:
        self.tell(lambda send: send(event), failed)


class Run:
    def __init__(self) -> None:
        self._name = ""
        self._pid = 0

    @property
    def name(self) -> str:
        """Random, another one in every forked child."""
        if not self._name or self._pid != os.getpid():
            self._name = os.urandom(8).hex()
            self._pid = os.getpid()
        return self._name

    def begin(self) -> None:
        """The counts start from zero: a new run, under a new name."""
        self._name = ""
