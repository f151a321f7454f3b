"""Whether too many responses are open, without a look at each for each request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .._leases.detector import Detector
    from .._leases.lease import Lease
    from .._leases.registry import Registry

# A count costs up to 9 us for each open response: past so many of them one is worth
# that many openings less.
_SHARE: Final = 32


class Crowd:
    """What the last count has found, for as long as that tells enough.

    No lock: two threads at once count twice.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._counted = range(0)
        self._limit = 0
        self._ended = 0
        self._spare = 0

    def guess(self, lease: Lease, limit: int, detector: Detector) -> bool | None:
        """Whether more than the limit are open; None: that has to be counted.

        Args:
            lease: Just opened; False where it does not count.
            limit: ``max_open``.
        """
        opened, over = self._registry.opened.value, self._spare > 0
        if limit != self._limit or opened not in self._counted:
            return None
        # As many less, and they may be too many no more.
        if over and opened - len(self._registry.leases) - self._ended >= self._spare:
            return None
        return over and not lease.reading and not detector.verdicts.excuses(lease)

    def note(self, count: int, limit: int) -> None:
        """So many were counted."""
        opened, leases = self._registry.opened.value, len(self._registry.leases)
        self._limit = limit
        self._ended = opened - leases
        self._spare = count - limit
        self._counted = range(opened, opened + max(leases // _SHARE, limit - count) + 1)
