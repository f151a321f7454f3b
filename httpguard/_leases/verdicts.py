"""What was judged: the counts by kind, and what was excused."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from .._model.leak import LeakKind
from .._stacks.capture import filenames
from .._stacks.ownership import module_matches, module_of
from .client import Ending

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._model.settings import Settings
    from .lease import Lease
    from .registry import Registry
    from .session import SessionRef


class Verdicts:
    """The counts of one guard."""

    def __init__(self, settings: Callable[[], Settings]) -> None:
        self._settings = settings
        self.counts = dict.fromkeys(LeakKind, 0)
        self.excused = 0

    @property
    def total(self) -> int:
        """The leaks of every kind."""
        return sum(self.counts.values())

    def count(self, kind: LeakKind, leaked: Lease | SessionRef) -> bool:
        """Count a leak, once.

        Returns:
            Whether it is one: not what `allow` or `ignore` excuse.
        """
        leaked.judged = True
        if self.excuses(leaked):
            self.excused += 1
            return False
        leaked.kind = kind
        self.counts[kind] += 1
        return True

    def excuses(self, leaked: Lease | SessionRef) -> bool:
        """Whether `allow` or `ignore` says that it is not to be judged."""
        if leaked.scope is not None and leaked.scope.allowed is not None:
            return True
        return any(_matches(leaked, pattern) for pattern in self._settings().ignore)

    def crowd(self, registry: Registry) -> list[Lease]:
        """The leases that count against ``max_open``."""
        return [
            lease
            for lease in list(registry.leases.values())
            if lease.closed is None
            and not lease.reading
            and (response := lease()) is not None
            and lease.client.state(response) is not Ending.RELEASED
            and not self.excuses(lease)
        ]


def _matches(leaked: Lease | SessionRef, pattern: str) -> bool:
    """Whether a URL pattern (it has a slash) or a module pattern fits."""
    if "/" in pattern:
        url = leaked.absolute_url
        return fnmatchcase(url, pattern) or fnmatchcase(url.partition("?")[0], pattern)
    return any(
        module_matches(module_of(filename), pattern)
        for filename in filenames(leaked.stack or ())
    )
