"""Lines that make and drop sessions for nothing: each opened connections anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .._model.rhythm import Rhythm

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .._pools.pool import PoolRef
    from .._stacks.raw import RawStack
    from .session import SessionRef

# Fewer are no matter.
_FEW: Final = 10
# Programs that make code as they run can have lines without end, and ask hosts
# without end.
_MOST_LINES: Final = 1000
_MOST_HOSTS: Final = 100


class Wasted:
    """The sessions of one line whose connections were never used again."""

    __slots__ = ("client", "connects", "hosts", "pools", "rhythm", "sessions", "stack")

    def __init__(self, stack: RawStack, client: str) -> None:
        self.stack = stack
        self.client = client
        self.sessions = 0
        self.pools = 0
        self.connects = 0
        self.hosts: set[str] = set()
        self.rhythm = Rhythm()

    @property
    def saved(self) -> int:
        """The connects that one shared session would have saved, at least."""
        return max(self.connects - max(len(self.hosts), 1), 0)


class Churn:
    """Such lines. Changed under the lock of the sessions."""

    def __init__(self) -> None:
        self._lines: dict[tuple[Any, ...], Wasted] = {}

    def note(self, ref: SessionRef, pool: PoolRef) -> None:
        if not pool.connected.value or pool.reused:
            return
        wasted = self._lines.get(ref.line)
        if wasted is None:
            if len(self._lines) >= _MOST_LINES:
                self._lines.clear()
            wasted = self._lines[ref.line] = Wasted(ref.stack, ref.client.name)
        wasted.pools += 1
        wasted.connects += pool.connected.value
        if len(wasted.hosts) < _MOST_HOSTS:
            wasted.hosts.add(pool.name)
        if not ref.pools:
            wasted.sessions += 1

    def worth(self) -> list[Wasted]:
        """The lines that are worth a word, the most wasteful first."""
        found = [
            wasted
            for wasted in list(self._lines.values())
            if wasted.sessions >= _FEW and wasted.saved
        ]
        return sorted(found, key=lambda wasted: -wasted.saved)

    def due(self, now: float) -> Iterator[Wasted]:
        """The lines of which it is time to say so."""
        for wasted in self.worth():
            if wasted.rhythm.due(wasted.sessions // _FEW, now):
                yield wasted
