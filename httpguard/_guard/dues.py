"""What strict mode has to raise."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .._leases.detector import Finding

_MOST_PENDING: Final = 10_000


class Dues:
    """Findings that no `LeakError` has carried yet. Takes no lock."""

    def __init__(self) -> None:
        """Nothing is due."""
        self._pending: deque[Finding] = deque(maxlen=_MOST_PENDING)

    def __bool__(self) -> bool:
        """Whether anything is left."""
        return bool(self._pending)

    def add(self, finding: Finding) -> None:
        """Somebody's thread will have to raise this one."""
        self._pending.append(finding)

    def take(self) -> list[Finding]:
        """Those that this thread is to raise: each once."""
        taken = []
        while self._pending:
            try:
                finding = self._pending.popleft()
            except IndexError:  # Another thread took the last one.
                break
            if not finding.raised:
                finding.raised = True
                taken.append(finding)
        return taken
